"""The verdict on pairs of hits: the gate's, but where no hit differs and where only these images count.

Where no hit differs on n images, the share that differs is at most 1 - level^(1/n) with the confidence
1 - level (Clopper and Pearson, Biometrika 26, 1934), and a drop is no larger. A verdict on these very
images takes chips as the only sample: Student's t over their differences; where nothing is random the
difference is exact.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import Field
from scipy import special

from rxsim.comparison.pairs import Pairs
from rxsim.gate import Drop, Level, Share, Verdict, judge, measure_drop
from rxsim.schema import Section, validated

_MOST_CHIPS = 10_000


class Criteria(Section):
    """What the verdict is judged by; level and smallest drop are the gate's numbers."""

    level: Level = Field(0.01, description="chance that noise alone is called a regression")
    smallest_drop: Share = Field(0.01, description="smallest drop that matters: 0.01 is one point")
    these_images: bool = Field(False, description="whether only these images count, not new ones")


def read_criteria(
    level: Any = None, smallest_drop: Any = None, these_images: Any = None
) -> Criteria:
    """Check the numbers of the verdict; percent as text too.

    Raises:
        SettingError: naming the number.
    """
    given = {"level": level, "smallest_drop": smallest_drop, "these_images": these_images}
    return validated(Criteria, {name: v for name, v in given.items() if v is not None}, "compare")


def judge_pairs(pairs: Pairs, criteria: Criteria) -> Verdict:
    """Return the verdict on the change from the first side to the second.

    Args:
        pairs: hits of both sides.
        criteria: level, smallest drop, and whether only these images count.
    """
    level, smallest = float(criteria.level), float(criteria.smallest_drop)
    drop = measure_drop(pairs.first, pairs.second, level, smallest)
    if criteria.these_images:
        return _of_these_images(drop, pairs, level, smallest)
    if drop.differing == 0:
        return _unchanged(drop, level, smallest, drop.images, None)
    (verdict,) = judge([drop], level, [smallest])
    return verdict


def images_without_change(level: float, smallest: float) -> int:
    """Return how many samples without a difference rule a drop out: 1 - level^(1/n) is below it."""
    return math.floor(math.log(level) / math.log1p(-smallest)) + 1


def _unchanged(
    drop: Drop, level: float, smallest: float, samples: int, images: int | None
) -> Verdict:
    """Judge hits that are all the same, on so many independent samples.

    Args:
        drop: of nil.
        level: of the bound.
        smallest: the smallest drop that matters.
        samples: images, or chips.
        images: evaluated, where samples are chips; None where samples are images.
    """
    unseen = 1 - level ** (1 / samples)
    count = images_without_change(level, smallest)
    needed = (drop.chips, count) if images is None else (count, images)
    passes = unseen < smallest
    return Verdict(
        outcome="passed" if passes else "undecided",
        drop=replace(drop, low=-unseen, high=unseen),
        smallest=smallest,
        p=1.0,
        improved=False,
        needed=None if passes else needed,
    )


def _of_these_images(drop: Drop, pairs: Pairs, level: float, smallest: float) -> Verdict:
    """Judge by the spread over chips alone."""
    each = pairs.first.mean(axis=1) - pairs.second.mean(axis=1)
    chips = len(each)
    if pairs.drawn and drop.differing == 0:
        return _unchanged(drop, level, smallest, chips, drop.images)
    # Of a single chip, and of chips that came out alike, nothing tells how far others differ.
    is_unknown = pairs.drawn and (chips < 2 or float(np.ptp(each)) == 0)
    if is_unknown:
        drop = replace(drop, low=-1.0, high=1.0, p_worse=1.0, p_better=1.0)
    elif pairs.drawn:
        error = float(each.std(ddof=1)) / math.sqrt(chips)
        half = -float(special.stdtrit(chips - 1, level)) * error
        worse = float(special.stdtr(chips - 1, -drop.mean / error))
        low, high = drop.mean - half, drop.mean + half
        drop = replace(drop, low=low, high=high, p_worse=worse, p_better=1 - worse)
    else:
        worse, better = (0.0 if part > 0 else 1.0 for part in (drop.mean, -drop.mean))
        drop = replace(drop, low=drop.mean, high=drop.mean, p_worse=worse, p_better=better)
    (verdict,) = judge([drop], level, [smallest])
    needed = None
    if verdict.outcome == "undecided" and not is_unknown:
        # As the gate: bounds less than half of the smallest drop away decide any drop.
        count = math.ceil(chips * ((drop.high - drop.mean) / (smallest / 2)) ** 2)
        needed = (max(count, chips + 1), drop.images) if count <= _MOST_CHIPS else None
    return replace(verdict, needed=needed)
