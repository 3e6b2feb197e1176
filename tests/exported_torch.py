"""What torch's two exporters write: the older one, which traces, and dynamo."""

from __future__ import annotations

import numpy as np
from exported import Exported, cell_macs, drawn, exported, longs

# Conv2d(2, 4, 3, stride 2, padding 1), BatchNorm (folded), ReLU, ConvTranspose2d(4, 3, 2, 2),
# mean over the image, Linear(3, 5): inputs 2x6x6, 3x3 places after Conv.
CNN_MACS = 9 * 4 * (2 * 9) + 9 * 4 * (3 * 4) + 3 * 5
CNN_TENSORS = {
    "c_weight": drawn(4, 2, 3, 3),
    "c_bias": drawn(4),
    "t_weight": drawn(4, 3, 2, 2),
    "t_bias": drawn(3),
    "f_weight": drawn(5, 3),
    "f_bias": drawn(5),
}


def torch_cnn() -> Exported:
    text = """
    [__c__Conv] c = Conv<dilations=[1,1], group=1, kernel_shape=[3,3], pads=[1,1,1,1], strides=[2,2]>
        (x, c_weight, c_bias)
    [__Relu] r = Relu(c)
    [__t__ConvTranspose] t = ConvTranspose
        <dilations=[1,1], group=1, kernel_shape=[2,2], pads=[0,0,0,0], strides=[2,2]>
        (r, t_weight, t_bias)
    [__Constant] axes = Constant<value = int64[2] {2, 3}>()
    [__ReduceMean] m = ReduceMean<keepdims=0>(t, axes)
    [__f__Gemm] y = Gemm<alpha=1.0, beta=1.0, transB=1>(m, f_weight, f_bias)
    """
    return Exported(model=exported(text, (2, 6, 6), CNN_TENSORS), shape=(2, 6, 6), mapped=CNN_MACS)


def torch_dynamo_cnn() -> Exported:
    text = """
    [node_Conv_11] getitem = Conv<group=1, pads=[1,1,1,1], auto_pad="NOTSET", strides=[2,2],
        dilations=[1,1], kernel_shape=[3,3]>(x, c_weight, c_bias)
    [node_relu] relu = Relu(getitem)
    [node_convolution] convolution = ConvTranspose<group=1, auto_pad="NOTSET", strides=[2,2],
        pads=[0,0,0,0], output_padding=[0,0], dilations=[1,1], kernel_shape=[2,2]>
        (relu, t_weight, t_bias)
    [node_mean] mean = ReduceMean<noop_with_empty_axes=0, keepdims=0>(convolution, val_10)
    [node_linear] y = Gemm<beta=1.0, transB=1, alpha=1.0, transA=0>(mean, f_weight, f_bias)
    """
    tensors = {**CNN_TENSORS, "val_10": longs(2, 3)}
    return Exported(model=exported(text, (2, 6, 6), tensors), shape=(2, 6, 6), mapped=CNN_MACS)


# LSTM(4, 3, bidirectional), GRU(6, 3), both batch first, Linear(3, 2) of the last of 5 steps.
RECURRENT_MACS = cell_macs(4, 4, 3, 5, 2) + cell_macs(3, 6, 3, 5) + 3 * 2
RECURRENT_TENSORS = {
    "lstm_w": drawn(2, 12, 4),
    "lstm_r": drawn(2, 12, 3),
    "lstm_b": drawn(2, 24),
    "gru_w": drawn(1, 9, 6),
    "gru_r": drawn(1, 9, 3),
    "gru_b": drawn(1, 18),
    "f_weight": drawn(2, 3),
    "f_bias": drawn(2),
}


