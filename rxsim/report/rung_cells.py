"""The numbers of a rung as cells of a table on the terminal."""

from __future__ import annotations

import math
from typing import Any

from rxsim.metrics import Metric


def main_cells(values: dict[str, Any]) -> list[str]:
    """Write a metric with its spread and both intervals: mean, std, these images, new images."""
    return [
        f"{values['mean']:z.4f}",
        "-" if values["std"] is None else f"{values['std']:.4f}",
        bounds_text(values["interval_these_images"]),
        bounds_text(values["interval_new_images"]),
    ]


def mean_cell(values: dict[str, Any] | None, metric: Metric) -> str:
    """Write the mean of a metric; a dash where it was not measured."""
    mean = None if values is None else values["mean"]
    if metric.unit == "dB":
        return decibel(mean)
    return "-" if mean is None else metric.text(mean)


def bounds_text(bounds: list[float] | None) -> str:
    """Write an interval."""
    return "-" if bounds is None else f"{bounds[0]:z.4f} .. {bounds[1]:z.4f}"


def decibel(value: float | None) -> str:
    """Write a ratio in decibel; None or infinite: there is no noise."""
    return "inf" if value is None or not math.isfinite(value) else f"{value:z.1f}"
