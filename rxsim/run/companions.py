"""Whether the inputs of a batch are independent: one input beside different companions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rxsim.errors import ModelError
from rxsim.session import Session

Feeds = Mapping[str, np.ndarray]
"""One input by tensor name: with a batch axis of length 1, or whole."""

# Assumption: the same input at the same place of an equally large batch is rounded the same way but for
# less than this share of the output's largest value.
_ROUNDING = 1e-5
# Assumption: at another place of the batch sums may be rounded otherwise, and rounding to integers may
# then differ by some steps, which stay below this share of the largest value.
_PLACES = 0.05
FREE_BATCH = 3
"""So many stand side by side where the batch is free: one before and one after that in question."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Companions:
    """Two different inputs that are run side by side.

    Attributes:
        session: of the network.
        output: the tensor that is looked at.
        one: the input in question.
        other: its companion.
        axes: the batch axis by tensor name; None for a tensor that is fed whole.
    """

    session: Session
    output: str
    one: Feeds
    other: Feeds
    axes: Mapping[str, int | None]

    def alike(self, size: int) -> np.ndarray:
        """Return the output for a batch of equal inputs."""
        return self._values([self.one] * size)

    def matters(self, size: int) -> bool:
        """Tell whether the output is another for batches of the one and of the other input."""
        other = self._values([self.other] * size)
        alike = self.alike(size)
        return other.shape == alike.shape and _largest(other - alike) > 0

    def independent(self, axis: int, batch: int | None) -> bool | None:
        """Tell whether an input's values are the same whatever stands beside it in the batch.

        Args:
            axis: the output's batch axis.
            batch: the batch size that the network prescribes; None where it is free.

        Returns:
            None where it can't be told: the network can't run such a batch, or gives other values, or
            values that are no numbers, each time.
        """
        size = batch or FREE_BATCH
        try:
            alike = self.alike(size)
            differs = self._differs(alike, axis, size)
            if differs and _largest(self.alike(size) - alike) > 0:
                return None  # it is random
        except (ModelError, ValueError):
            return None
        return None if differs is None else not differs

    def _differs(self, alike: np.ndarray, axis: int, size: int) -> bool | None:
        if alike.dtype.kind != "f" or axis >= alike.ndim or alike.shape[axis] != size:
            return None
        if not np.isfinite(alike).all():
            return None
        largest = _largest(alike)
        for place in [size // 2] if size > 2 else range(size):
            row = alike.take(place, axis=axis)
            if _largest(row - alike.take(0, axis=axis)) > _PLACES * largest:
                return True
            batch = [self.one if at == place else self.other for at in range(size)]
            beside_others = self._values(batch)
            if beside_others.shape != alike.shape:
                return None
            if not _largest(beside_others.take(place, axis=axis) - row) <= _ROUNDING * largest:
                return True
        return False

    def _values(self, batch: Sequence[Feeds]) -> np.ndarray:
        feeds = {
            name: tensor
            if self.axes.get(name, 0) is None
            else np.concatenate([one[name] for one in batch], axis=self.axes.get(name, 0) or 0)
            for name, tensor in self.one.items()
        }
        (values,) = self.session.run([self.output], feeds)
        return values


def _largest(values: np.ndarray) -> float:
    return float(np.abs(values.astype(np.float64)).max(initial=0))
