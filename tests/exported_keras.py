"""What tf2onnx writes: channels last, and shapes that are computed."""

from __future__ import annotations

import numpy as np
from exported import Exported, drawn, exported, longs

# Keras: Conv2D(4, 3, strides 2, same), ReLU6, DepthwiseConv2D(3, same), pooling, Dense(3); images are
# 6x6x2, so 3x3 places after the first.
NHWC_MACS = 9 * 4 * (2 * 9) + 9 * 4 * 9 + 4 * 3


def tf_images() -> Exported:
    """Channels last: Transposes stand around what wants them first; depthwise kernels are reshaped."""
    text = """
    [m__conv2d__Conv2D__6] first = Transpose<perm=[0,3,1,2]>(x)
    [m__conv2d__Conv2D] c = Conv<auto_pad="SAME_UPPER", kernel_shape=[3,3], strides=[2,2]>
        (first, conv_w, conv_b)
    [m__relu6__Relu6] r = Clip(c, zero, six)
    [m__depthwise__reshape] dw = Reshape(depthwise_w, dw_shape)
    [m__depthwise__depthwise] d = Conv<dilations=[1,1], group=4, kernel_shape=[3,3],
        pads=[1,1,1,1], strides=[1,1]>(r, dw)
    [m__depthwise__depthwise__20] last = Transpose<perm=[0,2,3,1]>(d)
    [m__depthwise__BiasAdd] b = Add(last, dw_b)
    [m__pool__Mean__24] back = Transpose<perm=[0,3,1,2]>(b)
    [m__pool__Mean] p = GlobalAveragePool(back)
    [m__pool__Mean_Squeeze__27] s = Squeeze(p, axes)
    [m__dense__MatMul] mm = MatMul(s, dense_w)
    [m__dense__BiasAdd] z = Add(mm, dense_b)
    [m__dense__Softmax] y = Softmax(z)
    """
    tensors = {
        "conv_w": drawn(4, 2, 3, 3),
        "conv_b": drawn(4),
        "depthwise_w": drawn(4, 1, 9),
        "dw_shape": longs(4, 1, 3, 3),
        "dw_b": drawn(4),
        "dense_w": drawn(4, 3),
        "dense_b": drawn(3),
        "zero": np.array(0.0),
        "six": np.array(6.0),
        "axes": longs(2, 3),
    }
    return Exported(model=exported(text, (6, 6, 2), tensors), shape=(6, 6, 2), mapped=NHWC_MACS)


def tf_dense_on_sequences() -> Exported:
    """Dense on three axes: the tensor is flattened by its own shape, multiplied, and shaped back."""
    text = """
    [d__Tensordot__Shape] s = Shape(x)
    [d__Tensordot__Shape__12] s32 = Cast<to=6>(s)
    [d__Tensordot__Reshape] flat = Reshape(x, rows)
    [d__Tensordot__MatMul] mm = MatMul(flat, w)
    [d__Tensordot__Slice] lead = Slice(s32, from, to)
    [d__Tensordot__concat_1] whole = Concat<axis=0>(lead, out)
    [d__Tensordot__concat_1_Cast] whole64 = Cast<to=7>(whole)
    [d__Tensordot] back = Reshape(mm, whole64)
    [d__BiasAdd] y = Add(back, b)
    """
    tensors = {
        "rows": longs(-1, 6),
        "w": drawn(6, 4),
        "from": longs(0),
        "to": longs(2),
        "out": np.array([4], np.int32),
        "b": drawn(4),
    }
    model = exported(text, (5, 6), tensors, "float[B,T,U] y")
    return Exported(model=model, shape=(5, 6), mapped=5 * 6 * 4)


# A simple recurrent cell, 4 features and 3 units, over 5 steps.
LOOP_MACS = 5 * (4 * 3 + 3 * 3)
LOOP_TENSORS = {"w": drawn(4, 3), "r": drawn(3, 3), "b": drawn(3)}


def tf_loop(
    passed: str = "w_in", outer: str = "w", results: str = "float[B,U] y", more: str = ""
) -> Exported:
    """A Loop that hands the cell's weights from turn to turn.

    Args:
        passed: what the body returns in place of the input weights that it got.
        outer: what these weights start as.
        results: outputs of the network.
        more: further nodes.
    """
    text = f"""
    [rnn__transpose] xt = Transpose<perm=[1,0,2]>(x)
    [rnn__Shape] s = Shape<start=0, end=1>(x)
    [rnn__size] size = Concat<axis=0>(s, units)
    [rnn__zeros] h0 = Expand(zero, size)
    [rnn__scaled] w2 = Mul(w, two)
    [rnn__while_loop] count, h5, w5, r5, b5 = Loop<body = step
        (int64 turn, bool go, int64 n, float[B,3] h, float[4,3] w_in, float[3,3] r_in, float[3] b_in)
        => (bool going, int64 n1, float[B,3] h1, float[4,3] {passed}, float[3,3] r_out, float[3] b_in)
    {{
        [step__MatMul_1] hr = MatMul(h, r_in)
        [step__Gather] xi = Gather(xt, n)
        [step__MatMul] xw = MatMul(xi, w_in)
        [step__add] sum = Add(xw, hr)
        [step__BiasAdd] biased = Add(sum, b_in)
        [step__Tanh] h1 = Tanh(biased)
        [step__next] n1 = Add(n, one)
        [step__same] r_out = Identity(r_in)
        [step__other] w_out = Neg(w_in)
        [step__go] going = Identity(go)
    }}>(steps, yes, first, h0, {outer}, r, b)
    [rnn__out] y = Identity(h5)
    {more}
    """
    tensors = {
        **LOOP_TENSORS,
        **{"zero": np.array(0.0), "two": np.array(2.0), "units": longs(3)},
        **{"steps": np.array(5), "first": np.array(0), "one": np.array(1), "yes": np.array(True)},
    }
    model = exported(text, (5, 4), tensors, results)
    return Exported(model=model, shape=(5, 4), mapped=LOOP_MACS)
