"""Metrics: what a run of a network is measured by, one file each.

A metric is a file of this folder that holds a `Metric` named METRIC. The file's name is the metric's
name: in JSON, as a column of results files, and where a figure or a table is asked for it. To add a
metric is to add a file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import numpy as np

from rxsim.folders import Folder

Kind = Literal["hits", "each", "whole"]
Truth = Literal["classes", "values", "none"]
NO_METRIC = "none"
"""What `--metric` says where nothing is to be compared with the truth."""


@dataclass(frozen=True, eq=False, kw_only=True)  # no slots: cached properties need a __dict__
class RunOutputs:
    """What a metric is computed from: one run of a network over all inputs.

    Attributes:
        outputs: float32 (inputs, values).
        reference: the float network's outputs, of the same shape.
        classes: the right class of each input, int64 (inputs,); None without labels.
        targets: the right outputs, float64 (inputs, values); None without targets.
        asked: what `--metric` says.
    """

    outputs: np.ndarray
    reference: np.ndarray
    classes: np.ndarray | None
    targets: np.ndarray | None
    asked: str

    @cached_property
    def predictions(self) -> np.ndarray:
        """The largest output of each input, int64 (inputs,)."""
        return np.asarray(self.outputs.argmax(axis=1))

    @cached_property
    def signal(self) -> np.ndarray:
        """The float network's outputs as float64, (inputs, values)."""
        return self.reference.astype(np.float64)

    @cached_property
    def noise(self) -> np.ndarray:
        """The float network's outputs less the outputs, float64 (inputs, values)."""
        return np.asarray(self.signal - self.outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One way to measure a run.

    Attributes:
        title: heading of its column on the terminal.
        label: what it is called on an axis of a figure.
        measure: computes it from a run: bool (inputs,) for hits, float64 (inputs,) for each, a float
            for whole. None: it says nothing here.
        kind: hits: right or wrong for each input; each: a number for each input; whole: one number
            for all inputs. What is known for each input gets confidence intervals.
        truth: what must be known: classes (labels), values (targets), or none (it compares with the
            float network). Without it the metric is not computed.
        option: what `--metric` calls it; None: it can't be chosen there.
        unit: of the numbers in figures.
        factor: from a value to the number in figures, such as 100 for percent.
        low: smallest value.
        high: largest value.
        higher_is_better: which way is good.
        decimals: of a plain value; None: four significant digits.
        counted: a share of the inputs, which is the same on every machine; others may differ by
            rounding.
        in_ladder: whether the ladder on the terminal has a column for it.
        title_beside: heading beside another chosen metric; the title where left out.
        place: metrics stand in this order, and by name.
    """

    title: str
    label: str
    measure: Callable[[RunOutputs], np.ndarray | float | None]
    kind: Kind
    truth: Truth
    option: str | None = None
    unit: str = ""
    factor: float = 1.0
    low: float = -math.inf
    high: float = math.inf
    higher_is_better: bool = True
    decimals: int | None = 4
    counted: bool = False
    in_ladder: bool = True
    title_beside: str = ""
    place: int = 100

    def text(self, value: float) -> str:
        """Write a plain value."""
        return f"{value:z.4g}" if self.decimals is None else f"{value:z.{self.decimals}f}"

    def figure_text(self, value: float) -> str:
        """Write a value as it stands in figures, times the factor, without the unit."""
        scaled = value * self.factor
        if self.decimals is None:
            return f"{scaled:z.4g}"
        return f"{scaled:z.{max(self.decimals - round(math.log10(self.factor)), 0)}f}"


@cache
def all_metrics() -> Mapping[str, Metric]:
    """Return every metric by its name, in their order."""
    metrics = Folder[Metric]("rxsim.metrics", "METRIC").all()
    return dict(sorted(metrics.items(), key=lambda item: (item[1].place, item[0])))


@cache
def metric_options() -> tuple[str, ...]:
    """List what `--metric` may say."""
    options = (metric.option for metric in all_metrics().values())
    return (*(option for option in options if option is not None), NO_METRIC)


@cache
def hit_options() -> tuple[str, ...]:
    """List what `--metric` may say where hits are to be counted."""
    hits = (metric for metric in all_metrics().values() if metric.kind == "hits")
    return tuple(metric.option for metric in hits if metric.option is not None)


def chosen_metric(option: str) -> str | None:
    """Return the name of the metric that `--metric` means; None for none and for unknown ones."""
    return next((name for name, metric in all_metrics().items() if metric.option == option), None)


def truth_for(option: str) -> Truth:
    """Return what the data must hold for what `--metric` says."""
    name = chosen_metric(option)
    return "none" if name is None else all_metrics()[name].truth
