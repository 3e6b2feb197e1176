"""The verdict of the gate: is the accuracy lower than the baseline's, as far as samples can tell?

The verdict judges a table of paired differences d[c, i] = baseline's hit - new hit, for the same chip
number c and the same image i: +1 where an image is lost, -1 where one is gained. Chips and images are
both samples: the mean drop has the variance of docs/concepts/model.md section 8. Two tests use it:

- Is there a drop at all? The null hypothesis is that there is none. Its p-value is the largest of
  Student's t (see `_scales`) and of an exact sign-flip test over images: the first is wrong for a
  handful of images that differ, the second for chips that differ, and both have to reject.
- May the drop be as large as the smallest drop that matters? The upper bound answers. A true drop of D
  loses at least the share D of all images, so its variance per image is at least D (1 - D). No smaller
  variance is taken, or else a few images would pass any change.

A regression is a drop that is proven (after Holm's correction for the number of cases) and may
matter. A case passes if its drop can't matter. All other cases are undecided: they need more images
or chips.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

Outcome = Literal["passed", "regression", "undecided"]

_EXACT = 1000
"""With more differing images the sign-flip test uses the normal law, which is good to 1e-3 then."""
_MOST_CHIPS = 1000
_MOST_IMAGES = 10**8


@dataclass(frozen=True, slots=True)
class Variances:
    """Components of the variance of a difference d[c, i].

    Attributes:
        chip: between chips, the same for every image.
        image: between images, the same for every chip.
        rest: of a single chip on a single image.
    """

    chip: float
    image: float
    rest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """How far the accuracy fell, as a share (0.01 is one point); negative: it rose.

    Attributes:
        mean: mean drop over chips and images.
        low: one-sided lower bound at the chosen level.
        high: one-sided upper bound at the chosen level.
        p_worse: p-value of "there is no drop".
        p_better: p-value of "there is no rise".
        differing: pairs of chip and image whose hit changed.
        worse: images that lost hits, over all chips.
        better: images that gained hits, over all chips.
        chips: rows of the table; 1 also where all chips are the same.
        images: columns of the table.
        variances: components of the variance.
    """

    mean: float
    low: float
    high: float
    p_worse: float
    p_better: float
    differing: int
    worse: int
    better: int
    chips: int
    images: int
    variances: Variances


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict on a case.

    Attributes:
        outcome: passed, regression or undecided.
        drop: the drop and its bounds.
        smallest: the smallest drop that matters.
        p: p-value of "there is no drop", corrected for the number of cases (Holm).
        improved: whether a rise is proven at the level (for this case alone).
        needed: numbers of chips and images that would decide; None where none are needed or suffice.
    """

    outcome: Outcome
    drop: Drop
    smallest: float
    p: float
    improved: bool
    needed: tuple[int, int] | None


def measure_drop(before: np.ndarray, after: np.ndarray, level: float, smallest: float) -> Drop:
    """Compare two tables of hits, chip by chip and image by image.

    Args:
        before: the baseline's hits, bool (chips, images); one row where all chips are the same.
        after: the new hits, likewise.
        level: level of each one-sided bound, such as 0.01.
        smallest: the smallest drop that matters, a share; `high` is compared with it.
    """
    difference = before.astype(np.int8) - after.astype(np.int8)
    chips, images = difference.shape
    sums = difference.sum(axis=0, dtype=np.int64)
    mean = float(sums.sum()) / (chips * images)
    variances, scales = _scales(difference)
    floor = math.sqrt(smallest * (1 - smallest) / images)
    below = max(_t(level, freedom) * error for error, freedom in scales)
    # The floor takes the degrees of freedom of the images: no chip could make it smaller.
    above = max(below, _t(level, max(images - 1, 1)) * floor)
    return Drop(
        mean=mean,
        low=mean - below,
        high=mean + above,
        p_worse=_p_value(mean, scales, sums),
        p_better=_p_value(-mean, scales, -sums),
        differing=int(np.count_nonzero(difference)),
        worse=int((sums > 0).sum()),
        better=int((sums < 0).sum()),
        chips=chips,
        images=images,
        variances=variances,
    )


