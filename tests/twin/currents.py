"""Currents, or anything else that every readout of a layer has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from twin.arrays import Tensor


@dataclass
class Currents:
    """One array for each row tile.

    Attributes:
        main: Of outputs: shape (S, R, G, M, N); matrices have K_p in place of M.
        reference: Of reference columns that are converted by themselves: shape (S, G, M, Q); empty
            where there are none.
    """

    main: list[Tensor]
    reference: list[Tensor] = field(default_factory=list)

    def map(self, change: Callable[[Tensor], Tensor]) -> Currents:
        """Return what a function makes of each of the arrays."""
        return Currents([change(a) for a in self.main], [change(a) for a in self.reference])

    def summed(self) -> Currents:
        """Return the sum over the row tiles as the only row tile."""
        reference = [np.sum(self.reference, axis=0)] if self.reference else []
        return Currents([np.sum(self.main, axis=0)], reference)

    def filled(self, value: float) -> Currents:
        """Return the same shapes with M = 1 and one value."""
        return Currents(
            [np.full_like(part[..., :1, :], value) for part in self.main],
            [np.full_like(part[..., :1, :], value) for part in self.reference],
        )


def each(make: Callable[..., Tensor], *given: Currents) -> Currents:
    """Return what a function makes of the same parts of some currents.

    Args:
        make: Called with the parts, the number of the row tile, and whether they are of outputs.
        given: Currents of equal structure.
    """
    main = zip(*(currents.main for currents in given), strict=True)
    reference = zip(*(currents.reference for currents in given), strict=True)
    return Currents(
        [make(*parts, p, True) for p, parts in enumerate(main)],
        [make(*parts, p, False) for p, parts in enumerate(reference)],
    )
