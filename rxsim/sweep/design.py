"""The design of a sweep: which combinations of axis values become points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from rxsim.errors import SettingError
from rxsim.seeds import design_generator
from rxsim.sweep.axes import Axis

Design = Literal["grid", "zip", "random", "sobol"]
MOST_POINTS = 1_000_000


def assignments(
    axes: Sequence[Axis], design: Design, points: int | None, seed: int
) -> list[dict[str, Any]]:
    """List the settings of each point of a sweep, by dotted name.

    Args:
        axes: the axes; the last one varies fastest in a grid.
        design: grid (every combination), zip (all axes side by side), random or sobol.
        points: number of points of a random or sobol design; None for the others.
        seed: seed of random points and of the Sobol sequence's scrambling.

    Raises:
        SettingError: the axes do not fit the design.
    """
    if not axes:
        return [{}]
    if design in ("random", "sobol"):
        if points is None:
            raise SettingError(f"points is missing, expected how many points {design} is to draw")
        return _drawn(axes, design, points, seed)
    if points is not None:
        raise SettingError(f"points: found {points}, expected it with design: random or sobol only")
    for axis in axes:
        if axis.is_drawn:
            raise SettingError(
                f"axes.{', '.join(axis.names)}: found uniform or loguniform with design: {design}, "
                "expected listed values; use linspace or logspace, or design: random"
            )
    lists = [axis.listed() for axis in axes]
    if design == "zip":
        lengths = sorted({len(values) for values in lists})
        if len(lengths) > 1:
            raise SettingError(
                f"axes: found lists of {' and '.join(map(str, lengths))} values with design: zip, "
                "expected lists of one length"
            )
        return [_merged(values) for values in zip(*lists, strict=True)]
    count = math.prod(map(len, lists))
    if count > MOST_POINTS:
        raise SettingError(
            f"axes: found {count:,} combinations, expected at most {MOST_POINTS:,}; shorten an axis, "
            "or use design: sobol with points"
        )
    return [_merged(values) for values in itertools.product(*lists)]


def _drawn(axes: Sequence[Axis], design: str, points: int, seed: int) -> list[dict[str, Any]]:
    rng = design_generator(seed)
    if design == "random":
        places = rng.random((points, len(axes)))
    else:
        from scipy.stats import qmc  # takes a second to import, and few sweeps need it

        # Drawing a power of two keeps the sequence balanced; its first points are taken.
        sequence = qmc.Sobol(len(axes), scramble=True, rng=rng)
        places = sequence.random_base2(max(math.ceil(math.log2(points)), 0))[:points]
    return [
        _merged([axis.drawn(float(u)) for axis, u in zip(axes, row, strict=True)])
        for row in np.asarray(places)
    ]


def _merged(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}
