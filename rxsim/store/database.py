"""A results file: points, trials and sweeps in SQLite, safe from kills and other processes."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rxsim.metrics import all_metrics
from rxsim.store.coding import axes_of, axes_text, point_of, point_row, trial_of, trial_row
from rxsim.store.connection import connect, disconnect, explained_errors, transaction
from rxsim.store.costs import INSERT_COST, SELECT_COSTS, cost_of, cost_row, has_costs
from rxsim.store.rows import Point, PointCost, Status, Trial
from rxsim.store.tables import (
    INSERT_POINT,
    POINT_COLUMNS,
    add_columns,
    add_costs_table,
    insert_trial,
    metrics_in,
    trial_columns,
)

# A single bound text holds all keys: SQLite limits how many values may be bound.
_AMONG = "IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep that was run into the file.

    Attributes:
        name: what it is called.
        text: its YAML file.
        points: the keys of its points in the sweep's order; some may have no trials yet.
        values: what its axes set for each point, by name; empty where that was not told.
    """

    name: str
    text: str
    points: tuple[str, ...]
    values: tuple[Mapping[str, Any], ...]


class Results:
    """An open results file; a context manager. See `open_results`.

    Attributes:
        path: the file.
        write: whether it was opened for writing.
        connection: to SQLite; for this package.
        metrics: names of those that the file has columns for.
        has_costs: whether it has a place for prices.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, write: bool) -> None:
        self.path = path
        self.write = write
        self.connection = connection
        self.metrics = metrics_in(connection)
        self.has_costs = has_costs(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def add(
        self,
        point: Point,
        trial: Trial,
        details: Mapping[str, Any] | None = None,
        cost: PointCost | None = None,
    ) -> None:
        """Write a trial, durable and visible to others when this returns.

        Several processes may add at once, and the same trial again: a finished trial is never
        replaced, a failed trial is, by a finished trial or a later failure.

        Args:
            point: the trial's point; written if it is new.
            trial: the trial.
            details: the rest of the evaluation; kept if the point has none yet.
            cost: what the point costs, likewise.

        Raises:
            WriteError: the disk is full or fails; nothing of this trial was written.
            ValueError: the trial is of another point, or has a metric that the file has not.
        """
        if trial.point != point.key:
            raise ValueError(f"trial {trial.key} is of point {trial.point}, not of {point.key}")
        head = point_row(point, point.details if details is None else details)
        chip = trial_row(trial, self.metrics)
        with transaction(self.connection, self.path):
            self.connection.execute(INSERT_POINT, head)
            self.connection.execute(insert_trial(self.metrics), chip)
            if cost is not None:
                self.connection.execute(INSERT_COST, cost_row(point.key, cost))

    def status(self, keys: Sequence[str]) -> dict[str, Status]:
        """Return the status of those of the given trials that are there, by key."""
        sql = f"SELECT key, status FROM trials WHERE key {_AMONG}"
        return dict(self.rows(sql, (json.dumps(list(keys)),)))

    def trials(self, points: Collection[str] | None = None, *, hits: bool = False) -> list[Trial]:
        """Return trials, ordered by their points' keys and their numbers.

        Args:
            points: keys of the points whose trials are wanted; all where left out.
            hits: read the hits too.
        """
        columns = [
            f"trials.{name}" if hits or name not in ("images", "hits") else "NULL"
            for name in trial_columns(self.metrics)
        ]
        where, values = _among("points.key", points)
        sql = (
            f"SELECT trials.key, points.key, {', '.join(columns)} "
            f"FROM trials JOIN points ON points.id = trials.point{where} ORDER BY points.key, trial"
        )
        return [trial_of(row, self.metrics) for row in self.rows(sql, values)]

    def points(self, keys: Collection[str] | None = None, *, details: bool = False) -> list[Point]:
        """Return points, ordered by key.

        Args:
            keys: of the points that are wanted; all where left out.
            details: read their details too.
        """
        where, values = _among("key", keys)
        columns = [*POINT_COLUMNS, "details" if details else "NULL"]
        sql = f"SELECT {', '.join(columns)} FROM points{where} ORDER BY key"
        return [point_of(row) for row in self.rows(sql, values)]

    def costs(self, keys: Collection[str] | None = None) -> dict[str, PointCost]:
        """Return what points cost by key, those that were priced.

        Args:
            keys: of the points that are wanted; all where left out.
        """
        if not self.has_costs:
            return {}
        where, values = _among("points.key", keys)
        rows = self.rows(f"{SELECT_COSTS}{where} ORDER BY points.key", values)
        return {row[0]: cost_of(row) for row in rows}

    def same_accuracy(self, accuracy: str) -> list[str]:
        """Return the keys of priced points that have the same scores, see `PointCost.accuracy`."""
        if not self.has_costs:
            return []
        sql = f"{SELECT_COSTS} WHERE costs.accuracy = ? ORDER BY points.id"
        return [row[0] for row in self.rows(sql, (accuracy,))]

    def add_sweep(
        self,
        name: str,
        text: str,
        points: Sequence[str],
        values: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Write a sweep's file and the keys of its points in order; replaces a sweep of that name.

        Args:
            name: what it is called.
            text: its YAML file.
            points: the keys of its points.
            values: what its axes set for each of them, such as {"adc.n_bits": 4}.

        Raises:
            WriteError: the disk is full or fails; a sweep of that name is as it was.
            ValueError: there are not as many values as points.
        """
        told_values = tuple(values) if values is not None else ({},) * len(points)
        if len(told_values) != len(points):
            raise ValueError(f"{len(told_values)} values for {len(points)} points")
        with transaction(self.connection, self.path):
            put_sweep(self.connection, Sweep(name, text, tuple(points), told_values))

    def sweeps(self) -> list[Sweep]:
        """Return all sweeps, ordered by name."""
        with explained_errors(self.path, writing=False):
            return list(read_sweeps(self.connection))

    def add_metrics(self, names: Collection[str]) -> None:
        """Give the file columns for metrics that it has not; earlier trials have none of these.

        Inside a transaction the columns are part of it.

        Raises:
            InputError: a name can't be that of a column.
            WriteError: the disk is full or fails.
        """
        new = [name for name in names if name not in self.metrics]
        if not new:
            return
        if self.connection.in_transaction:
            add_columns(self.connection, new)
        else:
            with transaction(self.connection, self.path):
                add_columns(self.connection, new)
        self.metrics = metrics_in(self.connection)

    def add_costs(self) -> None:
        """Give the file a place for prices, unless it has one.

        Raises:
            WriteError: the disk is full or fails.
        """
        if not self.has_costs:
            with transaction(self.connection, self.path):
                add_costs_table(self.connection)
            self.has_costs = True

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read a consistent state of the file inside, whatever others write meanwhile."""
        if self.connection.in_transaction:
            yield
            return
        with explained_errors(self.path, writing=False):
            self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        disconnect(self.connection, write=self.write)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a reading statement.

        Raises:
            InputError: the file can't be read.
        """
        with explained_errors(self.path, writing=False):
            return self.connection.execute(sql, values).fetchall()


