"""The tables of a results file, and the statements that fill them.

Each metric is a column of the trials. A file has those of the metrics that there were when it was
made or last written; the columns of other metrics are added when it is opened for writing.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache

from rxsim.errors import InputError
from rxsim.store.costs import COST_NAMES, create_costs, has_costs

APPLICATION_ID = 0x7278736D  # "rxsm": tells a results file from other SQLite files
VERSION = 1

# `id` stands for a point's key in the trials: five numbers in place of 64 letters, five times.
_SCHEMA = """
CREATE TABLE points (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    model_sha256 TEXT NOT NULL,
    data TEXT,
    data_sha256 TEXT,
    metric TEXT NOT NULL,
    settings TEXT NOT NULL,
    details BLOB
);
CREATE TABLE trials (
    key TEXT NOT NULL UNIQUE,
    point INTEGER NOT NULL REFERENCES points (id),
    trial INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('done', 'failed')),{metrics}
    error TEXT,
    seconds REAL NOT NULL,
    finished TEXT NOT NULL,
    images INTEGER,
    hits BLOB,
    UNIQUE (point, trial)
);
CREATE TABLE sweeps (
    name TEXT PRIMARY KEY,
    text TEXT NOT NULL
);
CREATE TABLE sweep_points (
    sweep TEXT NOT NULL REFERENCES sweeps (name),
    position INTEGER NOT NULL,
    point TEXT NOT NULL,
    axes TEXT,
    PRIMARY KEY (sweep, position)
) WITHOUT ROWID;
"""
_VIEW = """
CREATE VIEW results AS
    SELECT points.model, points.data, trials.trial, trials.status, {metrics}trials.seconds,
        trials.finished, trials.error, points.metric, points.settings, trials.images,
        points.key AS point, trials.key AS key, points.model_sha256, points.data_sha256{costs}
    FROM trials JOIN points ON points.id = trials.point{joined}
"""
_METRIC_NAME = re.compile("[a-z][a-z0-9_]{0,99}")
_BEFORE_METRICS, _AFTER_METRICS = (
    ("trial", "status"),
    ("error", "seconds", "finished", "images", "hits"),
)
_NO_METRICS = {"key", "point", *_BEFORE_METRICS, *_AFTER_METRICS, *COST_NAMES}
FIRST_METRICS = ("accuracy", "top5", "mse", "agreement", "snr_db", "relative_difference")
"""What files have had from the beginning. Older trials say nothing of any other metric."""

POINT_COLUMNS = ("key", "model", "model_sha256", "data", "data_sha256", "metric", "settings")
INSERT_POINT = (
    f"INSERT INTO points ({', '.join(POINT_COLUMNS)}, details) "
    f"VALUES ({', '.join('?' * len(POINT_COLUMNS))}, ?) ON CONFLICT (key) DO UPDATE "
    "SET details = excluded.details WHERE details IS NULL AND excluded.details IS NOT NULL"
)
"""Takes a point's columns and its details; a point that is there gets details that it lacked."""


def create_tables(connection: sqlite3.Connection, metrics: Sequence[str]) -> None:
    """Make the tables, with a column for each metric; inside a transaction.

    Raises:
        InputError: a metric's name can't be that of a column.
    """
    columns = "".join(f'\n    "{name}" REAL,' for name in _checked(metrics))
    for statement in filter(str.strip, _SCHEMA.replace("{metrics}", columns).split(";")):
        connection.execute(statement)
    create_costs(connection)
    _create_view(connection, metrics)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def add_columns(connection: sqlite3.Connection, metrics: Sequence[str]) -> None:
    """Add columns for metrics that a file has not; inside a transaction.

    Raises:
        InputError: a metric's name can't be that of a column.
    """
    present = metrics_in(connection)  # another process may just have added them
    new = [name for name in _checked(metrics) if name not in present]
    for name in new:
        connection.execute(f'ALTER TABLE trials ADD COLUMN "{name}" REAL')
    if new:
        connection.execute("DROP VIEW results")
        _create_view(connection, (*present, *new))


def add_costs_table(connection: sqlite3.Connection) -> None:
    """Add the table of prices to a file that has none; inside a transaction."""
    if has_costs(connection):  # another process may just have added it
        return
    create_costs(connection)
    connection.execute("DROP VIEW results")
    _create_view(connection, metrics_in(connection))


def metrics_in(connection: sqlite3.Connection) -> tuple[str, ...]:
    """List the metrics that a file has columns for, whether this installation knows them or not."""
    columns = connection.execute("SELECT name, type FROM pragma_table_info('trials')").fetchall()
    return tuple(
        name
        for name, kind in columns
        if kind == "REAL" and name not in _NO_METRICS and _METRIC_NAME.fullmatch(name)
    )


def trial_columns(metrics: Sequence[str]) -> tuple[str, ...]:
    """List a trial's columns but the keys, as SQL, for a file with these metrics."""
    return (*_BEFORE_METRICS, *(f'"{name}"' for name in metrics), *_AFTER_METRICS)


@cache
def insert_trial(metrics: tuple[str, ...]) -> str:
    """Return a statement that takes a trial's key, its point's key and its columns.

    A finished trial stays as it is. Of two failures the later one stays, so that no order of adding
    or merging gives other rows.
    """
    columns = trial_columns(metrics)
    return (
        f"INSERT INTO trials (key, point, {', '.join(columns)}) "
        f"VALUES (?, (SELECT id FROM points WHERE key = ?), {', '.join('?' * len(columns))}) "
        "ON CONFLICT (key) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in columns)
        + " WHERE trials.status = 'failed' AND (excluded.status = 'done' OR (excluded.finished, "
        "ifnull(excluded.error, '')) > (trials.finished, ifnull(trials.error, '')))"
    )


def _create_view(connection: sqlite3.Connection, metrics: Iterable[str]) -> None:
    columns = "".join(f'trials."{name}", ' for name in metrics)
    view = _VIEW.replace("{metrics}", columns)
    priced = has_costs(connection)
    costs = "".join(f", costs.{name}" for name in COST_NAMES) if priced else ""
    joined = " LEFT JOIN costs ON costs.point = points.id" if priced else ""
    connection.execute(view.replace("{costs}", costs).replace("{joined}", joined))


def _checked(metrics: Sequence[str]) -> Sequence[str]:
    for name in metrics:
        if name in _NO_METRICS or not _METRIC_NAME.fullmatch(name):
            raise InputError(
                f"found a metric {name!r}, expected small letters, digits and _, and none of "
                f"{', '.join(sorted(_NO_METRICS))}, which are columns already; rename its file in "
                "rxsim/metrics"
            )
    return metrics
