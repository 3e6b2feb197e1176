"""Network inputs by position: a data set, the chosen samples and their preprocessing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rxsim.data.npz import LabelledArrays
from rxsim.data.preprocess import Preprocess
from rxsim.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class InputSet:
    """Inputs of a network, fetched in slices so that they need not all be held.

    Attributes:
        data: the data set.
        indices: which samples, int64 (n,).
        preprocess: what turns a stored sample into an input.
        input_name: the network's input tensor.
        dtype: the input tensor's type.
    """

    data: LabelledArrays
    indices: np.ndarray
    preprocess: Preprocess
    input_name: str
    dtype: np.dtype

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def labels(self) -> np.ndarray:
        """Labels of the chosen samples, int64 (n,)."""
        labels: np.ndarray = self.data.y[self.indices]
        return labels

    def subset(self, positions: np.ndarray) -> InputSet:
        """Return the inputs at some positions."""
        return replace(self, indices=self.indices[positions])

    def feeds(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Return the inputs from position `start` up to `stop`, by tensor name."""
        stored = self.data.fetch(self.indices[start:stop])
        return {self.input_name: self.preprocess.apply(stored).astype(self.dtype, copy=False)}


_VALUE_STEPS = {"scale", "mean", "std"}
"""What must be stated before integers become inputs: one of these."""


def fit_preprocess(
    data: LabelledArrays,
    preprocess: Preprocess | None,
    expected: Sequence[int | None],
    model_name: str,
) -> Preprocess:
    """Check that a data set's samples become inputs of the expected shape.

    Args:
        data: the data set.
        preprocess: the card's or the options' preprocessing; None where neither says anything.
        expected: the network's input shape, None for a free axis; the first axis is the batch.
        model_name: the model's file name, for messages.

    Returns:
        The preprocessing to use: the identity only where the samples are floats as they are.

    Raises:
        DataError: the shape does not fit, or nothing says how integers become inputs.
    """
    values_stated = preprocess is not None and _VALUE_STEPS & preprocess.model_fields_set
    if data.x.dtype.kind != "f" and not values_stated:
        raise DataError(
            f"{data.name}: found x of type {data.x.dtype} and nothing that says how its values become "
            f"inputs, expected float inputs or a scale; give --scale (1 for raw values), or state it "
            f"in a card beside the model: {model_name.rsplit('.', 1)[0]}.yaml"
        )
    preprocess = preprocess or Preprocess()
    shape = preprocess.apply(data.fetch(np.zeros(1, dtype=np.int64))).shape
    fits = len(shape) == len(expected) and all(
        want is None or have == want for have, want in zip(shape[1:], expected[1:], strict=True)
    )
    if not fits:
        want_text = [axis if axis is not None else "any" for axis in expected[1:]]
        raise DataError(
            f"{data.name}: found samples that become inputs of shape {list(shape[1:])}, expected "
            f"{want_text} for {model_name}; check data_layout and model_layout in the card or the "
            "options"
        )
    return preprocess