def open_results(path: Path, *, write: bool = False) -> Results:
    """Open a results file.

    Args:
        path: the file.
        write: make it if it is not there. Else it must be there and is only read, which works from
            read-only places too.

    Raises:
        InputError: the file is missing, no results file, of a newer version or damaged.
        WriteError: it can't be made or written.
    """
    connection = connect(path, write=write)
    try:
        with explained_errors(path, writing=write):
            results = Results(path, connection, write)
        if write:
            results.add_metrics(all_metrics())
            results.add_costs()
    except BaseException:
        connection.close()
        raise
    return results


def read_sweeps(connection: sqlite3.Connection) -> Iterator[Sweep]:
    """Yield all sweeps, ordered by name."""
    for name, text in connection.execute("SELECT name, text FROM sweeps ORDER BY name").fetchall():
        rows = connection.execute(
            "SELECT point, axes FROM sweep_points WHERE sweep = ? ORDER BY position", (name,)
        ).fetchall()
        values = tuple(axes_of(axes, key) for key, axes in rows)
        yield Sweep(name, text, tuple(key for key, _ in rows), values)


def put_sweep(connection: sqlite3.Connection, sweep: Sweep) -> None:
    """Write a sweep in place of a sweep of its name; inside a transaction."""
    connection.execute("DELETE FROM sweep_points WHERE sweep = ?", (sweep.name,))
    connection.execute(
        "INSERT INTO sweeps (name, text) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET text = excluded.text",
        (sweep.name, sweep.text),
    )
    connection.executemany(
        "INSERT INTO sweep_points (sweep, position, point, axes) VALUES (?, ?, ?, ?)",
        [
            (sweep.name, position, key, axes_text(values))
            for position, (key, values) in enumerate(zip(sweep.points, sweep.values, strict=True))
        ],
    )


def _among(column: str, keys: Collection[str] | None) -> tuple[str, tuple[str, ...]]:
    """Return the SQL condition that a column is among given keys, and the values to bind."""
    if keys is None:
        return "", ()
    return f" WHERE {column} {_AMONG}", (json.dumps(list(keys)),)
