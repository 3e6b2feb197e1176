"""What points cost: a row for each point that was priced, beside its trials.

Files from before there were prices have no such table; it is added when they are opened for writing.
"""

from __future__ import annotations

import math
import sqlite3
from typing import Any

from rxsim.store.rows import PointCost

COST_NAMES = (
    *("energy_j", "area_mm2", "latency_s", "interval_s", "ops_per_j"),
    *("adc_energy_share", "adc_area_share"),
)
"""Names of a point's prices, columns of the table and of the view `results`."""

_COLUMNS = ("point", "accuracy", *COST_NAMES)
_TABLE = (
    "CREATE TABLE costs (point INTEGER PRIMARY KEY REFERENCES points (id), accuracy TEXT, "
    + ", ".join(f"{name} REAL" for name in COST_NAMES)
    + ")"
)
_INDEX = "CREATE INDEX costs_accuracy ON costs (accuracy)"
INSERT_COST = (
    f"INSERT INTO costs ({', '.join(_COLUMNS)}) VALUES ((SELECT id FROM points WHERE key = ?), "
    f"{', '.join('?' * (len(_COLUMNS) - 1))}) ON CONFLICT (point) DO NOTHING"
)
"""Takes what `cost_row` returns; a point keeps the prices that it has."""
SELECT_COSTS = (
    f"SELECT points.key, costs.accuracy, {', '.join(f'costs.{name}' for name in COST_NAMES)} "
    "FROM costs JOIN points ON points.id = costs.point"
)
"""Gives rows as `cost_row` returns them."""


def has_costs(connection: sqlite3.Connection) -> bool:
    """Tell whether a file has the table."""
    sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'costs'"
    return bool(connection.execute(sql).fetchone()[0])


def create_costs(connection: sqlite3.Connection) -> None:
    """Make the table; inside a transaction."""
    connection.execute(_TABLE)
    connection.execute(_INDEX)


def cost_row(key: str, cost: PointCost) -> tuple[Any, ...]:
    """Return the columns of a point's prices; what is not finite is not known."""
    values = (cost.values.get(name) for name in COST_NAMES)
    known = (value if value is not None and math.isfinite(value) else None for value in values)
    return key, cost.accuracy, *known


def cost_of(row: tuple[Any, ...]) -> PointCost:
    """Build a point's prices from what `cost_row` returns."""
    _, accuracy, *values = row
    return PointCost(accuracy=accuracy, values=dict(zip(COST_NAMES, values, strict=True)))
