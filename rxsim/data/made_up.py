"""Made-up inputs for a network without data: seeded, and of values that its inputs can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from rxsim.data.placing import placed
from rxsim.seeds import Sample, sample_generator

Fill = Literal["normal", "below", "count", "same"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the values of an input are made up.

    Attributes:
        fill: normal: standard normal; below: whole numbers from 0 to below `number`; count: 0, 1, 2 ..
            along the last axis, from 0 again after `number`; same: `number` everywhere.
        shape: of one input, without the batch axis.
        dtype: its type.
        number: see `fill`; an array where not all values are the same.
        axis: the batch axis; None where the input is fed whole.
        whole: whether all inputs share it.
    """

    fill: Fill
    shape: tuple[int, ...]
    dtype: np.dtype
    number: float | np.ndarray = 0
    axis: int | None = 0
    whole: bool = False

    def values(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return the values for some inputs, (count, *shape)."""
        shape = (count, *self.shape)
        if self.fill == "normal":
            return rng.standard_normal(shape, dtype=np.float32).astype(self.dtype)
        if self.fill == "below":
            return rng.integers(0, int(self.number), shape).astype(self.dtype)
        if self.fill == "count":
            places = np.arange(self.shape[-1] if self.shape else 1) % int(self.number)
            return np.broadcast_to(places if self.shape else places[0], shape).astype(self.dtype)
        return np.broadcast_to(np.asarray(self.number), shape).astype(self.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class MadeUpInputs:
    """Random inputs in memory.

    Attributes:
        tensors: values by tensor name, first axis the input.
        batch_axes: where the network wants the batch, by tensor name, where it is not the first axis;
            None for an input without a batch.
        whole: tensors that all inputs share, fed whatever the batch.
        labels: None, for made-up inputs have none.
    """

    tensors: Mapping[str, np.ndarray]
    batch_axes: Mapping[str, int | None] = field(default_factory=dict)
    whole: Mapping[str, np.ndarray] = field(default_factory=dict)
    labels: None = None

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def subset(self, positions: np.ndarray) -> MadeUpInputs:
        """Return the inputs at some positions."""
        return replace(self, tensors={name: t[positions] for name, t in self.tensors.items()})

    def feeds(self, start: int, stop: int, size: int | None = None) -> dict[str, np.ndarray]:
        """Return the inputs from position `start` up to `stop`, by tensor name.

        Args:
            start: the first.
            stop: the one after the last.
            size: repeat the last one until there are so many.
        """
        values = {name: tensor[start:stop] for name, tensor in self.tensors.items()}
        return {**placed(values, self.batch_axes, size), **self.whole}


def made_up_inputs(
    recipes: Mapping[str, Recipe], count: int, *, calibration: bool, seed: int
) -> MadeUpInputs:
    """Make up inputs.

    Args:
        recipes: for each input tensor how; one of them at least is not shared by all inputs.
        count: number of inputs.
        calibration: whether these are the calibration inputs, which differ from the evaluated ones,
            but for tensors that all inputs share.
        seed: the seed.
    """
    kind = Sample.MADE_UP_CALIBRATION if calibration else Sample.MADE_UP_EVALUATION
    rng = sample_generator(seed, kind)
    shared = sample_generator(seed, Sample.MADE_UP_SHARED)
    tensors, whole = {}, {}
    for name, recipe in recipes.items():
        if recipe.whole:
            whole[name] = np.asarray(recipe.values(1, shared)[0])
        else:
            tensors[name] = recipe.values(count, rng)
    axes = {name: recipe.axis for name, recipe in recipes.items() if recipe.axis != 0}
    return MadeUpInputs(tensors, axes, whole)