def torch_recurrent() -> Exported:
    """The states start as ConstantOfShape of a shape that is put together from the input's."""

    def zeros(of: str, prefix: str, directions: int) -> str:
        return f"""
        [__{prefix}__Shape] {prefix}s = Shape({of})
        {prefix}i = Constant<value = int64 {{0}}>()
        [__{prefix}__Gather] {prefix}n = Gather<axis=0>({prefix}s, {prefix}i)
        {prefix}d = Constant<value = int64[1] {{{directions}}}>()
        {prefix}a = Constant<value = int64[1] {{0}}>()
        [__{prefix}__Unsqueeze] {prefix}u = Unsqueeze({prefix}n, {prefix}a)
        {prefix}h = Constant<value = int64[1] {{3}}>()
        [__{prefix}__Concat] {prefix}c = Concat<axis=0>({prefix}d, {prefix}u, {prefix}h)
        [__{prefix}__ConstantOfShape] {prefix}0 = ConstantOfShape<value = float[1] {{0}}>({prefix}c)
        """

    text = f"""
    {zeros("x", "l", 2)}
    [__l__Transpose] xt = Transpose<perm=[1,0,2]>(x)
    [__l__LSTM] l_0, l_1, l_2 = LSTM<direction="bidirectional", hidden_size=3>
        (xt, lstm_w, lstm_r, lstm_b, , l0, l0)
    [__l__Transpose_1] lt = Transpose<perm=[0,2,1,3]>(l_0)
    whole = Constant<value = int64[3] {{0, 0, -1}}>()
    [__l__Reshape] lr = Reshape<allowzero=0>(lt, whole)
    [__l__Transpose_2] lb = Transpose<perm=[1,0,2]>(lr)
    {zeros("lb", "g", 1)}
    [__g__GRU] g_0, g_1 = GRU<hidden_size=3, linear_before_reset=1>(lr, gru_w, gru_r, gru_b, , g0)
    one = Constant<value = int64[1] {{1}}>()
    [__g__Squeeze] g_3 = Squeeze(g_0, one)
    [__g__Transpose] gt = Transpose<perm=[1,0,2]>(g_3)
    last = Constant<value = int64 {{-1}}>()
    [__Gather] t = Gather<axis=1>(gt, last)
    [__f__Gemm] y = Gemm<alpha=1.0, beta=1.0, transB=1>(t, f_weight, f_bias)
    """
    model = exported(text, (5, 4), RECURRENT_TENSORS)
    return Exported(model=model, shape=(5, 4), mapped=RECURRENT_MACS)


def torch_dynamo_recurrent() -> Exported:
    """The states start as slices of an expanded zero; second outputs are left out."""
    text = """
    [node_Shape_0] val_0 = Shape<end=1, start=0>(x)
    [node_Concat_7] val_7 = Concat<axis=0>(two, val_0, three)
    [node_zeros] zeros = Expand(zero, val_7)
    [node_Transpose_14] val_14 = Transpose<perm=[1,0,2]>(x)
    [node_Slice_18] val_18 = Slice(zeros, none, two, none)
    [node_lstm__2] val_114 = LSTM<hidden_size=3, direction="bidirectional", input_forget=0, layout=0>
        (val_14, lstm_w, lstm_r, lstm_b, , val_18, val_18)
    [node_Transpose_114] val_115 = Transpose<perm=[0,2,1,3]>(val_114)
    [node_Reshape_204] val_128 = Reshape<allowzero=1>(val_115, flat)
    [node_Concat_133] val_134 = Concat<axis=0>(one, val_0, three)
    [node_zeros_2] zeros_2 = Expand(zero, val_134)
    [node_Slice_136] val_137 = Slice(zeros_2, none, one, none)
    [node_gru__1] val_170 = GRU<hidden_size=3, layout=0, direction="forward", linear_before_reset=1>
        (val_128, gru_w, gru_r, gru_b, , val_137)
    [node_Transpose_169] val_171 = Transpose<perm=[0,2,1,3]>(val_170)
    [node_Shape_170] val_172 = Shape<start=0>(val_171)
    [node_Slice_171] val_173 = Slice(val_172, none, one)
    [node_Slice_172] val_174 = Slice(val_172, one, two)
    [node_Slice_173] val_175 = Slice(val_172, two, three)
    [node_Slice_174] val_176 = Slice(val_172, three, four)
    [node_Mul_175] val_177 = Mul(val_175, val_176)
    [node_Reshape_177] val_179 = Reshape<allowzero=0>(val_177, minus)
    [node_Concat_178] val_180 = Concat<axis=0>(val_173, val_174, val_179)
    [node_Reshape_179] val_181 = Reshape<allowzero=0>(val_171, val_180)
    [node_gru__0] getitem_3 = Transpose<perm=[1,0,2]>(val_181)
    [node_select] select = Gather<axis=1>(getitem_3, last)
    [node_linear] y = Gemm<beta=1.0, transB=1, alpha=1.0, transA=0>(select, f_weight, f_bias)
    """
    numbers = {"none": 0, "one": 1, "two": 2, "three": 3, "four": 4, "minus": -1}
    tensors = {
        **RECURRENT_TENSORS,
        **{name: longs(value) for name, value in numbers.items()},
        "flat": longs(5, -1, 6),
        "last": np.array(-1, np.int64),
        "zero": np.array(0.0),
    }
    model = exported(text, (5, 4), tensors)
    return Exported(model=model, shape=(5, 4), mapped=RECURRENT_MACS)


