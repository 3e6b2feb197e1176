"""The paired difference of two evaluations, its intervals and its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rxsim.comparison.evaluated import Evaluated
from rxsim.comparison.judging import Criteria, judge_pairs
from rxsim.comparison.pairs import (
    check_same_images,
    check_same_labels,
    check_whole_data,
    metric_of,
    pairs_of,
    rungs_of,
)
from rxsim.dotted import flat
from rxsim.gate import Drop, Verdict
from rxsim.statistics import (
    Interval,
    Method,
    bounds_of,
    chip_interval,
    chip_method,
    difference_interval,
    difference_method,
)

SCHEMA_VERSION = 1
_OF_DRAWS = {"seed", "trials"}
"""Settings that say which draws are taken, and how many."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Comparison:
    """Two settings on the same images, chip by chip.

    Attributes:
        first: a side.
        second: the other side; changes are from the first to it.
        rung: the rung that is compared; `nonideal -> compensated` where built chips of one side have
            compensation and those of the other have not.
        metric: name of the metric whose hits are compared.
        chips: pairs of chips; 1 where both sides have the only chip there is.
        images: pairs of images.
        accuracy: share of hits of both sides, over the compared chips.
        change: mean of second - first, a share.
        std: of the paired differences of chips; None for a single pair.
        these_images: interval of the change over chips, for these images; None for a single pair, and
            where no hit differs: then the spread is unknown, not nil.
        new_images: interval of the change for new images too; None for fewer than two images, and
            where no hit differs.
        drawn: whether any side's chips are drawn.
        criteria: level and smallest drop of the verdict, and whether only these images count.
        drop: the change with the other sign, and its one-sided bounds.
        verdict: as the gate's; None where only the seed differs: the change is chance.
        settings: settings that differ by dotted name: first's and second's value.
        notes: what has to be said of the pairs, a sentence each.
    """

    first: Evaluated
    second: Evaluated
    rung: str
    metric: str
    chips: int
    images: int
    accuracy: tuple[float, float]
    change: float
    std: float | None
    these_images: Interval | None
    new_images: Interval | None
    drawn: bool
    criteria: Criteria
    drop: Drop
    verdict: Verdict | None
    settings: Mapping[str, tuple[Any, Any]]
    notes: tuple[str, ...]

    @property
    def methods(self) -> dict[str, Method | None]:
        """Name the methods of both intervals."""
        these = None if self.these_images is None else chip_method(self.chips)
        new = None if self.new_images is None else difference_method(self.chips)
        return {"these_images": these, "new_images": new}

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        drop, verdict = self.drop, self.verdict
        sides = zip((self.first, self.second), self.accuracy, strict=True)
        return {
            "schema_version": SCHEMA_VERSION,
            "rung": self.rung,
            "metric": self.metric,
            "chips": self.chips,
            "images": self.images,
            **{
                key: {
                    "file": side.name,
                    "model": side.provenance["model"]["name"],
                    "mean": mean,
                    "deterministic": side.deterministic,
                }
                for key, (side, mean) in zip(("first", "second"), sides, strict=True)
            },
            "change": {
                "mean": self.change,
                "std": self.std,
                "interval_these_images": bounds_of(self.these_images),
                "interval_new_images": bounds_of(self.new_images),
                "interval_method": self.methods,
            },
            "images_worse": drop.worse,
            "images_better": drop.better,
            "pairs_differing": drop.differing,
            "verdict": {
                "outcome": None if verdict is None else verdict.outcome,
                "improved": verdict is not None and verdict.improved,
                "level": float(self.criteria.level),
                "smallest_drop": float(self.criteria.smallest_drop),
                "these_images": self.criteria.these_images,
                "p": None if verdict is None else verdict.p,
                "drop": asdict(drop),
                "needed": None
                if verdict is None or verdict.needed is None
                else list(verdict.needed),
            },
            "settings": {name: list(values) for name, values in self.settings.items()},
            "notes": list(self.notes),
        }


def compare(
    first: Evaluated,
    second: Evaluated,
    *,
    rung: str | None = None,
    metric: str | None = None,
    criteria: Criteria | None = None,
) -> Comparison:
    """Compare two evaluations of the same images.

    Args:
        first: a side.
        second: the other side.
        rung: which rung; that of the built chips where left out, else the last that both have.
        metric: an option of `rxsim eval` that counts hits, or agreement; that of both where left out.
        criteria: of the verdict; the gate's defaults where left out.

    Raises:
        InputError: the images or their labels differ, a side lacks the rung or the hits, or only these
            images are to count and they are a part of the data.
    """
    criteria = criteria or Criteria()
    told = check_same_images(first, second)
    if criteria.these_images:
        check_whole_data(first)
    chosen = rungs_of(first, second, rung)
    name = metric_of(first, second, chosen, metric)
    check_same_labels(first, second, name)
    pairs = pairs_of(first, second, name, chosen)
    differences = pairs.second.astype(float) - pairs.first
    each = differences.mean(axis=1)
    verdict = judge_pairs(pairs, criteria)
    drop = verdict.drop
    settings = _differing(first.settings, second.settings)
    told = (*told, *_other_differences(first, second))
    is_chance = first.seed != second.seed and not told and settings.keys() <= _OF_DRAWS
    return Comparison(
        first=first,
        second=second,
        rung=chosen[0] if chosen[0] == chosen[1] else " -> ".join(chosen),
        metric=name,
        chips=len(each),
        images=differences.shape[1],
        accuracy=(float(pairs.first.mean()), float(pairs.second.mean())),
        change=float(differences.mean()),
        std=float(each.std(ddof=1)) if len(each) > 1 else None,
        these_images=chip_interval(each) if drop.differing else None,
        new_images=difference_interval(differences) if drop.differing else None,
        drawn=pairs.drawn,
        criteria=criteria,
        drop=drop,
        verdict=None if is_chance else verdict,
        settings=settings,
        notes=(*told, *pairs.notes),
    )


def _differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """List the settings that differ by dotted name; one that is missing is at its default: null."""
    left, right = dict(flat(first)), dict(flat(second))
    return {
        name: (left.get(name), right.get(name))
        for name in {**left, **right}
        if left.get(name) != right.get(name)
    }


def _other_differences(first: Evaluated, second: Evaluated) -> list[str]:
    """Say what else differs: preprocessing, output, calibration, versions."""
    told = []
    for sentence, path in (
        ("the evaluated outputs differ", ("output",)),
        ("the preprocessing differs", ("preprocess",)),
        ("the calibration data differ", ("calibration", "sha256")),
        ("the versions of rxsim differ", ("versions", "rxsim")),
    ):
        if _at(first.provenance, path) != _at(second.provenance, path):
            told.append(sentence)
    return told


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values
