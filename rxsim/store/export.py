"""Write a results file as CSV, JSON lines or Parquet: one row a trial."""

from __future__ import annotations

import csv
import importlib
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rxsim.dotted import flat
from rxsim.errors import InputError
from rxsim.files import check_destination, write_atomically
from rxsim.store.coding import settings_of
from rxsim.store.costs import COST_NAMES
from rxsim.store.database import Results

_POINT = ("model", "model_sha256", "data", "data_sha256", "metric")
_BEFORE, _AFTER = ("trial", "status"), ("images", "error", "seconds", "finished")
# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_INTEGERS = range(-(2**63), 2**63)


def export_results(results: Results, path: Path) -> int:
    """Write all trials to a file; its ending says how.

    Prices are columns where a point has some. Numbers have all their digits. In CSV, nothing is an
    empty cell, lists are JSON, and text that a spreadsheet would take for a formula gets an apostrophe
    before it.

    Args:
        results: the file that is read.
        path: FILE.csv, .jsonl or .parquet, replaced as a whole.

    Returns:
        How many rows were written.

    Raises:
        InputError: the ending is another, or the path can't be used, or pyarrow is missing.
        WriteError: the file can't be written.
    """
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise InputError(
            f"the output {path} ends in {path.suffix or 'nothing'}, expected "
            f"{', '.join(_WRITERS)}; choose one"
        )
    check_destination(path, [results.path])
    with results.snapshot():
        costs = COST_NAMES if results.costs() else ()
        fixed = ("key", "point", *_POINT, *_BEFORE, *results.metrics, *_AFTER, *costs)
        settings = _settings(results, fixed)
        rows = _rows(results, costs)
    names = tuple(dict.fromkeys(name for values in settings.values() for name in values))
    write_atomically(path, writer(_Table(fixed, results.metrics, rows, names, settings)))
    return len(rows)


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """What is written.

    Attributes:
        fixed: the columns of every results file and its metrics.
        metrics: those of them that are metrics.
        rows: the trials, a value for each of `fixed`; the second is the point's key.
        names: the columns of settings.
        settings: by the point's key, by column.
    """

    fixed: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    names: tuple[str, ...]
    settings: dict[str, dict[str, Any]]


def _settings(results: Results, fixed: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Return every point's settings by column name, by the point's key."""
    return {
        key: {
            f"settings.{name}" if name in fixed else name: value
            for name, value in flat(settings_of(text, key))
        }
        for key, text in results.rows("SELECT key, settings FROM points ORDER BY id")
    }


def _rows(results: Results, costs: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return what `_Table.fixed` names of every trial."""
    columns = (
        *("trials.key", "points.key", *(f"points.{name}" for name in _POINT)),
        *(f'trials."{name}"' for name in (*_BEFORE, *results.metrics, *_AFTER)),
        *(f"costs.{name}" for name in costs),
    )
    joined = "LEFT JOIN costs ON costs.point = points.id " if costs else ""
    return results.rows(
        f"SELECT {', '.join(columns)} FROM trials JOIN points ON points.id = trials.point {joined}"
        "ORDER BY points.key, trials.trial"
    )


def _as_csv(table: _Table) -> bytes:
    stream = io.BytesIO()
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_cell(name) for name in (*table.fixed, *table.names)])
    cells = {
        key: [_cell(values.get(name)) for name in table.names]
        for key, values in table.settings.items()
    }
    for row in table.rows:
        writer.writerow([*map(_cell, row), *cells[row[1]]])
    text.detach()
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool | list):
        return json.dumps(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _as_json_lines(table: _Table) -> bytes:
    stream = io.BytesIO()
    for row in table.rows:
        settings = table.settings[row[1]]
        values = dict(zip(table.fixed, map(_finite, row), strict=True))
        values.update((name, settings.get(name)) for name in table.names)
        line = json.dumps(values, separators=(",", ":"), allow_nan=False)
        stream.write(f"{line}\n".encode())
    return stream.getvalue()


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _as_parquet(table: _Table) -> bytes:
    try:
        arrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(
            "Parquet needs pyarrow, which is not installed; run 'pip install pyarrow', or write "
            ".csv or .jsonl"
        ) from None
    kinds = {
        **dict.fromkeys((*table.metrics, *COST_NAMES), arrow.float64()),
        **dict.fromkeys(("trial", "images"), arrow.int64()),
        "seconds": arrow.float64(),
    }
    columns = {
        name: arrow.array([row[place] for row in table.rows], kinds.get(name, arrow.string()))
        for place, name in enumerate(table.fixed)
    }
    for name in table.names:
        values = [table.settings[row[1]].get(name) for row in table.rows]
        columns[name] = _settings_column(arrow, values)
    stream = io.BytesIO()
    parquet.write_table(arrow.table(columns), stream)
    return stream.getvalue()


def _settings_column(arrow: Any, values: list[Any]) -> Any:
    """Return a column of the narrowest type that holds all values exactly, else of JSON text."""
    present = [value for value in values if value is not None]
    kinds = {type(value) for value in present}
    if kinds == {bool}:
        return arrow.array(values, arrow.bool_())
    if kinds == {str}:
        return arrow.array(values, arrow.string())
    if kinds == {int} and all(value in _INTEGERS for value in present):
        return arrow.array(values, arrow.int64())
    if kinds and kinds <= {int, float} and all(float(value) == value for value in present):
        floats = [None if value is None else float(value) for value in values]
        return arrow.array(floats, arrow.float64())
    texts = [None if value is None else _text(value) for value in values]
    return arrow.array(texts, arrow.string())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_WRITERS: dict[str, Callable[[_Table], bytes]] = {
    ".csv": _as_csv,
    ".jsonl": _as_json_lines,
    ".parquet": _as_parquet,
}
