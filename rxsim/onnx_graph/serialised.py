"""A model's bytes part by part: never all of its constants at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import onnx

from rxsim.onnx_graph.constants import is_large
from rxsim.onnx_graph.shapes import copy_fields
from rxsim.onnx_graph.stored import bytes_of, forget_file, lies_in_file, raw_pieces

# Source: onnx.proto: numbers of ModelProto.graph, GraphProto.initializer and TensorProto.raw_data.
_PLACES = (7, 5, 9)
# Source: protobuf's encoding: kinds of fields; a number behind 0, a length and as many bytes behind 2.
_VARINT, _LENGTH, _WIDTHS = 0, 2, {1: 8, 5: 4}

Part = bytes | onnx.TensorProto
"""Bytes, or a constant whose raw values stand here."""


def serialised(model: onnx.ModelProto) -> tuple[int, Iterator[bytes]]:
    """Return how many bytes a model takes, and these bytes, as protobuf writes them."""
    lean = onnx.ModelProto()
    copy_fields(model, lean, "graph")
    copy_fields(model.graph, lean.graph, "initializer")
    apart: list[onnx.TensorProto | None] = []
    for tensor in model.graph.initializer:
        in_file = lies_in_file(tensor)
        if not in_file and not (tensor.HasField("raw_data") and is_large(tensor)):
            lean.graph.initializer.append(tensor)
            apart.append(None)
            continue
        place = lean.graph.initializer.add()
        copy_fields(tensor, place, "raw_data")
        if in_file:
            forget_file(place)
            place.ClearField("external_data")
            place.ClearField("data_location")
        place.raw_data = b""
        apart.append(tensor)
    parts = _filled(lean.SerializeToString(deterministic=True), _PLACES, iter(apart))
    return sum(map(_size, parts)), _content(parts)


def _filled(
    message: bytes, places: Sequence[int], apart: Iterator[onnx.TensorProto | None]
) -> list[Part]:
    """Put constants into a message: into its field `places[0]`, there into `places[1]`, and so on.

    Args:
        message: whose last field on this way is empty where a constant belongs.
        places: numbers of fields; without any the message is where raw values stand.
        apart: for each field on the way to the last one, in order, what belongs into it.
    """
    parts: list[Part] = []
    at = kept = 0
    for number, start, end in _fields(message):
        if number != places[0]:
            continue
        if len(places) == 2:
            tensor = next(apart)
            inner: list[Part] = (
                [message[start:end]] if tensor is None else _with_raw(message[start:end], tensor)
            )
        else:
            inner = _filled(message[start:end], places[1:], apart)
        at = start - _varint_size(end - start)
        parts += [message[kept:at], _varint(sum(map(_size, inner))), *inner]
        kept = end
    return [*parts, message[kept:]]


def _with_raw(message: bytes, tensor: onnx.TensorProto) -> list[Part]:
    """Put raw values into the message of a constant that has none."""
    for number, start, end in _fields(message):
        if number == _PLACES[-1]:
            return [message[: start - 1], _varint(_size(tensor)), tensor, message[end:]]
    raise AssertionError("a constant without raw values")


def _fields(message: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the number of each field of a message, and where what it holds begins and ends."""
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _LENGTH:
            length, at = _read_varint(message, at)
            yield number, at, at + length
            at += length
        elif kind == _VARINT:
            _, at = _read_varint(message, at)
        else:
            at += _WIDTHS[kind]


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _varint(value: int) -> bytes:
    content = bytearray()
    while value >= 0x80:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*content, value])


def _varint_size(value: int) -> int:
    return len(_varint(value))


def _size(part: Part) -> int:
    if isinstance(part, bytes):
        return len(part)
    return bytes_of(part) if lies_in_file(part) else len(part.raw_data)


def _content(parts: Sequence[Part]) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            yield from raw_pieces(part)
