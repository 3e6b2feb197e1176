"""Whether onnxruntime convolves blocks of channels here, and converts among them with the same bits."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from rxsim.load.runtime import quiet_options, session_of
from rxsim.onnx_graph import GraphBuilder, blocked_converters, take_range

_DOMAIN = "com.microsoft.nchwc"
# Source: onnxruntime's MLAS: 8 channels of float32 with AVX2, 16 with AVX-512.
_BLOCKS = (8, 16)


def in_blocked_layout(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write a model's converters so that they run fast here, where that gives the same bits.

    Args:
        model: the model; left as it is.

    Returns:
        Another model, or the model itself.
    """
    if all(node.op_type != "Round" for node in model.graph.node):
        return model
    block = blocked_channels()
    return model if block is None else blocked_converters(model, block)


@cache
def blocked_channels() -> int | None:
    """Return the channels of a block of this machine's onnxruntime.

    None where it has no such layout, or where converters written for it give other bits than Clip and
    Round do in a network of all kinds of convolutions.
    """
    for block in _BLOCKS:
        if _is_blocked(block):
            model, x = probe_network(block), probe_inputs(block)
            plain, blocked = (
                _outputs(each, x) for each in (model, blocked_converters(model, block))
            )
            return block if np.array_equal(plain, blocked) else None
    return None


def _is_blocked(channels: int) -> bool:
    """Tell whether a convolution of a group for each channel runs in the blocked layout."""
    build = GraphBuilder("probe", set())
    kernel = np.ones((channels, 1, 1, 1), np.float32)
    result = build.add("Conv", ["x", build.constant("kernel", kernel)], "y", group=channels)
    with tempfile.TemporaryDirectory() as folder:
        options = quiet_options()
        options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
        session_of(_model(build, result, channels), options)
        optimised = onnx.load(options.optimized_model_filepath)
    return any(node.op_type == "Conv" and node.domain == _DOMAIN for node in optimised.graph.node)


def probe_inputs(block: int) -> np.ndarray:
    """Return inputs of `probe_network`: many are halves, which are ties."""
    return _mixed((2, 3 * block, 9, 11), 40) / 2


def probe_network(block: int) -> onnx.ModelProto:
    """Write a small network with a converter behind, and in front of, each kind of convolution.

    Args:
        block: channels of a block.
    """
    build = GraphBuilder("probe", set())
    wide, narrow = 3 * block, block // 2 - 1

    def layer(x: str, channels: int, tiles: list[tuple[int, int]], kernel: int, groups: int) -> str:
        codes = _converted(build, build.add("Mul", [x, build.scalar("scale", 2.5)], "s"), -31, 31)
        currents = []
        for first, last in tiles:
            part = take_range(build, codes, first, last, 1, "tile")
            # Quarters: sums lie between codes, or half way between two of them.
            shape = (channels, 1 if groups > 1 else last - first, kernel, kernel)
            weights = build.constant("weights", _mixed(shape, 3) / 4)
            pads = [kernel // 2] * 4
            conv = build.add("Conv", [part, weights], "current", pads=pads, group=groups)
            currents.append(_converted(build, conv, -31, 31))
        # Both ways to sum: one after the other, and in one node.
        total = build.add_in_turn(currents[:3], "sum")
        if len(currents) > 3:
            total = build.add("Sum", currents, "sum")
        each = (channels, 1, 1)
        factor = build.constant("factor", (_mixed(each, 40) + 50) / np.float32(1000))
        bias = build.constant("bias", _mixed(each, 40) / np.float32(13))
        return build.add("Add", [build.add("Mul", [total, factor], "decoded"), bias], "biased")

    first = build.add("Relu", [layer("x", wide, [(0, narrow)], 3, 1)], "relu")
    by_channel = layer(first, wide, [(0, wide)], 3, wide)
    limits = [build.scalar("zero", 0), build.scalar("six", 6)]
    inner = build.add("Clip", [by_channel, *limits], "relu6")
    three = [(0, block), (block, 2 * block), (2 * block - 1, 3 * block)]
    inner = build.add("Relu", [layer(inner, wide, three + three[:1], 3, 1)], "relu")
    deep = layer(inner, wide, three, 3, 1)
    added = build.add("Relu", [build.add("Add", [deep, first], "skip")], "relu")
    plain = layer(added, wide, [(0, block + 1)], 1, 1)
    # More channels than a kernel takes at once.
    broad = layer(plain, 33 * block, [(0, wide)], 1, 1)
    last = layer(broad, wide, [(0, 33 * block)], 1, 1)
    last = layer(last, wide, three[:2], 1, 1)
    joined = build.add("Add", [last, build.scalar("one", 0.3)], "more")
    return _model(build, joined, wide)


def _mixed(shape: tuple[int, ...], largest: int) -> np.ndarray:
    """Return whole numbers from -largest to largest in no apparent order, float32."""
    places = np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    # Source: Knuth's multiplicative hash, 2^32 over the golden ratio.
    return (places * 2654435761 % 2**32 // 7919 % (2 * largest + 1) - largest).astype(np.float32)


def _converted(build: GraphBuilder, source: str, low: int, high: int) -> str:
    limits = [build.scalar("low", low), build.scalar("high", high)]
    return build.add("Round", [build.add("Clip", [source, *limits], "clipped")], "codes")


def _outputs(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    result = session_of(model, quiet_options()).run(None, {"x": x})[0]
    assert isinstance(result, np.ndarray)
    return result


def _model(build: GraphBuilder, result: str, channels: int) -> onnx.ModelProto:
    shape: list[str | int | None] = ["n", channels, "h", "w"]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", result)]
    graph = helper.make_graph(build.nodes, "probe", ends[:1], ends[1:], build.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
