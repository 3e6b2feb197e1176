"""Converters written so that they run in the layout of the convolutions around them: the same bits.

onnxruntime's convolutions compute on blocks of channels, a layout that Round, Mul and Add of constants
do not take: around each of them tensors are brought to the plain layout and back, and each is a pass
over memory. A Conv of 1x1 with a group for each channel is such a Mul and Add in the blocked layout,
and a Conv rounds with its bias: float32 has no fractions from 2^23 on, so that

    round(clip(y, low, high)) = clip(y + M, M + low, M + high) - M,   M = 1.5 * 2^23

ties to even as M is even. Row tiles whose codes are summed take M and -M in turns, which cancel.

This holds where a bias is added last, to the sum that is rounded to float32 already. ONNX leaves the
order open, so a graph is written like this for a session at hand only, never for a file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from rxsim.onnx_graph.constants import constants
from rxsim.onnx_graph.large import is_heavy
from rxsim.onnx_graph.names import fresh_name, taken_names
from rxsim.onnx_graph.nodes import attributes, use_counts
from rxsim.onnx_graph.stored import values_of

_MAGIC = 1.5 * 2.0**23
_LARGEST = 2.0**20  # code, and sum of codes: sums with M stay between 2^23 and 2^24
_UNTOLD = 2**62
_SAME_CHANNELS = ("Relu", "Clip", "Round", "MaxPool", "AveragePool", "GlobalAveragePool")
# What onnxruntime may join with the Conv in front of it, which would round otherwise.
_JOINED = ("Add", "Sum", "Sub", "Mul", "Div", "BatchNormalization")


def blocked_converters(model: onnx.ModelProto, block: int) -> onnx.ModelProto:
    """Write the converters of a graph's convolutions in the blocked layout, where they are plain ones.

    Args:
        model: the model; left as it is.
        block: channels of a block.

    Returns:
        A model that gives the same bits, or the model itself where there is nothing to write.
    """
    if all(node.op_type != "Round" for node in model.graph.node):
        return model
    if is_heavy(model):  # it should not be copied
        return model
    rewriting = _Blocked(model, block)
    if not rewriting.find():
        return model
    blocked = onnx.ModelProto()
    blocked.CopyFrom(model)
    del blocked.graph.node[:]
    blocked.graph.node.extend(rewriting.nodes())
    blocked.graph.initializer.extend(rewriting.added)
    return blocked


@dataclass(frozen=True, slots=True)
class _Rounded:
    """A tensor that is clipped, then rounded.

    Attributes:
        clip: the node.
        low: smallest code.
        high: largest code.
        source: the node that makes the tensor.
    """

    clip: onnx.NodeProto
    low: float
    high: float
    source: onnx.NodeProto


class _Blocked:
    def __init__(self, model: onnx.ModelProto, block: int) -> None:
        self._graph = model.graph
        self._block = block
        self._known = constants(model)
        self._uses = use_counts(model)
        self._taken = taken_names(model)
        self._maker = {name: node for node in model.graph.node for name in node.output}
        self._readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in model.graph.node:
            for name in node.input:
                self._readers[name].append(node)
        self._channels = self._known_channels()
        # By the name of a node's first output: what stands in its place.
        self._instead: dict[str, list[onnx.NodeProto]] = {}
        self._names: dict[tuple[tuple[int, ...], bytes], str] = {}
        self.added: list[onnx.TensorProto] = []

    def find(self) -> bool:
        """Find the converters; tell whether there are any."""
        for node in self._graph.node:
            if node.op_type == "Sum" or (node.op_type == "Add" and self._is_last(node)):
                self._sum_of_tiles(node)
            elif node.op_type == "Round":
                self._adc(node)
                self._dac(node)
        return bool(self._instead)

    def nodes(self) -> Iterator[onnx.NodeProto]:
        """Yield the nodes, those that are replaced among them."""
        for node in self._graph.node:
            yield from self._instead.get(node.output[0], [node])

    # Converters.

    def _sum_of_tiles(self, node: onnx.NodeProto) -> None:
        """Let the codes of row tiles be rounded by their Convs, and cancel what these add.

        Args:
            node: a Sum of codes, or the last of Adds that add codes one after the other.
        """
        adding, names = self._summed(node)
        tiles = [self._rounded(name, "Conv") for name in names]
        rounded = [tile for tile in tiles if tile is not None and self._takes_bias(tile.source)]
        if len(rounded) < len(tiles) or len(set(names)) < len(tiles) or len(tiles) < 2:
            return
        if sum(max(abs(tile.low), abs(tile.high)) for tile in rounded) > _LARGEST:
            return
        clipped = {}
        for number, (tile, name) in enumerate(zip(rounded, names, strict=True)):
            self._rounding_conv(tile, _MAGIC if number % 2 == 0 else -_MAGIC)
            self._instead[name] = []
            clipped[name] = tile.clip.output[0]
        for one in adding:
            moved = onnx.NodeProto()
            moved.CopyFrom(one)
            moved.input[:] = [clipped.get(name, name) for name in one.input]
            self._instead[one.output[0]] = [moved]
        result, channels = node.output[0], self._channels[rounded[0].source.output[0]]
        self._decoding(result, channels)
        if len(tiles) % 2:
            (last,) = self._instead[result]
            last.output[0] = self._name(result)
            self._instead[result].append(self._less_magic(last.output[0], result, channels))

    def _summed(self, node: onnx.NodeProto) -> tuple[list[onnx.NodeProto], list[str]]:
        """Return the nodes that add, and the names of what they add, in order."""
        if node.op_type == "Sum":
            return [node], list(node.input)
        adding: list[onnx.NodeProto] = []
        names: list[str] = []
        step: onnx.NodeProto | None = node
        while step is not None:
            adding.append(step)
            before = self._made(step.input[0], "Add")
            names.append(step.input[1])
            if before is None:
                names.append(step.input[0])
            step = before
        return adding, names[::-1]

    def _adc(self, node: onnx.NodeProto) -> None:
        """Round a single row tile by its Conv, where its codes are decoded in the blocked layout."""
        result = node.output[0]
        rounded = self._rounded(result, "Conv")
        if rounded is None or not self._takes_bias(rounded.source):
            return
        channels = self._channels[rounded.source.output[0]]
        if self._decoding(result, channels):
            self._rounding_conv(rounded, _MAGIC)
            self._instead[result] = [self._less_magic(rounded.clip.output[0], result, channels)]

    def _dac(self, node: onnx.NodeProto) -> None:
        """Scale and round activations by a Conv, its kernel the scale."""
        result = node.output[0]
        rounded = self._rounded(result, "Mul", single=False)
        if rounded is None:
            return
        scaled = self._factor(rounded.source)
        if scaled is None or scaled[1].size != 1:
            return
        source, scale = scaled
        channels = self._channels.get(source, 0)
        if not channels or channels % self._block:
            return
        name = rounded.source.output[0]
        self._instead[name] = [self._channelwise(source, name, channels, scale, _MAGIC)]
        self._shift_clip(rounded, _MAGIC)
        self._instead[result] = [self._less_magic(rounded.clip.output[0], result, channels)]

    def _decoding(self, codes: str, channels: int) -> bool:
        """Write `codes * factor + bias` as a Conv, where that is what follows; tell whether it is."""
        scaling = self._reader(codes, "Mul")
        scaled = None if scaling is None else self._factor(scaling)
        if scaling is None or scaled is None or channels % self._block:
            return False
        shifting = self._reader(scaling.output[0], "Add")
        shifted = None if shifting is None else self._factor(shifting)
        if shifting is None or shifted is None:
            return False
        values = [_by_channel(constant, channels) for constant in (scaled[1], shifted[1])]
        factor, bias = values
        if factor is None or bias is None:
            return False
        result = shifting.output[0]
        self._instead[scaling.output[0]] = []
        if not self._is_joined(result):
            self._instead[result] = [self._channelwise(codes, result, channels, factor, bias)]
            return True
        # With limits behind it onnxruntime adds nothing into the Conv.
        free, largest = self._name(result), float(np.finfo(np.float32).max)
        limits = [self._scalar(-largest), self._scalar(largest)]
        self._instead[result] = [
            self._channelwise(codes, free, channels, factor, bias),
            helper.make_node("Clip", [free, *limits], [result], self._name(result)),
        ]
        return True

    # Parts of them.

    def _rounded(self, name: str, made_by: str, *, single: bool = True) -> _Rounded | None:
        """Return what a tensor rounds and clips, whole bounds given; None where it is another tensor.

        Args:
            name: of the tensor.
            made_by: type of the node whose result is clipped.
            single: whether a single node may read the tensor.
        """
        node = self._maker.get(name)
        if node is None or node.op_type != "Round" or (single and self._uses[name] != 1):
            return None
        clip = self._made(node.input[0], "Clip")
        if clip is None or len(clip.input) != 3:
            return None
        bounds = [self._value(bound) for bound in clip.input[1:]]
        source = self._made(clip.input[0], made_by)
        if source is None or any(bound is None or bound.size != 1 for bound in bounds):
            return None
        low, high = (float(bound.flat[0]) for bound in bounds if bound is not None)
        if not (low.is_integer() and high.is_integer() and max(-low, high) <= _LARGEST):
            return None
        return _Rounded(clip, low, high, source)

    def _made(self, name: str, op_type: str) -> onnx.NodeProto | None:
        """Return the node of a type that makes a tensor for a single reader."""
        node = self._maker.get(name)
        if node is None or node.op_type != op_type or node.domain or self._uses[name] != 1:
            return None
        return node

    def _reader(self, name: str, op_type: str) -> onnx.NodeProto | None:
        """Return the node of a type that alone reads a tensor."""
        readers = self._readers[name]
        if self._uses[name] != 1 or len(readers) != 1 or readers[0].op_type != op_type:
            return None
        return readers[0]

    def _factor(self, node: onnx.NodeProto) -> tuple[str, np.ndarray] | None:
        """Return the tensor that a node joins with a constant, and the constant's values."""
        for source, constant in (node.input, reversed(node.input)):
            values = self._value(constant)
            if values is not None and source not in self._known:
                return source, values
        return None

    def _takes_bias(self, node: onnx.NodeProto) -> bool:
        """Tell whether a Conv has no bias and runs in the blocked layout."""
        channels = self._channels.get(node.output[0], 0)
        if len(node.input) != 2 or not channels or channels % self._block:
            return False
        groups, weights = attributes(node).get("group", 1), self._known[node.input[1]]
        return bool(groups == 1 or (groups == channels == weights.dims[0] and weights.dims[1] == 1))

    def _is_last(self, node: onnx.NodeProto) -> bool:
        """Tell whether an Add adds codes, and no further Add adds to its sum alone."""
        name = node.output[0]
        following = self._reader(name, "Add")
        codes = self._maker.get(node.input[1])
        more = following is not None and following.input[0] == name
        if following is not None and more:
            further = self._maker.get(following.input[1])
            more = further is not None and further.op_type == "Round"
        return codes is not None and codes.op_type == "Round" and not more

    def _is_joined(self, name: str) -> bool:
        return any(node.op_type in _JOINED for node in self._readers[name])

    def _rounding_conv(self, rounded: _Rounded, magic: float) -> None:
        """Let a Conv add M, and clip around it."""
        conv = onnx.NodeProto()
        conv.CopyFrom(rounded.source)
        channels = self._channels[conv.output[0]]
        conv.input.append(self._constant(np.full(channels, magic)))
        self._instead[conv.output[0]] = [conv]
        self._shift_clip(rounded, magic)

    def _shift_clip(self, rounded: _Rounded, magic: float) -> None:
        clip = onnx.NodeProto()
        clip.CopyFrom(rounded.clip)
        clip.input[1] = self._scalar(magic + rounded.low)
        clip.input[2] = self._scalar(magic + rounded.high)
        self._instead[clip.output[0]] = [clip]

    def _less_magic(self, source: str, result: str, channels: int) -> onnx.NodeProto:
        """Subtract M."""
        if self._is_joined(result) and not self._instead_reads(result):
            # onnxruntime does not join a Sub with what follows, as it would a Conv.
            return helper.make_node(
                "Sub", [source, self._scalar(_MAGIC)], [result], self._name(result)
            )
        return self._channelwise(source, result, channels, np.ones(1), -_MAGIC)

    def _instead_reads(self, name: str) -> bool:
        """Tell whether the node that reads a tensor is left out for a Conv behind it."""
        return all(self._instead.get(node.output[0]) == [] for node in self._readers[name])

    def _channelwise(
        self,
        source: str,
        result: str,
        channels: int,
        factor: np.ndarray,
        bias: np.ndarray | float,
    ) -> onnx.NodeProto:
        """Write `factor * source + bias` for each channel as a Conv."""
        kernel = np.broadcast_to(np.reshape(factor, -1), channels).reshape(channels, 1, 1, 1)
        added = np.broadcast_to(np.reshape(bias, -1), channels)
        inputs = [source, self._constant(kernel), self._constant(added)]
        return helper.make_node("Conv", inputs, [result], self._name(result), group=channels)

    def _scalar(self, value: float) -> str:
        return self._constant(np.asarray(value))

    def _constant(self, values: np.ndarray) -> str:
        values = np.ascontiguousarray(values, dtype=np.float32).reshape(values.shape)
        key = (values.shape, values.tobytes())
        if key not in self._names:
            self._names[key] = self._name(f"blocked_{len(self.added)}")
            self.added.append(numpy_helper.from_array(values, self._names[key]))
        return self._names[key]

    def _name(self, wanted: str) -> str:
        return fresh_name(self._taken, f"{wanted}/blocked")

    def _value(self, name: str) -> np.ndarray | None:
        """Return the values of a float32 constant, few enough to be one for each channel."""
        tensor = self._known.get(name)
        if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT:
            return None
        return values_of(tensor)

    def _known_channels(self) -> dict[str, int]:
        """Return the channels of tensors with two spatial axes that Convs make, where they are told."""
        channels: dict[str, int] = {}
        for node in self._graph.node:
            if node.domain:
                continue
            if node.op_type == "Conv":
                weights = self._known.get(node.input[1])
                if weights is not None and len(weights.dims) == 4:
                    channels[node.output[0]] = int(weights.dims[0])
            elif node.op_type in _SAME_CHANNELS and node.input[0] in channels:
                channels[node.output[0]] = channels[node.input[0]]
            elif node.op_type in ("Slice", "Pad") and node.input[0] in channels:
                kept = channels[node.input[0]] + self._more_channels(node)
                if kept > 0:
                    channels[node.output[0]] = kept
            elif node.op_type in ("Add", "Sum", "Mul", "Sub"):
                given = {channels[name] for name in node.input if name in channels}
                # A number, or a constant for each channel, does not spread the other tensor.
                rest = [self._value(name) for name in node.input if name not in channels]
                if len(given) == 1 and all(
                    one is not None and _by_channel(one, min(given)) is not None for one in rest
                ):
                    channels[node.output[0]] = min(given)
        return channels

    def _more_channels(self, node: onnx.NodeProto) -> int:
        """Return how many channels a Slice or Pad adds; fewer than there are where it is not told."""
        given = [self._known.get(name) for name in node.input[1:]]
        values = [None if one is None else values_of(one) for one in given]
        if node.op_type == "Pad" and len(values) in (1, 2) and values[0] is not None:
            pads = values[0]
            return int(pads[1] + pads[5]) if len(pads) == 8 else -_UNTOLD
        if node.op_type == "Slice" and len(values) > 2 and values[2] is not None:
            spatial = (2, 3, -1, -2)
            return 0 if all(axis in spatial for axis in values[2].tolist()) else -_UNTOLD
        return -_UNTOLD


def _by_channel(values: np.ndarray, channels: int) -> np.ndarray | None:
    """Return a number, or one for each channel of two spatial axes; None for what is neither."""
    if values.size == 1 and values.ndim <= 4:
        return values.reshape(1)
    if values.ndim in (3, 4) and values.size == channels == values.shape[-3]:
        return values.reshape(channels)
    return None
