"""Which chips and images of two evaluations belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rxsim.comparison.evaluated import AGREEMENT, Evaluated
from rxsim.counted import counted
from rxsim.errors import InputError
from rxsim.metrics import all_metrics
from rxsim.scenarios import chosen

_SAME = "evaluate both on the same images (--data, --limit, --seed)"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pairs:
    """Two tables of hits, row by row of the same chip number and column by column the same image.

    Attributes:
        first: bool (chips, images).
        second: bool, of the same shape.
        drawn: whether any side's chips are drawn; else the only chip of both is compared.
        notes: what has to be said of the pairs, a sentence each.
    """

    first: np.ndarray
    second: np.ndarray
    drawn: bool
    notes: tuple[str, ...]


def check_same_images(first: Evaluated, second: Evaluated) -> tuple[str, ...]:
    """Refuse evaluations of other images; other models on the same images are told.

    Returns:
        A sentence for each thing that differs and is told.

    Raises:
        InputError: the images differ.
    """
    one, other = first.provenance, second.provenance
    if first.images != second.images:
        raise InputError(
            f"{second.name}: found {counted(second.images, 'image')}, expected {first.images:,} as "
            f"in {first.name}; {_SAME}"
        )
    data = [None if side["data"] is None else side["data"] for side in (one, other)]
    same_model = one["model"]["sha256"] == other["model"]["sha256"]
    if data[0] is None or data[1] is None:
        same = data[0] is data[1] and same_model and first.seed == second.seed
        if not (same and one.get("inputs") == other.get("inputs")):
            raise InputError(
                f"{second.name}: its inputs are made up, or those of {first.name}, expected the same "
                "ones: of the same model, shapes and seed; give --data, or the same options"
            )
        return ()
    if data[0]["sha256"] != data[1]["sha256"]:
        raise InputError(
            f"{second.name}: found the data {data[1]['name']} ({data[1]['sha256'][:8]}), expected "
            f"{data[0]['name']} ({data[0]['sha256'][:8]}) as in {first.name}; {_SAME}"
        )
    if not _equal(first.indices, second.indices):
        raise InputError(
            f"{second.name}: found other images of the data than in {first.name}, expected the same "
            f"ones; {_SAME}"
        )
    if same_model:
        return ()
    return (
        f"the models differ: {one['model']['name']} ({one['model']['sha256'][:8]}) and "
        f"{other['model']['name']} ({other['model']['sha256'][:8]}), on the same images",
    )


def check_whole_data(side: Evaluated) -> None:
    """Refuse a part of the data where only its images are to count.

    Args:
        side: one of two sides of the same images.

    Raises:
        InputError: its inputs are made up, or not all of the data.
    """
    data = side.provenance["data"]
    samples = None if data is None else data.get("samples")
    if side.images != samples:
        held = "inputs that are made up" if data is None else counted(side.images, "image")
        of = "" if samples is None else f" of {samples:,}"
        raise InputError(
            f"--these-images: found {held}{of} in {side.name}, expected all images of a data set: of "
            "a part the question is what other images would give; evaluate both without --limit, or "
            "leave the option out"
        )


def metric_of(
    first: Evaluated, second: Evaluated, rungs: tuple[str, str], asked: str | None
) -> str:
    """Return the name of the metric whose hits are compared.

    Args:
        first: a side.
        second: the other side.
        rungs: the rung of each that is compared.
        asked: what `--metric` says: agreement, or an option of `rxsim eval` that counts hits; None: the
            metric of both, or agreement where they have none in common.

    Raises:
        InputError: it counts no hits, or a file lacks them.
    """
    hits = {
        each.option: name
        for name, each in all_metrics().items()
        if each.kind == "hits" and each.option is not None
    }
    if asked is not None and asked != AGREEMENT and asked not in hits:
        raise InputError(
            f"metric: found {asked!r}, expected one of {', '.join([*hits, AGREEMENT])}: what is "
            "compared is hits; choose one of these"
        )
    name = AGREEMENT
    if asked is None and first.metric == second.metric:
        name = hits.get(first.metric, AGREEMENT)
    elif asked is not None:
        name = hits.get(asked, AGREEMENT)
    for side, rung in zip((first, second), rungs, strict=True):
        if side.table(name, rung) is None:
            lack = "its output is a single value" if side.single_value else "the file holds none"
            raise InputError(
                f"{side.name}: found no hits of {name} for the rung {rung} ({lack}), expected some; "
                "give another --metric, or evaluate with labels"
            )
    return name


def check_same_labels(first: Evaluated, second: Evaluated, metric: str) -> None:
    """Refuse hits against other labels: their difference is none of the hardware's.

    Raises:
        InputError: both sides hold labels, and they differ; agreement needs none.
    """
    if metric == AGREEMENT or first.labels is None or second.labels is None:
        return
    if not np.array_equal(first.labels, second.labels):
        count = int(np.count_nonzero(first.labels != second.labels))
        raise InputError(
            f"{second.name}: found other labels than in {first.name} for {counted(count, 'image')}, "
            "expected the same ones; evaluate both with the same --label-file, --label-map and "
            f"--label-offset, or compare --metric {AGREEMENT}"
        )


def rungs_of(first: Evaluated, second: Evaluated, asked: str | None) -> tuple[str, str]:
    """Return the rung of each side that is compared.

    That is the one asked for, else that of the built chips: where one side has compensation and the
    other has not, compensated chips are compared with nonideal ones. Without such rungs it is the last
    that both have.

    Raises:
        InputError: a side lacks it.
    """
    shared = [name for name in first.predictions if name in second.predictions]
    if asked is None:
        built = first.built, second.built
        if built[0] != built[1] and None not in built:
            return built[0] or "", built[1] or ""
        return shared[-1], shared[-1]  # float32 at least
    if asked not in shared:
        raise InputError(
            f"rung: found {asked!r}, expected one that both have: {', '.join(shared)}; choose one of "
            "these"
        )
    return asked, asked


def pairs_of(first: Evaluated, second: Evaluated, metric: str, rungs: tuple[str, str]) -> Pairs:
    """Pair the chips of two sides by their numbers; a single row stands for every chip.

    Args:
        first: a side, with hits of the metric.
        second: the other side, likewise.
        metric: name of the metric.
        rungs: the rung of each side that is compared.
    """
    tables = []
    notes: list[str] = []
    if rungs[0] != rungs[1]:
        notes.append(
            f"built chips are compared: {rungs[0]} of {first.name}, {rungs[1]} of {second.name}"
        )
    several = []
    for side, rung in zip((first, second), rungs, strict=True):
        table = side.table(metric, rung)
        assert table is not None
        drawn = not side.deterministic and _is_per_chip(rung)
        tables.append(table if drawn else table[:1])
        if drawn:
            several.append(len(table))
    if len(several) == 2:
        chips = min(several)
        if several[0] != several[1]:
            notes.append(
                f"the files hold {several[0]} and {counted(several[1], 'chip')}: the first "
                f"{chips} of both are compared"
            )
        if first.seed != second.seed:
            notes.append(
                f"the seeds differ ({first.seed} and {second.seed}): chips of one number share no "
                "draws, so the interval is wider than it could be; give the same --seed"
            )
        tables = [table[:chips] for table in tables]
    chips = max(map(len, tables))
    if several and chips == 1:
        notes.append("a single chip says nothing about others: give --trials")
    shape = (chips, first.images)
    one, other = (np.broadcast_to(table, shape) for table in tables)
    return Pairs(first=one, second=other, drawn=bool(several), notes=tuple(notes))


def _is_per_chip(rung: str) -> bool:
    """Tell whether a rung's chips are drawn; unknown rungs may be."""
    if rung == "float32":
        return False
    try:
        return chosen([rung])[0].per_chip
    except InputError:
        return True


def _equal(one: np.ndarray | Sequence[int] | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)
