"""Network inputs by position: a data set, the chosen samples and their preprocessing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from rxsim.data.data_set import DataSet, StoredArrays
from rxsim.data.given_arrays import IN_MEMORY
from rxsim.data.placing import placed
from rxsim.data.preprocess import Preprocess
from rxsim.errors import DataError


class TensorSpec(Protocol):
    """An input tensor of a network; a None axis is free."""

    @property
    def name(self) -> str:
        """The tensor's name."""

    @property
    def dtype(self) -> np.dtype:
        """The tensor's type."""

    @property
    def shape(self) -> Sequence[int | None]:
        """The tensor's shape."""

    @property
    def batch_axis(self) -> int | None:
        """Which axis is the batch; None: it is fed whole."""

    @property
    def one(self) -> Sequence[int | None]:
        """The shape of one input: without the batch axis."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class InputSet:
    """Inputs of a network; they are fetched in slices, so that they need not all fit into memory.

    Attributes:
        data: the data set.
        indices: indices of the samples, int64 (n,).
        preprocess: the steps from a stored sample to an input.
        input_name: the network's input tensor that the samples feed.
        dtype: that tensor's type.
        shape: required shape of every input, without the batch; None: not checked.
        extra_types: types of the further inputs by name; they are fed as stored.
        batch_axes: where the network wants the batch, by tensor name, where it is not the first axis;
            None for an input without a batch.
        whole: tensors that all inputs share, fed whatever the batch.
        repeated: tensors that are the same for every input, of one input's shape.
    """

    data: DataSet
    indices: np.ndarray
    preprocess: Preprocess
    input_name: str
    dtype: np.dtype
    shape: tuple[int, ...] | None = None
    extra_types: Mapping[str, np.dtype] = field(default_factory=dict)
    batch_axes: Mapping[str, int | None] = field(default_factory=dict)
    whole: Mapping[str, np.ndarray] = field(default_factory=dict)
    repeated: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.indices)

    def subset(self, positions: np.ndarray) -> InputSet:
        """Return the inputs at some positions."""
        return replace(self, indices=self.indices[positions])

    def feeds(self, start: int, stop: int, size: int | None = None) -> dict[str, np.ndarray]:
        """Return the inputs from position `start` up to `stop`, by tensor name.

        Args:
            start: the first.
            stop: the one after the last.
            size: repeat the last one until there are so many.

        Raises:
            DataError: an image can't be decoded, or becomes an input of another shape.
        """
        chosen = self.indices[start:stop]
        values = self.preprocess.apply(self.data.fetch(chosen), self.dtype)
        if self.shape is not None and values.shape[1:] != self.shape:
            raise DataError(
                f"{self.data.place(int(chosen[0]))}: found a sample that becomes an input of shape "
                f"{list(values.shape[1:])}, expected {list(self.shape)} as for the first of the data; "
                "state a crop or resize under preprocess.geometry in the card"
            )
        extra = {
            name: self.data.extra[name][chosen].astype(dtype, copy=False)
            for name, dtype in self.extra_types.items()
        }
        for name, tensor in self.repeated.items():
            extra[name] = np.broadcast_to(tensor, (len(chosen), *tensor.shape))
        placed_values = placed({self.input_name: values, **extra}, self.batch_axes, size)
        return {**placed_values, **self.whole}


def fit_inputs(
    data: DataSet,
    preprocess: Preprocess | None,
    specs: Sequence[TensorSpec],
    main: TensorSpec,
    model_name: str,
    stated: Mapping[str, np.ndarray] | None = None,
) -> InputSet:
    """Check that a data set's samples become inputs of a network.

    Args:
        data: the data set.
        preprocess: the preprocessing of the card or the options; None where neither gives any.
        specs: the network's inputs.
        main: the input that the samples feed, through the preprocessing.
        model_name: the model's file name, for messages.
        stated: values of one input by name that a user states: they need no data.

    Returns:
        All samples as inputs. Without preprocessing they must be real numbers, which are fed as stored.

    Raises:
        DataError: a shape or type does not fit, or integers come without a scale.
    """
    stored = data.fetch(np.zeros(1, dtype=np.int64))
    dtype = stored.dtype if isinstance(stored, np.ndarray) else np.dtype(np.uint8)
    _check_statement(data, dtype, preprocess or Preprocess(), main, model_name)
    pictures = not isinstance(stored, np.ndarray)
    ready = (preprocess or Preprocess()).for_files(data.layout, data.name, pictures=pictures)
    shape = ready.apply(stored, main.dtype).shape[1:]
    _check_shape(data.name, shape, main, model_name, "check data_layout and model_layout in the ")
    _check_type(data, dtype, data.x if isinstance(data, StoredArrays) else None, main, model_name)
    given = stated or {}
    alike = [spec for spec in specs if spec.name in given]
    whole = {spec.name: given[spec.name] for spec in alike if spec.batch_axis is None}
    others = [spec for spec in specs if spec.name not in (main.name, *given)]
    for spec in others:
        if spec.batch_axis is None:
            whole[spec.name] = _whole(data, spec, model_name)
    extra = [spec for spec in others if spec.batch_axis is not None]
    for spec in extra:
        values = data.extra[spec.name]
        where = f"{data.name}, {spec.name}"
        _check_shape(where, values.shape[1:], spec, model_name, "store it so; see the ")
        _check_stored(data, values, spec, main, model_name)
    everything = np.arange(len(data))
    return InputSet(
        data=data,
        indices=everything,
        preprocess=ready,
        input_name=main.name,
        dtype=main.dtype,
        shape=shape,
        extra_types={spec.name: spec.dtype for spec in extra},
        batch_axes={
            spec.name: spec.batch_axis for spec in (main, *extra, *alike) if spec.batch_axis != 0
        },
        whole=whole,
        repeated={spec.name: given[spec.name] for spec in alike if spec.batch_axis is not None},
    )


def _whole(data: DataSet, spec: TensorSpec, model_name: str) -> np.ndarray:
    """Return an input that all samples share, as the data hold it."""
    assert isinstance(data, StoredArrays)
    values = data.whole[spec.name]
    if not _fits(values.shape, spec.shape):
        raise DataError(
            f"{data.name}: found {spec.name} of shape {list(values.shape)}, expected "
            f"{_told(spec.shape)}: {model_name} takes it whole, without a batch axis; store it so"
        )
    _check_type(data, values.dtype, values, spec, model_name)
    return values.astype(spec.dtype)


def _check_stored(
    data: DataSet, values: np.ndarray, spec: TensorSpec, main: TensorSpec, model_name: str
) -> None:
    """Refuse values of an input that is fed as stored, and can't be."""
    if values.dtype.kind != "f" and spec.dtype.kind == "f":
        raise DataError(
            f"{data.name}: found {spec.name} of type {values.dtype}, expected real numbers: "
            f"only the input {main.name} is prepared (--input names another), the others are "
            f"fed as stored; store {spec.name} as floats"
        )
    _check_type(data, values.dtype, values, spec, model_name)