def judge(drops: Sequence[Drop], level: float, smallest: Sequence[float]) -> list[Verdict]:
    """Return the verdict of each case, corrected for the number of cases of a file.

    A case passes where no hit differs, however few its images are: a program that is compared with
    itself must not be asked for more data.

    Args:
        drops: measured at the same level, each with its smallest drop.
        level: the chance that any case is called a regression while no accuracy fell.
        smallest: the smallest drop that matters, for each case.
    """
    corrected = holm([drop.p_worse for drop in drops])
    verdicts = []
    for drop, p, least in zip(drops, corrected, smallest, strict=True):
        outcome: Outcome = "undecided"
        if drop.differing == 0 or drop.high < least:
            outcome = "passed"
        elif p <= level:
            outcome = "regression"
        # Bounds less than half of it away decide any drop.
        is_open = outcome == "undecided"
        needed = samples_needed(drop, level, least, least / 2) if is_open else None
        verdicts.append(
            Verdict(
                outcome=outcome,
                drop=drop,
                smallest=least,
                p=p,
                improved=drop.p_better <= level,
                needed=needed,
            )
        )
    return verdicts


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number (Holm, Scand. J. Stat. 6, 1979): step-down Bonferroni."""
    corrected = [1.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def samples_needed(
    drop: Drop, level: float, smallest: float, distance: float
) -> tuple[int, int] | None:
    """Return numbers of chips and images for which both bounds come nearer to the mean than a distance.

    Chips are added only where no number of images suffices with the present chips.

    Args:
        drop: what was measured.
        level: level of each one-sided bound.
        smallest: the smallest drop that matters, as `measure_drop` took it.
        distance: of the bounds from the mean, above 0.

    Returns:
        None where no numbers suffice.
    """
    for chips in _more_chips(drop.chips):
        if _half(drop, level, smallest, chips, _MOST_IMAGES) >= distance:
            continue
        few, many = 1, _MOST_IMAGES
        while many - few > 1:
            middle = (few + many) // 2
            if _half(drop, level, smallest, chips, middle) < distance:
                many = middle
            else:
                few = middle
        return chips, _rounded_up(many)
    return None


def sign_flip_p(sums: np.ndarray) -> float:
    """P-value of an exact one-sided sign-flip test: would chance give a total as large?

    Under the null hypothesis an image is as likely worse as better by the same amount. With one chip
    this is McNemar's exact test (a sign test over the images that differ), with several the images
    count by the number of chips on which they differ (Fisher, The Design of Experiments, 1935,
    section 21).

    Args:
        sums: net hits that each image lost over all chips, integers (images,).
    """
    sizes = np.abs(sums[sums != 0])
    total = int(sums.sum())
    if len(sizes) == 0:
        return 1.0
    if len(sizes) > _EXACT:
        # Totals are whole numbers and two apart for odd sizes; half a step is the usual correction.
        spread = math.sqrt(float(np.square(sizes.astype(np.float64)).sum()))
        return float(special.ndtr((0.5 - total) / spread))
    shared = int(np.gcd.reduce(sizes))  # above 1 where chips are alike
    sizes, total = sizes // shared, total // shared
    # chances[k]: that the positive sizes add up to k; the total is then 2 k minus their sum.
    chances = np.ones(1)
    for size in sizes:
        longer = np.zeros(len(chances) + int(size))
        longer[: len(chances)] = chances
        longer[size:] += chances
        chances = longer / 2
    return min(1.0, float(chances[(total + int(sizes.sum())) // 2 :].sum()))


def _p_value(mean: float, scales: list[tuple[float, int | float]], sums: np.ndarray) -> float:
    """Return the largest p-value of the t tests and the sign-flip test: all have to reject."""
    if mean <= 0:
        return 1.0
    normal = max(
        float(special.stdtr(freedom, -mean / error)) if error > 0 else 0.0
        for error, freedom in scales
    )
    return max(normal, sign_flip_p(sums))


def _scales(table: np.ndarray) -> tuple[Variances, list[tuple[float, int | float]]]:
    """Return estimates of the mean's standard error, each with its degrees of freedom.

    The first is that of docs/concepts/model.md section 8, s_chip^2/C + s_img^2/I - s_resid^2/(C I),
    with degrees of freedom after Satterthwaite (Biometrics Bull. 2, 1946). An estimated difference can
    come out far too small, so its largest two parts are taken by themselves too: Student's t over chip
    means and over image means; and the variance of as many values of their own, below which no
    interval goes (`rxsim.statistics`). In simulation the first alone rejects up to 9 % of true nulls at
    a level of 1 % with two chips; the worst of all stays within the level (tests/test_gate_verdict.py).
    """
    chips, images = table.shape
    if images < 2:  # nothing is known about other images
        return Variances(0.0, 1.0, 0.0), [(1.0, 1)]
    image_means = table.sum(axis=0, dtype=np.int64) / chips
    image_part = float(np.var(image_means, ddof=1)) / images
    over_images = (math.sqrt(image_part), images - 1)
    if chips == 1:
        return Variances(0.0, image_part * images, 0.0), [over_images]
    chip_means = table.sum(axis=1, dtype=np.int64) / images
    chip_part = float(np.var(chip_means, ddof=1)) / chips
    freedom = (chips - 1) * (images - 1)
    # The sum of the squares of -1, 0 and 1 is the number of nonzero entries.
    about_mean = np.count_nonzero(table) - chips * images * float(image_means.mean()) ** 2
    between = chip_part * chips * (chips - 1) * images + image_part * images * (images - 1) * chips
    rest = max(about_mean - between, 0.0) / freedom
    variances = Variances(
        max(chip_part * chips - rest / images, 0.0),
        max(image_part * images - rest / chips, 0.0),
        rest,
    )
    least = max(about_mean, 0.0) / (table.size - 1) / table.size
    scales = [
        over_images,
        (math.sqrt(chip_part), chips - 1),
        (math.sqrt(least), images - 1),
    ]
    parts = [(chip_part, chips - 1), (image_part, images - 1), (-rest / (chips * images), freedom)]
    variance = sum(part for part, _ in parts)
    if variance > 0:
        scales.insert(0, (math.sqrt(variance), _freedom(parts)))
    return variances, scales


def _freedom(parts: Sequence[tuple[float, int]]) -> float:
    """Satterthwaite's degrees of freedom of a sum of variances, at least those of the smallest."""
    least = min(count for _, count in parts)
    squares = sum(part**2 / count for part, count in parts)
    return max(sum(part for part, _ in parts) ** 2 / squares, least) if squares > 0 else least


