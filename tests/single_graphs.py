"""Graphs of every form of Conv, Gemm and MatMul, with random weights and inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper, parser

# name: (graph, input shape, weight and bias shapes)
GRAPHS: dict[str, tuple[str, tuple[int, ...], dict[str, tuple[int, ...]]]] = {
    "grouped conv": (
        "y = Conv<group=2, kernel_shape=[3,3], pads=[1,1,1,1]>(x, w, b)",
        (3, 4, 6, 5),
        {"w": (6, 2, 3, 3), "b": (6,)},
    ),
    "depthwise conv": (
        "y = Conv<group=4, kernel_shape=[3,2], pads=[0,1,2,0]>(x, w)",
        (3, 4, 6, 5),
        {"w": (8, 1, 3, 2)},
    ),
    "dilated conv": (
        "y = Conv<dilations=[2,3], pads=[2,1,0,3]>(x, w, b)",
        (2, 3, 9, 11),
        {"w": (5, 3, 3, 2), "b": (5,)},
    ),
    "strided conv": (
        "y = Conv<strides=[2,3], pads=[1,0,2,1]>(x, w)",
        (2, 3, 9, 10),
        {"w": (5, 3, 3, 2)},
    ),
    "same upper": (
        'y = Conv<auto_pad="SAME_UPPER", strides=[2,2]>(x, w, b)',
        (2, 3, 8, 7),
        {"w": (4, 3, 3, 4), "b": (4,)},
    ),
    "same lower": (
        'y = Conv<auto_pad="SAME_LOWER">(x, w)',
        (2, 3, 8, 7),
        {"w": (4, 3, 2, 4)},
    ),
    "valid": (
        'y = Conv<auto_pad="VALID", strides=[2,1]>(x, w)',
        (2, 3, 8, 7),
        {"w": (4, 3, 3, 2)},
    ),
    "gemm": (
        "y = Gemm<alpha=0.7, beta=-1.3, transB=1>(x, w, b)",
        (6, 9),
        {"w": (7, 9), "b": (7,)},
    ),
    "gemm untransposed": ("y = Gemm<alpha=2.5>(x, w)", (6, 9), {"w": (9, 7)}),
    "gemm with a bias per row": (
        "y = Gemm<beta=0.5>(x, w, b)",
        (6, 9),
        {"w": (9, 7), "b": (6, 1)},
    ),
    "matmul on rank 3": ("y = MatMul(x, w)", (4, 3, 9), {"w": (9, 7)}),
    "several layers": (
        """
        a = Conv(x, w1, b1)
        n = BatchNormalization(a, scale, shift, mean, variance)
        r = Relu(n)
        s = Conv(r, w2)
        t = Add(s, r)
        k = Constant<value_ints=[0, -1]>()
        f = Reshape(t, k)
        z = MatMul(f, w3)
        y = Add(z, b3)
        """,
        (5, 2, 4, 4),
        {
            **{"w1": (3, 2, 3, 3), "b1": (3,), "w2": (3, 3, 1, 1), "w3": (12, 5), "b3": (5,)},
            **dict.fromkeys(("scale", "shift", "mean", "variance"), (3,)),
        },
    ),
}


def make(name: str) -> tuple[onnx.ModelProto, NDArray[Any]]:
    """Return a hand-made graph with random weights and random inputs of both signs."""
    nodes, x_shape, shapes = GRAPHS[name]
    rng = np.random.default_rng(len(name))
    shape = ",".join(map(str, x_shape))
    text = f'<ir_version: 8, opset_import: ["": 17]> g (float[{shape}] x) => (float y) {{{nodes}}}'
    model = parser.parse_model(text)
    for tensor, size in shapes.items():
        value = rng.random(size) if tensor == "variance" else rng.standard_normal(size)
        model.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), tensor))
    return model, rng.standard_normal(x_shape).astype(np.float32)
