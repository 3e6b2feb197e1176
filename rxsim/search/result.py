"""What a search found: plain values, and their JSON form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rxsim.config import Settings, as_plain
from rxsim.search.goal import Goal
from rxsim.search.judged import Judged
from rxsim.sweep import SweepEnd


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SearchedPoint:
    """An evaluated point.

    Attributes:
        values: of the axes, by dotted name; of settings that share a value the first one stands.
        settings: resolved.
        costs: what its hardware costs, by quantity; None where it can't be known.
        judged: the number and its interval.
        meets: whether it counts as meeting the goal.
        new: whether it was evaluated now; the results held it before otherwise.
    """

    values: Mapping[str, Any]
    settings: Settings
    costs: Mapping[str, float | None]
    judged: Judged
    meets: bool
    new: bool

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        judged = {name: _plain(value) for name, value in asdict(self.judged).items()}
        return {
            "values": dict(self.values),
            "costs": dict(self.costs),
            **judged,
            "verdict": self.judged.verdict,
            "counts_as_met": self.meets,
            "new": self.new,
        }


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SearchResult:
    """The end of a search.

    Attributes:
        goal: what points had to keep.
        minimise: what was to be least.
        points: those that were evaluated; those that meet the goal first, the cheapest foremost, then
            the others by how much they lack.
        winner: place of the cheapest that meets the goal; None where none does.
        total: number of all points.
        ruled_out: points that were not evaluated because they are nowhere better than one that missed.
        ruled_out_undecided: those of them that are cheaper than the winner and that no point rules out
            whose miss is proven.
        failed: points that could not be evaluated, and why, by their names.
        contradictions: places of pairs that contradict the known directions: the first met the goal,
            the second, which is nowhere worse, missed.
        trials: chips of each point whose chips differ.
        images: evaluated inputs.
        end: trials and seconds.
        priced_in: technologies with their ADC models, where a price was minimised.
    """

    goal: Goal
    minimise: str
    points: tuple[SearchedPoint, ...]
    winner: int | None
    total: int
    ruled_out: int
    ruled_out_undecided: int
    failed: Mapping[str, str]
    contradictions: tuple[tuple[int, int], ...]
    trials: int
    images: int
    end: SweepEnd
    priced_in: tuple[str, ...] = ()

    @property
    def best(self) -> SearchedPoint | None:
        """The cheapest point that meets the goal; None where none does."""
        return None if self.winner is None else self.points[self.winner]

    @property
    def nearest(self) -> SearchedPoint | None:
        """The best point, or that which lacks least; None where nothing was evaluated."""
        return self.best or (self.points[0] if self.points else None)

    @property
    def unneeded(self) -> int:
        """Points that were not evaluated because they cost more than the winner."""
        return self.total - len(self.points) - len(self.failed) - self.ruled_out

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        best = self.best
        return {
            "schema_version": 1,
            "goal": self.goal.text,
            "minimise": self.minimise,
            "priced_in": list(self.priced_in),
            "winner": self.winner,
            "settings": None if best is None else as_plain(best.settings),
            "points": [point.as_json() for point in self.points],
            "total": self.total,
            "evaluated": len(self.points),
            "ruled_out": self.ruled_out,
            "ruled_out_undecided": self.ruled_out_undecided,
            "unneeded": self.unneeded,
            "failed": dict(self.failed),
            "contradictions": [list(pair) for pair in self.contradictions],
            "trials": self.trials,
            "images": self.images,
            "timing": {"seconds": self.end.seconds, "new_trials": self.end.new},
        }


def _plain(value: Any) -> Any:
    """Write an infinite ratio as null, and pairs as lists."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return list(value) if isinstance(value, tuple) else value
