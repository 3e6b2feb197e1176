#!/usr/bin/env python
"""How often the other intervals hold what they are about: chips, shares, yield, differences, stopping.

    .venv/bin/python scripts/interval_coverage_more.py     # under two minutes

Everything is made up with a fixed seed, with the functions that `rxsim eval` and `rxsim compare` use.
scripts/interval_coverage.py does the same for new images.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from scipy import special

from rxsim.statistics import (
    Interval,
    chip_interval,
    difference_interval,
    population_interval,
    rank_that_bounds,
    share_at_least,
    share_interval,
)

POINTS, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
AT_LEAST, MOST = 10, 200  # of `rxsim eval --until-ci`


def holds(interval: Interval | None, truth: float) -> bool:
    """Tell whether an interval holds the truth."""
    return interval is not None and interval.low <= truth <= interval.high


def chips(tables: int, count: int, images: int = 360, spread: float = 0.5) -> float:
    """Student's t over chips, for these images: chips are drawn, the images stay in each table."""
    rng = np.random.default_rng([1, count, images])
    held = 0
    for _ in range(tables):
        images_odds = 3.5 + 3 * rng.standard_normal(images)
        truth = float(special.expit(images_odds[:, None] + spread * POINTS).mean(axis=0) @ WEIGHTS)
        odds = images_odds + spread * rng.standard_normal((count, 1))
        hits = rng.random(odds.shape) < special.expit(odds)
        held += holds(chip_interval(hits.mean(axis=1)), truth)
    return held / tables


def single_chip(tables: int, share: float, images: int) -> float:
    """Wilson's interval of a single chip, for new images."""
    rng = np.random.default_rng([2, images, round(1000 * share)])
    counts = rng.binomial(images, share, tables)
    held = 0
    for count in counts:
        held += holds(population_interval((np.arange(images) < count)[None]), share)
    return held / tables


def yield_share(tables: int, share: float, count: int) -> tuple[float, float]:
    """Clopper and Pearson for a share of chips: the interval, and the one-sided bound."""
    rng = np.random.default_rng([3, count, round(1000 * share)])
    good = rng.binomial(count, share, tables)
    both = np.mean([holds(share_interval(int(k), count), share) for k in good])
    return float(both), float(np.mean([share_at_least(int(k), count) <= share for k in good]))


def yield_bound(tables: int, share: float, count: int) -> float:
    """The ordered loss that bounds a share of all chips: losses are log-normal here."""
    rank = rank_that_bounds(share, count)
    assert rank is not None
    losses = np.sort(np.random.default_rng([4, count]).lognormal(size=(tables, count)), axis=1)
    below = special.ndtr(np.log(losses[:, rank - 1]))
    return float(np.mean(below >= share))


def differences(tables: int, count: int, images: int) -> float:
    """Paired differences on new images: two settings share images and draws of chips.

    A single chip is the only one there is: then chips do not differ.
    """
    rng = np.random.default_rng([5, count, images])
    means = 3.5, 3.2
    # What chips of both settings share, and what they do not.
    alone, apart = (0.3, 0.2) if count > 1 else (0.0, 0.0)
    truths = [
        float(special.expit(mean + np.sqrt(9 + alone**2 + apart**2) * POINTS) @ WEIGHTS)
        for mean in means
    ]
    held = 0
    for _ in range(tables):
        shared = 3 * rng.standard_normal(images) + alone * rng.standard_normal((count, 1))
        draws = rng.random((count, images))  # the same noise decides both
        before, after = (
            draws < special.expit(mean + shared + apart * rng.standard_normal((count, 1)))
            for mean in means
        )
        interval = difference_interval(after.astype(float) - before)
        held += holds(interval, truths[1] - truths[0])
    return held / tables


def stops(values: np.ndarray, half_width: float) -> np.ndarray:
    """Return after how many chips `--until-ci` stops, int64 (tables,).

    Args:
        values: of the chips, (tables, MOST).
        half_width: what is asked.
    """
    counts = np.arange(1, values.shape[1] + 1)
    means = np.cumsum(values, axis=1) / counts
    squares = np.cumsum(np.square(values), axis=1) - counts * np.square(means)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.sqrt(np.maximum(squares, 0) / (counts - 1) / counts)
        halves = special.stdtrit(counts - 1, 0.975) * errors
    enough = (halves <= half_width) & (counts >= AT_LEAST)
    return np.asarray(np.where(enough.any(axis=1), enough.argmax(axis=1) + 1, values.shape[1]))


def sequential(tables: int, wanted: float) -> tuple[float, float]:
    """Chips until half the interval is small: its coverage, and the mean number of chips.

    Args:
        tables: so many runs.
        wanted: chips that would do if the deviation were known: (1.96 sigma / half width)^2.
    """
    half = 1.959963984540054 / np.sqrt(wanted)
    rng = np.random.default_rng([6, round(10 * wanted)])
    values = rng.standard_normal((tables, MOST))
    counts = stops(values, half)
    held = 0
    for row, count in zip(values, counts, strict=True):
        held += holds(chip_interval(row[:count]), 0.0)
    return held / tables, float(counts.mean())


def lines(tables: int) -> Iterator[str]:
    """Yield the lines of the report."""
    for count in (2, 5, 10, 30):
        yield f"these images, {count} chips: {chips(tables, count):.1%}"
    for share, images in ((0.9, 100), (0.9, 1000), (0.99, 100), (0.99, 1000)):
        yield f"one chip (Wilson), share {share}, {images} images: " + (
            f"{single_chip(tables, share, images):.1%}"
        )
    for share, count in ((0.9, 10), (0.9, 30), (0.95, 59), (0.5, 10)):
        both, lower = yield_share(tables, share, count)
        yield f"share of chips {share}, {count} chips: interval {both:.1%}, lower bound {lower:.1%}"
    for count in (59, 93, 200):
        yield f"loss that bounds 95 % of chips, {count} chips: {yield_bound(tables, 0.95, count):.1%}"
    for count, images in ((1, 360), (5, 360), (10, 360), (10, 2000)):
        yield f"paired difference, {count} chips, {images} images: " + (
            f"{differences(tables, count, images):.1%}"
        )
    for wanted in (5, 10, 15, 20, 30, 50, 100):
        held, mean = sequential(5 * tables, wanted)
        yield f"until-ci, about {wanted} chips needed: {held:.1%} ({mean:.1f} chips on average)"


def main() -> None:
    """Print all shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tables", type=int, default=4000, help="tables of each line")
    tables = parser.parse_args().tables
    print(f"{tables:,} tables each (until-ci: {5 * tables:,}); what is stated is 95 %")
    for line in lines(tables):
        print(line, flush=True)


if __name__ == "__main__":
    main()
