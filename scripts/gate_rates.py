#!/usr/bin/env python
"""How often the gate of `rxsim check` calls noise a regression, and how often it finds a real drop.

Tables of hits are made up (chips x images, with effects of both), the gate's own verdict judges them:

    .venv/bin/python scripts/gate_rates.py            # 2,000 pairs of tables each, about a minute

Every row states what the two tables differ by. The seed is fixed; the machine does not matter.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rxsim.gate import judge, measure_drop

LEVEL = 0.01
Tables = tuple[np.ndarray, np.ndarray]
Draw = Callable[[np.random.Generator], Tables]


@dataclass(frozen=True)
class Scenario:
    """One kind of difference between baseline and now.

    Attributes:
        name: what differs.
        draw: makes the two tables of hits of one case, bool (chips, images).
        drop: the true drop, a share.
        smallest: the smallest drop that matters.
        cases: cases in a file.
    """

    name: str
    draw: Draw
    drop: float = 0.0
    smallest: float = 0.01
    cases: int = 1


def other_model(chips: int, images: int, flips: float, lost: float = 0.0) -> Draw:
    """Flip a share of the images, either way alike and on all chips; lose some more besides."""

    def draw(rng: np.random.Generator) -> Tables:
        before = rng.random(images) < 0.93
        after = before.copy()
        flipped = rng.random(images) < flips
        before[flipped] = rng.random(int(flipped.sum())) < 0.5
        after[flipped] = ~before[flipped]
        gone = ~flipped & (rng.random(images) < lost / (1 - flips))
        before[gone], after[gone] = True, False
        return np.tile(before, (chips, 1)), np.tile(after, (chips, 1))

    return draw


def other_noise(
    chips: int, images: int, flips: float, lost: float = 0.0, uneven: float = 0.0
) -> Draw:
    """Flip hits of every chip by itself; lose images on all chips; chips lose unevenly (std)."""

    def draw(rng: np.random.Generator) -> Tables:
        before = np.tile(rng.random(images) < 0.93, (chips, 1))
        after = before.copy()
        flipped = rng.random((chips, images)) < flips
        before[flipped] = rng.random(int(flipped.sum())) < 0.5
        after[flipped] = ~before[flipped]
        gone = rng.random(images) < lost
        before[:, gone], after[:, gone] = True, False
        extra = rng.normal(0, uneven, (chips, 1))
        moved = ~gone & (rng.random((chips, images)) < np.abs(extra))
        before, after = np.where(moved, extra > 0, before), np.where(moved, extra < 0, after)
        return before, after

    return draw


def other_chips(chips: int, images: int, spread: float) -> Draw:
    """Program other chips of the same design: images have margins, chips and single runs shift them."""

    def draw(rng: np.random.Generator) -> Tables:
        margin = rng.normal(1.8, 1.0, images)

        def table() -> np.ndarray:
            chip = spread * rng.standard_normal((chips, 1))
            return np.asarray(margin + chip + spread * rng.standard_normal((chips, images)) > 0)

        return table(), table()

    return draw


NO_DROP = [
    Scenario("5 % of images flip either way; 2,000 x 5", other_model(5, 2000, 0.05)),
    Scenario("the same, ten cases in a file", other_model(5, 2000, 0.05), cases=10),
    Scenario("5 % of hits flip, chip by chip; 2,000 x 5", other_noise(5, 2000, 0.05)),
    Scenario("other chips, even ones; 2,000 x 5", other_chips(5, 2000, 0.1)),
    Scenario("other chips, uneven ones; 2,000 x 5", other_chips(5, 2000, 0.3)),
    Scenario("other chips, uneven ones; 500 x 2", other_chips(2, 500, 0.3)),
    Scenario("1 % of images flip either way; 540 x 1", other_model(1, 540, 0.01)),
    Scenario("0.5 % of hits flip; 100 x 5", other_noise(5, 100, 0.005)),
]
"""Nothing is worse on average: a regression is a false alarm."""

DROPS = [
    Scenario(
        "1 point on all chips, 2 % of hits flip; 2,000 x 5",
        other_noise(5, 2000, 0.02, 0.01),
        0.01,
    ),
    Scenario(
        "the same, chips uneven by 0.2 points",
        other_noise(5, 2000, 0.02, 0.01, 0.002),
        0.01,
    ),
    Scenario("1 point, 0.4 % of images flip; 2,000 x 1", other_model(1, 2000, 0.004, 0.01), 0.01),
    Scenario("1 point, 5 % of images flip; 2,000 x 5", other_model(5, 2000, 0.05, 0.01), 0.01),
    Scenario("1 point, 5 % of images flip; 10,000 x 5", other_model(5, 10000, 0.05, 0.01), 0.01),
    Scenario("3 points, 2 % of hits flip; 540 x 5", other_noise(5, 540, 0.02, 0.03), 0.03, 0.02),
]
"""A real drop: a regression is right, passed is a miss."""


def outcomes(scenario: Scenario, pairs: int, seed: int = 0) -> Counter[str]:
    """Judge many files and count outcomes: a regression of a file is one of any of its cases."""
    rng = np.random.default_rng([seed, *scenario.name.encode()])
    counts: Counter[str] = Counter()
    for _ in range(pairs):
        drops = [
            measure_drop(*scenario.draw(rng), LEVEL, scenario.smallest)
            for _ in range(scenario.cases)
        ]
        found = {one.outcome for one in judge(drops, LEVEL, [scenario.smallest] * scenario.cases)}
        worst = ("regression", "undecided", "passed")
        counts[next(name for name in worst if name in found)] += 1
    return counts


def main() -> None:
    """Print all rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=2000, help="pairs of tables of each row")
    pairs = parser.parse_args().pairs
    print(
        f"Level {LEVEL:g}, {pairs:,} pairs each; images x chips; share of regression/undecided/passed"
    )
    for title, scenarios in (("no drop", NO_DROP), ("a real drop", DROPS)):
        print(f"\n{title}")
        for scenario in scenarios:
            counts = outcomes(scenario, pairs)
            shares = "  ".join(
                f"{counts[name] / pairs:7.2%}" for name in ("regression", "undecided", "passed")
            )
            print(f"  {scenario.name:<52}{shares}")


if __name__ == "__main__":
    main()
