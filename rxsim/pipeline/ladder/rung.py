"""One rung of the ladder: its runs, and their numbers with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxsim.errors import InputError
from rxsim.metrics import Metric, all_metrics
from rxsim.run import Scores
from rxsim.statistics import (
    Method,
    bounds_of,
    chip_interval,
    chip_method,
    population_interval,
    population_method,
    within,
)


@dataclass(frozen=True, slots=True, eq=False)
class Rung:
    """One rung of the ladder: one run, or one a chip.

    Attributes:
        name: float32, weights, ideal, nonideal, compensated, or that of another scenario.
        trials: scores of each run.
    """

    name: str
    trials: tuple[Scores, ...]

    def table(self, name: str) -> np.ndarray | None:
        """Return a metric of every run and input, (runs, inputs); None where it was not measured.

        Raises:
            InputError: there is no metric of this name.
        """
        if name not in all_metrics():
            raise InputError(
                f"metric: found {name!r}, expected one of {', '.join(all_metrics())}; choose one of "
                "these"
            )
        parts = [part for run in self.trials if (part := run.each(name)) is not None]
        return np.stack(parts) if parts else None

    def summary(self) -> dict[str, Any]:
        """Return the rung's numbers by name."""
        values: dict[str, Any] = {"trials": len(self.trials)}
        for name, metric in all_metrics().items():
            if metric.kind == "whole":
                values[name] = _whole([run.mean(name) for run in self.trials])
            else:
                table = self.table(name)
                values[name] = None if table is None else _statistics(table, metric)
        return values

    def methods(self, name: str) -> dict[str, Method | None] | None:
        """Name the methods of both intervals of a metric of each input; None where it has none.

        Raises:
            InputError: there is no metric of this name.
        """
        if all_metrics()[name].kind == "whole":
            return None
        table = self.table(name)
        if table is None:
            return None
        return {"these_images": chip_method(len(table)), "new_images": population_method(table)}


def _statistics(table: np.ndarray, metric: Metric) -> dict[str, Any]:
    """Mean, spread over chips, and both intervals of a metric of each input, (chips, inputs)."""
    chips = table.mean(axis=1)
    these, new = chip_interval(chips), population_interval(table)
    return {
        "mean": float(chips.mean()),
        "std": float(chips.std(ddof=1)) if len(chips) > 1 else None,
        "interval_these_images": bounds_of(within(these, metric.low, metric.high)),
        "interval_new_images": bounds_of(within(new, metric.low, metric.high)),
        "per_trial": chips.tolist(),
    }


def _whole(each: list[float | None]) -> dict[str, Any] | None:
    """Mean and single values of a metric that is one number a run; None where it was not measured."""
    values = [value for value in each if value is not None]
    if not values:
        return None
    return {
        "mean": plain_value(_mean(values)),
        "per_trial": [plain_value(value) for value in values],
    }


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if all(map(math.isfinite, values)) else values[0]


def plain_value(value: Any) -> Any:
    """Write an infinite ratio (no noise at all) as null: JSON has no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