def _t(level: float, freedom: float) -> float:
    return -float(special.stdtrit(freedom, level))


def _more_chips(chips: int) -> Iterator[int]:
    """Yield numbers of chips, in steps of about a third; a single chip stands for all."""
    yield chips
    while 1 < chips < _MOST_CHIPS:
        chips += max(1, chips // 3)
        yield chips


def _half(drop: Drop, level: float, smallest: float, chips: int, images: int) -> float:
    """Predict the distance of the bounds from the mean for other numbers of chips and images."""
    variances = drop.variances
    rest = variances.rest / (chips * images)
    over_images = variances.image / images + rest
    floored = max(over_images, smallest * (1 - smallest) / images)
    half = -float(special.ndtri(level)) * math.sqrt(floored)
    if chips == 1:
        return half
    over_chips = variances.chip / chips + rest
    freedom = (chips - 1) * max(images - 1, 1)
    parts = [(over_chips, chips - 1), (over_images, max(images - 1, 1)), (-rest, freedom)]
    together = _t(level, _freedom(parts)) * math.sqrt(over_chips + over_images - rest)
    return max(half, together, _t(level, chips - 1) * math.sqrt(over_chips))


def _rounded_up(count: int) -> int:
    """Round up to two digits: it is an estimate."""
    step: int = 10 ** max(len(str(count)) - 2, 0)
    return -(-count // step) * step
