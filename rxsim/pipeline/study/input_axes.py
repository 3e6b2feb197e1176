"""A network's inputs with what a user states of them: lengths of free axes, and which is the batch."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rxsim.errors import InputError
from rxsim.given import as_count, check_type
from rxsim.load import InputSpec, Network
from rxsim.load.inputs import main_input, with_batches
from rxsim.onnx_graph import Shape
from rxsim.schema import in_yaml

Specs = tuple[InputSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedInputs:
    """What a user states of a network's inputs.

    Attributes:
        shapes: by input name, the batch axis included or left out; under "" of every input it fits.
        axes: lengths of free axes by the name that the file gives them.
        values: numbers by input name: one for all of the input, or one for each of its entries.
        batch_axes: by input name; None for an input without a batch.
    """

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    axes: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    batch_axes: Mapping[str, int | None] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return what is stated, plain; empty where nothing is."""
        plain: dict[str, Any] = {
            "shapes": {name: list(shape) for name, shape in sorted(self.shapes.items())},
            "axes": dict(sorted(self.axes.items())),
            "values": {name: list(numbers) for name, numbers in sorted(self.values.items())},
            "batch_axes": dict(sorted(self.batch_axes.items())),
        }
        return {name: stated for name, stated in plain.items() if stated}


def stated_inputs(shapes: Any, axes: Any, values: Any, batch_axes: Any) -> StatedInputs:
    """Check what a caller states; see `StatedInputs`.

    Raises:
        InputError: a value is of a kind that its field can't take.
    """
    for given, name, example in (
        (shapes, "input_shapes", "{'image': (1, 3, 48, 320)}"),
        (axes, "fix_axes", "{'width': 48}"),
        (values, "input_values", "{'rate': 16000}"),
        (batch_axes, "input_batch_axes", "{'state': 1}"),
    ):
        check_type(given, name, Mapping, f"a mapping such as {example}")
        for key in given:
            check_type(key, name, str, "names as text")
    for name, shape in shapes.items():
        check_type(shape, f"input_shapes: {name}", tuple | list, "a shape such as (1, 3, 48, 320)")
    return StatedInputs(
        shapes={
            name: tuple(as_count(length, f"input_shapes: {name}") for length in shape)
            for name, shape in shapes.items()
        },
        axes={name: as_count(length, f"fix_axes: {name}") for name, length in axes.items()},
        values={name: _numbers(given, f"input_values: {name}") for name, given in values.items()},
        batch_axes={
            name: None if axis is None else as_count(axis, f"input_batch_axes: {name}", 0)
            for name, axis in batch_axes.items()
        },
    )


def _numbers(given: Any, name: str) -> tuple[float, ...]:
    try:
        numbers = np.asarray(given, dtype=np.float64).ravel()
    except (ValueError, TypeError):
        numbers = np.empty(0)
    if not numbers.size or not np.isfinite(numbers).all():
        raise InputError(f"{name}: found {in_yaml(given)}, expected a number, or a list of them")
    return tuple(float(number) for number in numbers)


def with_stated(network: Network, main: str | None, stated: StatedInputs) -> Network:
    """Return a network whose inputs are as a user states them.

    Args:
        network: the network.
        main: name of the input that the data feed; the first with axes by default.
        stated: what is stated.

    Raises:
        InputError: there is no such input or axis, or it has another length.
    """
    network = with_ranks(network, stated.shapes)
    specs, model = network.inputs, network.path.name
    if main is None and not stated.as_json():
        return network
    names = [spec.name for spec in specs]
    for named, option in (
        ([main] if main is not None else [], "input"),
        (stated.shapes, "input-shape"),
        (stated.values, "input-value"),
        (stated.batch_axes, "batch-axis"),
    ):
        _check_names([name for name in named if name], names, option, network)
    specs = with_batches(specs, main, _batch_axes(specs, main, stated))
    for spec in specs:
        if spec.batch_axis is not None and spec.batch_axis >= len(spec.shape):
            raise InputError(
                f"--batch-axis: found {spec.batch_axis} for the input {spec.name} of {model}, expected "
                f"an axis of its shape {told(spec.shape)}; correct it"
            )
    fixed = _with_shapes(_with_axes(specs, stated.axes, model), stated.shapes, model)
    first = next((spec for spec in fixed if spec.name == main), main_input(fixed))
    fixed = tuple(
        spec
        if spec.name in stated.batch_axes or not _was_fixed(before, spec, first)
        else replace(spec, batch_axis=None)
        for before, spec in zip(specs, fixed, strict=True)
    )
    return replace(network, inputs=fixed)


def _was_fixed(before: InputSpec, spec: InputSpec, main: InputSpec) -> bool:
    """Tell whether a user fixes the first axis of a further input, which then is no batch."""
    return spec.name != main.name and before.batch != spec.batch and spec.batch != main.batch


