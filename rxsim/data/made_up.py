"""Made-up inputs for a network without data: seeded standard-normal tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rxsim.seeds import Sample, sample_generator


@dataclass(frozen=True, slots=True, eq=False)
class MadeUpInputs:
    """Random inputs in memory; `labels` is None, for made-up inputs have none."""

    tensors: Mapping[str, np.ndarray]
    labels: None = None

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def subset(self, positions: np.ndarray) -> MadeUpInputs:
        """Return the inputs at some positions."""
        return MadeUpInputs({name: tensor[positions] for name, tensor in self.tensors.items()})

    def feeds(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Return the inputs from position `start` up to `stop`, by tensor name."""
        return {name: tensor[start:stop] for name, tensor in self.tensors.items()}


def made_up_inputs(
    shapes: Mapping[str, tuple[int, ...]],
    dtypes: Mapping[str, np.dtype],
    count: int,
    *,
    calibration: bool,
    seed: int,
) -> MadeUpInputs:
    """Draw inputs from a standard normal distribution.

    Args:
        shapes: for each input tensor its shape without the batch axis.
        dtypes: for each input tensor its type (floating point).
        count: number of inputs.
        calibration: whether these are the calibration inputs, which differ from the evaluated ones.
        seed: the seed.
    """
    kind = Sample.MADE_UP_CALIBRATION if calibration else Sample.MADE_UP_EVALUATION
    rng = sample_generator(seed, kind)
    tensors = {
        name: rng.standard_normal((count, *shape), dtype=np.float32).astype(dtypes[name])
        for name, shape in shapes.items()
    }
    return MadeUpInputs(tensors)
