"""Yield: which share of all chips loses at most so much, from the chips that were drawn.

The chips are independent draws, and their losses have no known distribution: the statements are exact
for any (docs/concepts/statistics.md). They hold for these images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rxsim.errors import InputError
from rxsim.metrics import Metric, all_metrics, chosen_metric
from rxsim.pipeline.ladder.rung import Rung
from rxsim.statistics import (
    LEVEL,
    Interval,
    fewest_for,
    rank_that_bounds,
    share_at_least,
    share_interval,
)

SHARE = 0.95
"""The share of chips whose loss is to be bounded."""
_ROUNDING = 1e-9  # of a share of images: two decimal numbers and their difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """With 95 % confidence at least `share` of all chips lose at most `loss`.

    Attributes:
        share: of all chips.
        loss: in the unit of the metric's figures, such as points.
        rank: the loss is that of the chip with this rank, the best chip being 1.
    """

    share: float
    loss: float
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WithinLimit:
    """How many chips lose at most a limit.

    Attributes:
        limit: in the unit of the metric's figures.
        chips: how many of the drawn ones.
        share: their share, with its 95 % interval (Clopper and Pearson).
        at_least: share of all chips that is reached with 95 % confidence (one-sided).
    """

    limit: float
    chips: int
    share: Interval
    at_least: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipYield:
    """The losses of drawn chips against the float network, and what they say about others.

    Attributes:
        rung: whose chips.
        metric: name of the metric; for agreement the float network has 1.
        chips: how many were drawn.
        bound: of the ordered losses, that which bounds 95 % of all chips; with fewer than 59 chips the
            worst chip's loss and the share that it bounds.
        worst: the largest loss, as a bound.
        within: the chips within a limit; None where none was asked for.
    """

    rung: str
    metric: str
    chips: int
    bound: Bound
    worst: Bound
    within: WithinLimit | None

    @property
    def fewest(self) -> int:
        """Return the chips that bounding 95 % of all takes."""
        return fewest_for(SHARE)

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        within = self.within
        limited = None
        if within is not None:
            limited = {
                "limit": within.limit,
                "chips": within.chips,
                "share": within.share.mean,
                "interval": [within.share.low, within.share.high],
                "at_least": within.at_least,
            }
        return {
            "rung": self.rung,
            "metric": self.metric,
            "unit": all_metrics()[self.metric].unit,
            "chips": self.chips,
            "confidence": LEVEL,
            "at_least_share": self.bound.share,
            "lose_at_most": self.bound.loss,
            "worst": {"at_least_share": self.worst.share, "loses": self.worst.loss},
            "chips_for_95_percent": self.fewest,
            "within": limited,
            "interval_method": "clopper-pearson",
        }


def loss_limit(limit: float | None) -> float | None:
    """Take the loss of `yield_at` as users give it.

    Raises:
        InputError: it is no finite number from 0 on.
    """
    if limit is not None and not (math.isfinite(limit) and limit >= 0):
        raise InputError(
            f"yield-at: found {limit:g}, expected a finite number from 0 on, such as 1 (points "
            "of accuracy)"
        )
    return limit


def losses(rung: Rung, floating: Rung, option: str) -> tuple[str, np.ndarray] | None:
    """Return each chip's loss against the float network, in the unit of figures.

    Args:
        rung: the chips.
        floating: the float network.
        option: what `--metric` says.

    Returns:
        The metric's name, and float64 (chips,); None where neither the metric nor agreement was
        measured.
    """
    for name in (chosen_metric(option), "agreement"):
        if name is None:
            continue
        reference = floating.trials[0].mean(name)
        values = [run.mean(name) for run in rung.trials]
        known = [value for value in values if value is not None]
        if reference is not None and len(known) == len(values):
            metric: Metric = all_metrics()[name]
            lost = (reference - np.array(known)) * metric.factor
            return name, (lost if metric.higher_is_better else -lost) + 0.0  # no -0.0
    return None


def chip_yield(
    rung: Rung, floating: Rung, option: str, limit: float | None = None
) -> ChipYield | None:
    """Say what the losses of drawn chips tell about all chips.

    Args:
        rung: the chips, each a draw of its own.
        floating: the float network.
        option: what `--metric` says.
        limit: a loss in the unit of figures, for the share of chips within it.

    Returns:
        None for fewer than two chips, or where nothing is measured that a chip could lose.
    """
    measured = losses(rung, floating, option)
    if measured is None or len(measured[1]) < 2:
        return None
    name, lost = measured
    ordered, chips = np.sort(lost), len(lost)
    worst = Bound(share=share_at_least(chips, chips), loss=float(ordered[-1]), rank=chips)
    rank = rank_that_bounds(SHARE, chips)
    bound = worst
    if rank is not None:
        bound = Bound(share=share_at_least(rank, chips), loss=float(ordered[rank - 1]), rank=rank)
    within = None
    if limit is not None:
        slack = _ROUNDING * all_metrics()[name].factor if all_metrics()[name].counted else 0.0
        count = int(np.count_nonzero(lost <= limit + slack))
        within = WithinLimit(
            limit=limit,
            chips=count,
            share=share_interval(count, chips),
            at_least=share_at_least(count, chips),
        )
    return ChipYield(
        rung=rung.name, metric=name, chips=chips, bound=bound, worst=worst, within=within
    )
