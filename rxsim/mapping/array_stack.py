"""Arrays of a layer that have the same size, their cells side by side in memory.

Work on thousands of small arrays is quick where numpy takes many of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rxsim.mapping.arrays import PhysicalArray


@dataclass(frozen=True, slots=True, eq=False)
class ArrayStack:
    """Arrays of the same size.

    Attributes:
        arrays: the arrays; their targets and open cells are parts of the next two.
        target: target conductances, siemens, float64 (arrays, n_rows, n_cols).
        blank: bool (arrays, n_rows, n_cols), cells that are left open.
    """

    arrays: tuple[PhysicalArray, ...]
    target: np.ndarray
    blank: np.ndarray

    @staticmethod
    def of(arrays: Sequence[PhysicalArray]) -> ArrayStack:
        """Lay arrays side by side; a single one is not copied."""
        if len(arrays) == 1:
            return ArrayStack(tuple(arrays), arrays[0].target[None], arrays[0].blank[None])
        target = np.stack([array.target for array in arrays])
        return ArrayStack(tuple(arrays), target, np.stack([array.blank for array in arrays]))