def with_ranks(network: Network, shapes: Mapping[str, tuple[int, ...]]) -> Network:
    """Give inputs without axes in the file those that a user states; a batch of 1 stays free.

    Args:
        network: the network.
        shapes: by input name, batch axes included; under "", without the batch, of the only input
            that has no axes.

    Raises:
        InputError: the shape of an input is neither in the file nor stated.
    """
    unknown = [spec.name for spec in network.inputs if not spec.ranked]
    if not unknown:
        return network
    specs = []
    for spec in network.inputs:
        stated = shapes.get(spec.name)
        if stated is None and len(unknown) == 1 and "" in shapes:
            stated = (1, *shapes[""])
        if not spec.ranked and stated is None:
            raise InputError(
                f"model {network.path.name}: its input {spec.name} has no shape, expected its axes; "
                f"add --input-shape {spec.name}=1,3,224,224 (with the lengths that you want, the batch "
                "included), or export the model with input shapes"
            )
        if not spec.ranked and stated is not None:
            lengths = (None if stated[0] == 1 else stated[0], *stated[1:])
            spec = replace(spec, shape=lengths, ranked=True)
        specs.append(spec)
    return replace(network, inputs=with_batches(specs))


def chosen_input(network: Network, main: str | None) -> InputSpec:
    """Return the input that the data feed: the one of a name, else the first with axes."""
    return next((spec for spec in network.inputs if spec.name == main), main_input(network.inputs))


