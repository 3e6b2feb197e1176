"""The input tensors of a network: types, axes, and which axis of each is the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from rxsim.errors import ModelError
from rxsim.load.steps_first import steps_first
from rxsim.onnx_graph import Shape, constants, shape_of


@dataclass(frozen=True, slots=True)
class InputSpec:
    """An input tensor of a network.

    Attributes:
        name: the tensor.
        dtype: its type; object for text.
        shape: lengths of its axes; None for a free one.
        batch_axis: along which inputs stand side by side; None: it is fed whole, whatever the batch.
        axes: the names that the file gives its free axes; empty texts where it gives none.
        stepped_by: the recurrent operator that goes along its first axis; empty where none does.
        ranked: whether the file tells how many axes it has; else `shape` is to be stated.
    """

    name: str
    dtype: np.dtype
    shape: Shape
    batch_axis: int | None = 0
    axes: tuple[str, ...] = ()
    stepped_by: str = ""
    ranked: bool = True

    @property
    def batch(self) -> int | None:
        """The batch size that it prescribes; None where the batch is free, or it has none."""
        return None if self.batch_axis is None else self.shape[self.batch_axis]

    @property
    def one(self) -> Shape:
        """Shape of one input: without the batch axis."""
        return tuple(length for axis, length in enumerate(self.shape) if axis != self.batch_axis)

    @property
    def free(self) -> tuple[int, ...]:
        """Its free axes besides the batch."""
        return tuple(
            axis
            for axis, length in enumerate(self.shape)
            if length is None and axis != self.batch_axis
        )

    @property
    def smallest(self) -> tuple[int, ...] | None:
        """Shape of the smallest batch (one input where the batch is free); None with free axes."""
        if self.free:
            return None
        return tuple(length or 1 for length in self.shape)

    def axis_name(self, axis: int) -> str:
        """Return the name that the file gives an axis; empty where it gives none."""
        return self.axes[axis] if axis < len(self.axes) else ""


def input_specs(
    model: onnx.ModelProto, path: Path, original: onnx.ModelProto | None = None
) -> tuple[InputSpec, ...]:
    """List the input tensors that need data; constants of the same name are defaults, and are used.

    Args:
        model: the normalised graph.
        path: the user's file.
        original: the user's model, whose recurrent nodes tell where steps stand; by default `model`.

    Raises:
        ModelError: there is none, or one is no tensor.
    """
    known = constants(model)
    given = [value for value in model.graph.input if value.name not in known]
    if not given:
        raise ModelError(f"model {path} has no input: it computes a constant; export it again")
    stepped = steps_first(original or model)
    return with_batches(
        [
            _input_spec(value, f"model {path}: its input {value.name}", stepped.get(value.name, ""))
            for value in given
        ]
    )


def _input_spec(value: onnx.ValueInfoProto, where: str, stepped_by: str) -> InputSpec:
    if not value.type.HasField("tensor_type"):
        kind = (value.type.WhichOneof("value") or "unknown").removesuffix("_type").replace("_", " ")
        raise ModelError(
            f"{where} is of the type {kind}, expected a tensor; export it with tensors"
        )
    shape = shape_of(value)
    tensor = value.type.tensor_type
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    names = tuple(_axis_name(axis.dim_param) for axis in tensor.shape.dim)
    if shape is None:
        return InputSpec(value.name, dtype, (), None, ranked=False)
    return InputSpec(value.name, dtype, shape, 0, names, stepped_by)


def _axis_name(text: str) -> str:
    """Return the name of a free axis; empty for what exporters write where they have none."""
    nameless = text.casefold() in ("none", "unknown", "dynamic") or not any(map(str.isalpha, text))
    return "" if nameless else text


def main_input(specs: Sequence[InputSpec]) -> InputSpec:
    """Return the input that data feed where nobody names one: the first that has axes."""
    return next((spec for spec in specs if spec.shape), specs[0])


def with_batches(
    specs: Sequence[InputSpec],
    main: str | None = None,
    stated: Mapping[str, int | None] | None = None,
) -> tuple[InputSpec, ...]:
    """Find out which axis of each input is the batch.

    The main input's is the axis that is named so, else the first, or the second where a recurrent node
    goes along the first. Another input's is the axis of the
    same name; else its first, where that is free or as long as the fixed batch; else the only one
    that is. An input without such an axis is fed whole.

    Args:
        specs: the inputs.
        main: name of the main input; the first with axes by default.
        stated: batch axes by input name that a user states; None for an input without a batch.
    """
    stated = stated or {}
    first = next((spec for spec in specs if spec.name == main), main_input(specs))
    axis = stated[first.name] if first.name in stated else _main_axis(first)
    first = replace(first, batch_axis=axis)
    found = []
    for spec in specs:
        if spec.name == first.name:
            found.append(first)
        elif spec.name in stated:
            found.append(replace(spec, batch_axis=stated[spec.name]))
        else:
            found.append(replace(spec, batch_axis=_axis_like(spec, first)))
    return tuple(found)


def _main_axis(spec: InputSpec) -> int | None:
    """Return the main input's batch axis; a single axis of fixed length is one input's values."""
    named = named_batch(spec)
    if named is not None:
        return named
    if not spec.shape or (len(spec.shape) == 1 and (spec.shape[0] or 1) > 1):
        return None
    return 1 if spec.stepped_by else 0


# Assumption: what people write for the batch where they do not write the word.
_SHORT_NAMES = ("n", "b", "bs")


def named_batch(spec: InputSpec) -> int | None:
    """Return the axis that the file names as the batch: by the word, else by a usual short name.

    A short name is not believed where it names the values of real numbers (the last of several axes),
    or where the first axis is a batch fixed to 1: an N beside it counts points or steps.
    """
    names = [name.casefold() for name in spec.axes]
    word = next((axis for axis, name in enumerate(names) if "batch" in name), None)
    if word is not None:
        return word
    last = len(names) - 1
    for axis, name in enumerate(names):
        values = axis == last > 0 and spec.dtype.kind == "f"
        if name in _SHORT_NAMES and not values and (axis == 0 or spec.shape[0] != 1):
            return axis
    return None


def _axis_like(spec: InputSpec, main: InputSpec) -> int | None:
    """Return the axis of another input that follows the main input's batch."""
    if main.batch_axis is None or not spec.shape:
        return None
    name = main.axis_name(main.batch_axis)
    if name and name in spec.axes:
        return spec.axes.index(name)
    if spec.shape[0] is None:
        return 0
    like = [axis for axis, length in enumerate(spec.shape) if length == main.batch]
    if like and (like[0] == 0 or len(like) == 1):
        return like[0]
    return None
