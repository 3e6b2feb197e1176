"""Curves over one quantity, as numbers: what a table prints and a figure draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Line:
    """A curve of a chart.

    Attributes:
        label: what it is.
        y: its values, (points,), in the chart's unit.
        spread: standard deviation of what is drawn around it, likewise; None: no spread.
    """

    label: str
    y: np.ndarray
    spread: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Chart:
    """Curves over one quantity.

    Attributes:
        title: what they show.
        x_label: the quantity along, with its unit; without, where it is a time.
        y_label: the quantity of the curves, with its unit.
        x: places of the points, (points,).
        seconds: whether the places are lengths of time, spread over decades.
        lines: the curves.
    """

    title: str
    x_label: str
    y_label: str
    x: np.ndarray
    seconds: bool = False
    lines: tuple[Line, ...]
