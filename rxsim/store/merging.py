"""Put the results of several files into a single file."""

from __future__ import annotations

import contextlib
import json
import math
import operator
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rxsim.errors import InputError
from rxsim.files import check_destination
from rxsim.metrics import all_metrics
from rxsim.store.connection import explained_errors, transaction
from rxsim.store.costs import INSERT_COST, SELECT_COSTS
from rxsim.store.database import Results, Sweep, open_results, put_sweep, read_sweeps
from rxsim.store.tables import (
    FIRST_METRICS,
    INSERT_POINT,
    POINT_COLUMNS,
    insert_trial,
    trial_columns,
)

_BATCH = 500
# Assumption: an onnxruntime on another processor rounds sums in another order, which moves a sum of
# float32 by less than this share. Counts of images are whole and must be the same.
_ROUNDING = 1e-4


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did.

    Attributes:
        points: points that were new.
        trials: trials that were new.
        replaced: failed trials that finished or failed later in another file.
        present: trials that were there already.
    """

    points: int
    trials: int
    replaced: int
    present: int


def merge_results(into: Path, sources: Sequence[Path]) -> Merged:
    """Put all points, trials and sweeps of some files into another, all of them or nothing.

    A finished trial stays as it is; a failed trial gives way to a finished trial. A sweep of a name
    that is there already keeps its text and gets the points that it lacked. The sources are only read.

    Args:
        into: a results file; made if it is not there.
        sources: results files.

    Raises:
        InputError: a file can't be used, or a trial finished with other numbers in another file.
        WriteError: `into` can't be written.
    """
    check_destination(into, sources)
    for path in sources:
        open_results(path).close()
    is_new = not into.exists()
    try:
        with open_results(into, write=True) as results:
            before, replaced, seen = _counts(results), 0, 0
            with transaction(results.connection, into):
                for path in sources:
                    with open_results(path) as source, source.snapshot():
                        at_source = _merge_one(results, source)
                    replaced += at_source[0]
                    seen += at_source[1]
            after = _counts(results)
    except BaseException:
        if is_new:
            _remove(into)
        raise
    new = after[1] - before[1]
    return Merged(after[0] - before[0], new, replaced, seen - new - replaced)


def _merge_one(results: Results, source: Results) -> tuple[int, int]:
    """Copy a file's rows; return how many trials were replaced and how many were seen."""
    connection = results.connection
    results.add_metrics(source.metrics)
    columns = ", ".join(POINT_COLUMNS)
    for rows in _batches(source, f"SELECT {columns}, details FROM points ORDER BY id"):
        connection.executemany(INSERT_POINT, rows)
    if source.has_costs:
        for rows in _batches(source, f"{SELECT_COSTS} ORDER BY points.id"):
            connection.executemany(INSERT_COST, rows)
    replaced, seen = 0, 0
    columns = ", ".join(f"trials.{name}" for name in trial_columns(source.metrics))
    for rows in _batches(
        source,
        f"SELECT trials.key, points.key, {columns} FROM trials JOIN points "
        "ON points.id = trials.point ORDER BY trials.rowid",
    ):
        replaced += _check(results, source, rows)
        seen += len(rows)
        connection.executemany(insert_trial(source.metrics), rows)
    known = {sweep.name: sweep for sweep in read_sweeps(connection)}
    with explained_errors(source.path, writing=False):
        sweeps = list(read_sweeps(source.connection))
    for sweep in sweeps:
        put_sweep(connection, _joined(known.get(sweep.name), sweep))
    return replaced, seen


def _batches(source: Results, sql: str) -> Iterator[list[tuple[Any, ...]]]:
    with explained_errors(source.path, writing=False):
        cursor = source.connection.execute(sql)
    while True:
        with explained_errors(source.path, writing=False):
            rows = cursor.fetchmany(_BATCH)
        if not rows:
            return
        yield rows


def _check(results: Results, source: Results, rows: list[tuple[Any, ...]]) -> int:
    """Refuse finished trials that contradict those that are there; count what will be replaced.

    Raises:
        InputError: a trial does.
    """
    names = trial_columns(source.metrics)
    place = {name.strip('"'): 2 + index for index, name in enumerate(names)}
    columns = ", ".join(f"trials.{name}" for name in names)
    present = {
        row[0]: row
        for row in results.rows(
            f"SELECT trials.key, points.key, {columns} FROM trials JOIN points "
            "ON points.id = trials.point WHERE trials.key IN (SELECT value FROM json_each(?))",
            (json.dumps([row[0] for row in rows]),),
        )
    }
    replaced = 0
    compared = _compared(source.metrics)
    for row in rows:
        old = present.get(row[0])
        if old is None:
            continue
        if old[place["status"]] == "failed":
            late = [(line[place["finished"]], line[place["error"]] or "") for line in (row, old)]
            replaced += row[place["status"]] == "done" or late[0] > late[1]
            continue
        if row[place["status"]] == "failed":
            continue
        for name, agree in compared.items():
            if not agree(row[place[name]], old[place[name]]):
                raise InputError(
                    f"trial {row[0]} is finished in {source.path} and in what it is merged into, "
                    f"with another {name} ({_shown(row[place[name]])} and "
                    f"{_shown(old[place[name]])}), expected the same numbers for the same key; "
                    "find out which file is wrong and leave it out; nothing was merged"
                )
    return replaced


def _compared(metrics: Sequence[str]) -> dict[str, Callable[[Any, Any], bool]]:
    """Return the metrics that two finished trials of a key must share, and how they are compared."""
    known = all_metrics()
    counted = [name for name in metrics if name in known and known[name].counted]
    return {
        **dict.fromkeys(("trial", "hits"), operator.eq),
        **{name: partial(_agree, name, 0.0) for name in counted},
        **{name: partial(_agree, name, _ROUNDING) for name in metrics if name not in counted},
    }


def _agree(name: str, tolerance: float, value: float | None, other: float | None) -> bool:
    if value is None or other is None:  # None: a file from before there was this metric
        return value is other or name not in FIRST_METRICS
    return math.isclose(value, other, rel_tol=tolerance)


def _shown(value: Any) -> str:
    return "other images" if isinstance(value, bytes) else str(value)


def _joined(old: Sweep | None, new: Sweep) -> Sweep:
    """Return a sweep with the points of both."""
    if old is None:
        return new
    joined: dict[str, Mapping[str, Any]] = {}
    for sweep in (old, new):
        for key, values in zip(sweep.points, sweep.values, strict=True):
            joined[key] = joined.get(key) or values
    return Sweep(old.name, old.text, tuple(joined), tuple(joined.values()))


def _counts(results: Results) -> tuple[int, int]:
    points, trials = results.rows(
        "SELECT (SELECT count(*) FROM points), (SELECT count(*) FROM trials)"
    )[0]
    return int(points), int(trials)


def _remove(path: Path) -> None:
    """Remove a file that this merge made, unless another process has put results there."""
    with contextlib.suppress(OSError, sqlite3.Error, InputError):
        with open_results(path) as results:
            if _counts(results) != (0, 0):
                return
        for ending in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