def _check_statement(
    data: DataSet,
    dtype: np.dtype,
    preprocess: Preprocess,
    main: TensorSpec,
    model_name: str,
) -> None:
    """Refuse integers without a scale for real inputs, and a scale for whole-number inputs."""
    if main.dtype.kind == "f":
        if dtype.kind != "f" and not preprocess.states_values:
            advice = (
                "give --scale (1 for raw values), or state it in a card beside the model: "
                f"{model_name.rsplit('.', 1)[0]}.yaml"
            )
            if data.name == IN_MEMORY:
                advice = (
                    "divide them, such as x / 255.0, or give rxsim.DataOptions(data=x, "
                    "preprocess={'scale': '1/255'})"
                )
            raise DataError(
                f"{data.name}: found x of type {dtype} and nothing that says how its values become "
                f"inputs, expected float inputs or a scale; {advice}"
            )
    elif preprocess.changes_values:
        raise DataError(
            f"{data.name}: found a scale, mean or std for the input {main.name} of {model_name}, which "
            f"takes whole numbers ({main.dtype}); remove them"
        )


def _check_shape(
    where: str, shape: tuple[int, ...], spec: TensorSpec, model_name: str, advice: str
) -> None:
    if not _fits(shape, spec.one):
        advice = _other_batch(shape, spec) + advice
        raise DataError(
            f"{where}: found samples that become inputs of shape {list(shape)}, expected "
            f"{_told(spec.one)} for {model_name}; {advice}card or the options"
        )


def _other_batch(shape: tuple[int, ...], spec: TensorSpec) -> str:
    """Say along which other axis of an input samples of a shape would fit; empty where along none."""
    axes = range(len(spec.shape))
    fitting = [axis for axis in axes if _fits(shape, [*spec.shape[:axis], *spec.shape[axis + 1 :]])]
    axis = "none" if _fits(shape, spec.shape) else fitting[0] if fitting else None
    if axis is None or spec.batch_axis is None:
        return ""
    return f"state --batch-axis {spec.name}={axis}, along which they fit, or "


def _fits(shape: Sequence[int], expected: Sequence[int | None]) -> bool:
    return len(shape) == len(expected) and all(
        want is None or have == want for have, want in zip(shape, expected, strict=True)
    )


def _told(shape: Sequence[int | None]) -> list[int | str]:
    return [axis if axis is not None else "any" for axis in shape]


def _check_type(
    data: DataSet,
    dtype: np.dtype,
    values: np.ndarray | None,
    spec: TensorSpec,
    model_name: str,
) -> None:
    """Refuse values that an input of whole numbers can't hold."""
    if spec.dtype.kind not in "iu":
        return
    if dtype.kind == "f":
        raise DataError(
            f"{data.name}: found {dtype} samples for the input {spec.name} of {model_name}, expected "
            f"whole numbers ({spec.dtype}); convert them"
        )
    bounds = np.iinfo(spec.dtype)
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if values is not None and values.dtype.kind in "iu":
        low, high = int(values.min()), int(values.max())
    if low < bounds.min or high > bounds.max:
        raise DataError(
            f"{data.name}: found values from {low} to {high} for the input {spec.name} of "
            f"{model_name}, expected {bounds.min} to {bounds.max} ({spec.dtype}); convert them"
        )