# Attention of 2 heads of 4 over 5 tokens of 8: Linear(8, 24), Q K^T, A V, Linear(8, 8).
ATTENTION_MACS = 5 * 8 * 24 + 5 * 8 * 8
ATTENTION_DIGITAL = 2 * (2 * 5 * 5 * 4)
ATTENTION_TENSORS = {
    "q_weight": drawn(8, 24),
    "q_bias": drawn(24),
    "o_weight": drawn(8, 8),
    "o_bias": drawn(8),
}


def torch_attention() -> Exported:
    """Chunks are Slices whose ends are computed, shapes are put together from the input's."""

    def shape_of(result: str, *more: str) -> str:
        parts = ["b1", "t1", *more]
        return f"[__Concat_{result}] {result} = Concat<axis=0>({', '.join(parts)})"

    text = f"""
    [__Shape] s = Shape(x)
    c0 = Constant<value = int64 {{0}}>()
    c1 = Constant<value = int64 {{1}}>()
    [__Gather] b = Gather<axis=0>(s, c0)
    [__Gather_1] t = Gather<axis=0>(s, c1)
    first = Constant<value = int64[1] {{0}}>()
    [__Unsqueeze] b1 = Unsqueeze(b, first)
    [__Unsqueeze_1] t1 = Unsqueeze(t, first)
    [__q__MatMul] qm = MatMul(x, q_weight)
    [__q__Add] q = Add(q_bias, qm)
    [__Shape_3] qs = Shape(q)
    axis = Constant<value = int64[1] {{2}}>()
    [__Gather_3] width = Gather<axis=0>(qs, axis)
    three = Constant<value = int64[1] {{3}}>()
    [__Div] third = Div(width, three)
    two = Constant<value = int64[1] {{2}}>()
    [__Mul] end1 = Mul(third, two)
    [__Slice] query = Slice(q, first, third, axis)
    [__Slice_1] key = Slice(q, third, end1, axis)
    [__Slice_2] value = Slice(q, end1, width, axis)
    heads = Constant<value = int64[1] {{2}}>()
    each = Constant<value = int64[1] {{4}}>()
    {shape_of("shape", "heads", "each")}
    [__Reshape] query4 = Reshape<allowzero=0>(query, shape)
    [__Reshape_1] key4 = Reshape<allowzero=0>(key, shape)
    [__Reshape_2] value4 = Reshape<allowzero=0>(value, shape)
    [__Transpose] query_t = Transpose<perm=[0,2,1,3]>(query4)
    [__Transpose_1] value_t = Transpose<perm=[0,2,1,3]>(value4)
    [__Transpose_2] key_t = Transpose<perm=[0,2,3,1]>(key4)
    [__MatMul] scores = MatMul(query_t, key_t)
    root = Constant<value = float {{2}}>()
    [__Div_1] scaled = Div(scores, root)
    [__Softmax] a = Softmax<axis=-1>(scaled)
    [__MatMul_1] mixed = MatMul(a, value_t)
    [__Transpose_3] back = Transpose<perm=[0,2,1,3]>(mixed)
    whole = Constant<value = int64[1] {{8}}>()
    {shape_of("flat", "whole")}
    [__Reshape_3] joined = Reshape<allowzero=0>(back, flat)
    [__o__MatMul] om = MatMul(joined, o_weight)
    [__o__Add] y = Add(o_bias, om)
    """
    return Exported(
        model=exported(text, (5, 8), ATTENTION_TENSORS, "float[B,T,U] y"),
        shape=(5, 8),
        mapped=ATTENTION_MACS,
        digital=ATTENTION_DIGITAL,
    )


