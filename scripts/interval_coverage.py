#!/usr/bin/env python
"""How often the intervals of `rxsim eval` hold the accuracy that they are about.

Tables of hits are made up (chips x images), with easy and hard images and better and worse chips:

    .venv/bin/python scripts/interval_coverage.py     # 2,000 tables each, less than a minute

Each row draws other chips and other images for every table, and counts how often an interval holds the
accuracy over all chips and images: that for new images; Student's t over chips, which is for these
images alone; and a binomial interval over all hits as if they were independent. The seed is fixed; the
machine does not matter.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from rxsim.statistics import Interval, chip_interval, population_interval

Z_95 = 1.959963984540054  # 97.5 % of a standard normal distribution


@dataclass(frozen=True)
class Case:
    """One kind of table.

    Attributes:
        chips: number of chips.
        images: number of images.
        hardness: standard deviation of the images' log-odds.
        spread: standard deviation of the chips' log-odds.
        centre: log-odds of a middling image on a middling chip.
    """

    chips: int
    images: int
    hardness: float = 3.0
    spread: float = 0.1
    centre: float = 3.5

    def accuracy(self) -> float:
        """Return the accuracy over all chips and images: the mean over one normal log-odds."""
        points, weights = np.polynomial.hermite_e.hermegauss(200)
        log_odds = self.centre + np.hypot(self.hardness, self.spread) * points
        return float((weights / (1 + np.exp(-log_odds))).sum() / weights.sum())

    def table(self, rng: np.random.Generator) -> np.ndarray:
        """Draw hits, bool (chips, images)."""
        log_odds = self.centre + self.hardness * rng.standard_normal(self.images)
        log_odds = log_odds + self.spread * rng.standard_normal((self.chips, 1))
        return np.asarray(rng.random(log_odds.shape) < 1 / (1 + np.exp(-log_odds)))


CASES = [Case(10, 360), Case(5, 360), Case(10, 2000), Case(10, 360, spread=0.5), Case(30, 360)]


def pooled(table: np.ndarray) -> tuple[float, float]:
    """Return the binomial interval over all hits (Wilson): what not to do."""
    count, share = table.size, float(table.mean())
    middle = (share + Z_95**2 / (2 * count)) / (1 + Z_95**2 / count)
    half = Z_95 * np.sqrt(share * (1 - share) / count + Z_95**2 / (4 * count**2))
    half /= 1 + Z_95**2 / count
    return float(middle - half), float(middle + half)


def coverage(case: Case, tables: int) -> tuple[float, float, float]:
    """Return how often each interval holds the accuracy: new images, these images, pooled."""
    rng = np.random.default_rng([case.chips, case.images, round(1000 * case.spread)])
    truth, held = case.accuracy(), np.zeros(3)
    for _ in range(tables):
        table = case.table(rng)
        found = [_ends(population_interval(table)), _ends(chip_interval(table.mean(axis=1)))]
        held += [low <= truth <= high for low, high in [*found, pooled(table)]]
    new, these, heap = held / tables
    return float(new), float(these), float(heap)


def _ends(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None  # there are several chips
    return interval.low, interval.high


def main() -> None:
    """Print all shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tables", type=int, default=2000, help="tables of each row")
    tables = parser.parse_args().tables
    print(f"{tables:,} tables each; share of intervals of 95 % that hold the accuracy")
    print("images x chips  chips differ  accuracy  new images  these images  one heap")
    for case in CASES:
        new, these, heap = coverage(case, tables)
        print(
            f"{case.images:>6} x {case.chips:<5}  {case.spread:>12g}  {case.accuracy():>8.3f}  "
            f"{new:>10.1%}  {these:>12.1%}  {heap:>8.1%}"
        )


if __name__ == "__main__":
    main()