def example_shapes(stated: Network) -> dict[str, tuple[int, ...]]:
    """Return shapes of one input by name, batch axes of length 1 included, where all axes are known.

    Args:
        stated: the network with what a user states.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for spec in stated.inputs:
        axis = spec.batch_axis
        if axis is not None:
            spec = replace(spec, shape=(*spec.shape[:axis], None, *spec.shape[axis + 1 :]))
        if spec.smallest is not None:
            shapes[spec.name] = spec.smallest
    return shapes


def on_batch(network: Network, main: str | None = None) -> str:
    """Say how counts for one input follow from a prescribed batch; empty where it is free."""
    spec = chosen_input(network, main)
    if spec.batch_axis is None or (network.fixed_batch or 1) == 1:
        return ""
    return (
        f"axis {spec.batch_axis} of {spec.name} is taken for a batch fixed to {network.fixed_batch}; "
        f"--batch-axis {spec.name}=K states another, {spec.name}=none that all of it is one input"
    )


def _check_names(named: Iterable[str], names: list[str], option: str, network: Network) -> None:
    for name in named:
        if name in names:
            continue
        if name in {value.name for value in network.original.graph.input}:
            raise InputError(
                f"--{option}: the input {name} of {network.path.name} has a default in the file, "
                "which is used; leave it out"
            )
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else f"choose one with --{option}"
        raise InputError(
            f"model {network.path.name} has no input {name}, expected one of {', '.join(names)}; {hint}"
        )


def _batch_axes(specs: Specs, main: str | None, stated: StatedInputs) -> dict[str, int | None]:
    """Return the stated batch axes; a main input of one axis whose length is stated has none."""
    axes = dict(stated.batch_axes)
    first = next((spec for spec in specs if spec.name == main), main_input(specs))
    shape = stated.shapes.get(first.name, stated.shapes.get("", ()))
    if first.name not in axes and len(first.shape) == len(shape) == 1 and shape[0] > 1:
        axes[first.name] = None
    return axes


def _with_axes(specs: Specs, lengths: Mapping[str, int], model: str) -> Specs:
    """Fix free axes by their names."""
    known = sorted(
        {
            name
            for spec in specs
            for name, length in zip(spec.axes, spec.shape, strict=False)
            if name and length is None
        }
    )
    for name in lengths:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else "use --input-shape NAME=N,N.. instead"
            raise InputError(
                f"--fix-axis: found {name}, expected the name of a free axis of an input of {model} "
                f"({', '.join(known) or 'none has a name'}); {hint}"
            )
    return _with_lengths(specs, lengths)


def _with_lengths(specs: Iterable[InputSpec], lengths: Mapping[str, int]) -> Specs:
    """Give free axes the lengths that belong to their names."""
    return tuple(
        replace(
            spec,
            shape=tuple(
                lengths.get(spec.axis_name(axis)) if length is None else length
                for axis, length in enumerate(spec.shape)
            ),
        )
        for spec in specs
    )


def _with_shapes(specs: Specs, shapes: Mapping[str, tuple[int, ...]], model: str) -> Specs:
    """Fix free axes by shapes; axes of the same name in other inputs follow."""
    if not shapes:
        return specs
    found: dict[str, int] = {}
    fixed = []
    for spec in specs:
        stated = shapes.get(spec.name)
        if stated is None and "" in shapes and _fixed(spec, shapes[""]) is not None:
            stated = shapes[""]
        shape = spec.shape if stated is None else _fixed(spec, stated)
        if shape is None:
            raise InputError(
                f"--input-shape: found {','.join(map(str, stated or ()))}, expected the shape of the "
                f"input {spec.name} of {model}, which is {told(spec.shape)}; correct it"
            )
        for axis, length in enumerate(shape):
            name = spec.axis_name(axis)
            new = name and length is not None and spec.shape[axis] is None
            if new and found.setdefault(name, length or 1) != length:
                raise InputError(
                    f"--input-shape: found {length} and {found[name]} for the axis {name} of {model}, "
                    "expected one length; correct them"
                )
        fixed.append(replace(spec, shape=shape))
    if "" in shapes and all(_fixed(spec, shapes[""]) is None for spec in specs):
        wanted = "; ".join(
            f"{spec.name}: {','.join('any' if n is None else str(n) for n in spec.one)}"
            for spec in specs
        )
        raise InputError(
            f"--input-shape: found {','.join(map(str, shapes['']))}, expected the shape of one input "
            f"without the batch axis ({wanted}); correct it or leave it out"
        )
    return _with_lengths(fixed, found)


def _fixed(spec: InputSpec, stated: tuple[int, ...]) -> Shape | None:
    """Return an input's shape as it is stated; None where it can't be.

    A stated batch of 1 is that of an example: it leaves a free batch free.
    """
    axis = spec.batch_axis
    if axis is not None and len(stated) == len(spec.shape) - 1:
        lengths: Shape = (*stated[:axis], spec.shape[axis], *stated[axis:])
    elif len(stated) == len(spec.shape):
        lengths = stated
        if axis is not None and stated[axis] == 1 and spec.shape[axis] is None:
            lengths = (*stated[:axis], None, *stated[axis + 1 :])
    else:
        return None
    fits = all(want in (None, have) for have, want in zip(lengths, spec.shape, strict=True))
    return lengths if fits else None


def stated_values(
    specs: Iterable[InputSpec], values: Mapping[str, tuple[float, ...]]
) -> dict[str, np.ndarray]:
    """Return inputs whose values a user states, for a batch of one input, by name.

    Raises:
        InputError: an input's axes are not known, or it has another number of entries, or can't hold
            such numbers.
    """
    found = {}
    for spec in specs:
        if spec.name not in values:
            continue
        if spec.free:
            raise InputError(
                f"--input-value: the input {spec.name} has free axes {told(spec.shape)}, expected "
                f"fixed ones; {ask_for_axes([spec])}"
            )
        shape = tuple(length or 1 for length in spec.one)
        numbers = np.asarray(values[spec.name])
        size = int(np.prod(shape, dtype=np.int64))
        if numbers.size not in (1, size):
            raise InputError(
                f"--input-value: found {numbers.size} numbers for the input {spec.name}, expected one, "
                f"or {size} as its shape {list(shape)} has; correct it"
            )
        if spec.dtype.kind in "iu":
            bounds = np.iinfo(spec.dtype)
            whole = numbers == np.round(numbers)
            if not (whole & (numbers >= bounds.min) & (numbers <= bounds.max)).all():
                raise InputError(
                    f"--input-value: found {in_yaml(numbers.tolist())} for the input {spec.name}, "
                    f"expected whole numbers ({spec.dtype}); correct it"
                )
        filled = np.full(shape, numbers[0]) if numbers.size == 1 else numbers.reshape(shape)
        found[spec.name] = filled.astype(spec.dtype)
    return found


def told(shape: Shape) -> str:
    """Write a shape for messages."""
    return f"[{', '.join('any' if length is None else str(length) for length in shape)}]"


# Assumption: sensible for an example (pixels, a second of sound, tokens); the user puts true ones.
_EXAMPLE_PIXELS, _EXAMPLE_SOUND, _EXAMPLE_STEPS = 224, 16000, 16


def _example(spec: InputSpec, axis: int) -> int:
    name = f"{spec.name} {spec.axis_name(axis)}".casefold()
    if len(spec.shape) == 4:
        return _EXAMPLE_PIXELS
    return _EXAMPLE_SOUND if "sample" in name or "audio" in name else _EXAMPLE_STEPS


def ask_for_axes(specs: Iterable[InputSpec]) -> str:
    """Say which options fix the free axes of some inputs; the numbers are examples."""
    parts: list[str] = []
    for spec in specs:
        if all(spec.axis_name(axis) for axis in spec.free):
            named = [f"{spec.axis_name(axis)}={_example(spec, axis)}" for axis in spec.free]
            parts += [f"--fix-axis {_quoted(text)}" for text in named]
        else:
            lengths = [
                1 if axis == spec.batch_axis and length is None else length or _example(spec, axis)
                for axis, length in enumerate(spec.shape)
            ]
            shape = ",".join(map(str, lengths))
            parts.append(f"--input-shape {_quoted(f'{spec.name}={shape}')}")
    return f"add {' '.join(dict.fromkeys(parts))} (with the lengths that you want)"


def _quoted(text: str) -> str:
    """Quote what a shell would take apart."""
    return f"'{text}'" if set(text) & set(' ;&|()*?<>$"\\') else text