def torch_dynamo_attention() -> Exported:
    text = """
    [node_MatMul_2] val_2 = MatMul(x, q_weight)
    [node_linear] linear = Add(val_2, q_bias)
    [node_Split_32] split_0, split_1, split_2 = Split<axis=2, num_outputs=3>(linear)
    [node_Reshape_39] view = Reshape<allowzero=1>(split_0, val_32)
    [node_transpose] transpose = Transpose<perm=[0,2,1,3]>(view)
    [node_Reshape_42] view_1 = Reshape<allowzero=1>(split_1, val_32)
    [node_Reshape_45] view_2 = Reshape<allowzero=1>(split_2, val_32)
    [node_transpose_2] transpose_2 = Transpose<perm=[0,2,1,3]>(view_2)
    [node_Transpose_46] transpose_3 = Transpose<perm=[0,2,3,1]>(view_1)
    [node_matmul] matmul = MatMul(transpose, transpose_3)
    [node_div] div = Div(matmul, scalar_tensor_default)
    [node_softmax] softmax = Softmax<axis=-1>(div)
    [node_matmul_1] matmul_1 = MatMul(softmax, transpose_2)
    [node_transpose_4] transpose_4 = Transpose<perm=[0,2,1,3]>(matmul_1)
    [node_Reshape_49] joined = Reshape<allowzero=1>(transpose_4, val_35)
    [node_MatMul_31] val_31 = MatMul(joined, o_weight)
    [node_linear_1] y = Add(val_31, o_bias)
    """
    tensors = {
        **ATTENTION_TENSORS,
        "val_32": longs(-1, 5, 2, 4),
        "val_35": longs(-1, 5, 8),
        "scalar_tensor_default": np.array(2.0),
    }
    return Exported(
        model=exported(text, (5, 8), tensors, "float[B,T,U] y"),
        shape=(5, 8),
        mapped=ATTENTION_MACS,
        digital=ATTENTION_DIGITAL,
    )


# 3 experts, each Linear(6, 4) without bias, weighed by Linear(6, 3): a product of two activations.
EXPERTS_MACS = 6 * 3 + 3 * 6 * 4
EXPERTS_DIGITAL = 3 * 4


def torch_experts() -> Exported:
    text = """
    [__g__Gemm] g = Gemm<alpha=1.0, beta=1.0, transB=1>(x, g_weight, g_bias)
    [__Softmax] p = Softmax<axis=-1>(g)
    [__Einsum] e = Einsum<equation="bi,eio->beo">(x, w)
    [__Einsum_1] y = Einsum<equation="be,beo->bo">(p, e)
    """
    tensors = {"g_weight": drawn(3, 6), "g_bias": drawn(3), "w": drawn(3, 6, 4)}
    return Exported(
        model=exported(text, (6,), tensors),
        shape=(6,),
        mapped=EXPERTS_MACS,
        digital=EXPERTS_DIGITAL,
    )
