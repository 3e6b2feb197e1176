"""Trials by point: means, spreads and intervals of a quantity, and which settings differ."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import special

from rxsim.errors import InputError
from rxsim.metrics import NO_METRIC, all_metrics, chosen_metric, truth_for
from rxsim.statistics import LEVEL, Interval, population_interval, within
from rxsim.store.coding import SettingsReader, axes_of, hits_of, images_in
from rxsim.store.database import Results
from rxsim.store.rows import PointCost
from rxsim.store.varying import Head, find_varying

_CHUNK = 100
"""Points whose hits are held at once."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PointSummary:
    """A point's trials in a few numbers.

    Attributes:
        key: the point's.
        model: the network's file name.
        data: name of the data; None where inputs were made up.
        metric: what `--metric` said: top1, top5, mse, .., or none.
        values: the summary's `names` and `more` -> value.
        done: finished trials.
        failed: failed trials.
        mean: over chips; None where a finished trial lacks the quantity, or none is finished.
        std: over chips; None for fewer than two.
        interval: of the mean, 95 %; None for fewer than two chips without hits.
        seconds: mean wall time of a trial.
        images: how many inputs were evaluated; None where that is not known.
        costs: prices that are known, by the names of `rxsim.store.COST_NAMES`.
    """

    key: str
    model: str
    data: str | None
    metric: str
    values: Mapping[str, Any]
    done: int
    failed: int
    mean: float | None
    std: float | None
    interval: tuple[float, float] | None
    seconds: float
    images: int | None = None
    costs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """All points of a selection.

    Attributes:
        quantity: what mean, std and interval are of.
        names: what tells the points apart: "model", "data" and "images" (how many were evaluated)
            where they vary, then the axes of the sweep or else all settings that vary, and "point"
            (the key's first digits) where points are alike in all of these.
        points: in the sweep's order, or by what varies.
        more: settings that vary and are not among the names, such as those tied to an axis.
    """

    quantity: str
    names: tuple[str, ...]
    points: tuple[PointSummary, ...]
    more: tuple[str, ...] = ()


def summarise(
    results: Results,
    *,
    sweep: str | None = None,
    quantity: str | None = None,
    images: bool = False,
) -> Summary:
    """Summarise the trials of a file, or of a sweep in it, by point.

    Args:
        results: the file.
        sweep: name of a sweep in it; points that have no trial yet are left out. Where left
            out, and the file holds a single sweep with all its points, the names are its axes' too.
        quantity: a metric; where left out, the metric that the points were evaluated for.
        images: intervals for new images too, from the hits; of the accuracy only, and where all
            finished trials of a point have hits of the same images.

    Raises:
        InputError: there is no such sweep or quantity.
    """
    known = [name for name in all_metrics() if name in results.metrics]
    if quantity is not None and quantity not in known:
        near = difflib.get_close_matches(quantity, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "choose one of them"
        raise InputError(
            f"the quantity {quantity} is not known, expected one of {', '.join(known)}; {hint}"
        )
    with results.snapshot():
        heads = _heads(results, sweep)
        quantity = quantity or _usual_quantity(results, heads)
        numbers = _numbers(results, heads, quantity)
        intervals = numbers.intervals
        if images and quantity == "accuracy":
            for place, interval in _new_images(results, heads).items():
                intervals[place] = interval
        axes = _axes(results, sweep, heads)
        priced = results.costs()
    varying = find_varying(heads, axes)
    names = (*varying.names, *varying.more)
    columns = [varying.columns[name] for name in names]
    points = [
        PointSummary(
            key=head.key,
            model=head.model,
            data=head.data,
            metric=head.metric,
            values=dict(zip(names, [column[place] for column in columns], strict=True)),
            done=int(numbers.done[place]),
            failed=int(numbers.failed[place]),
            mean=_plain(numbers.mean[place]),
            std=_plain(numbers.std[place]),
            interval=intervals[place],
            seconds=float(numbers.seconds[place]),
            images=head.images,
            costs=_known(priced.get(head.key)),
        )
        for place, head in enumerate(heads)
    ]
    if sweep is None:
        points.sort(key=lambda point: [sort_key(point.values[name]) for name in varying.names])
    return Summary(quantity, varying.names, tuple(points), varying.more)


def sort_key(value: Any) -> tuple[int, float, str]:
    """Return what orders the values of a setting: none, numbers by size, then others as text."""
    if value is None:
        return 0, 0.0, ""
    if isinstance(value, int | float):
        return 1, float(value), ""
    return 2, 0.0, value if isinstance(value, str) else json.dumps(value)


def failures(results: Results, sweep: str | None = None) -> list[tuple[str, int]]:
    """Return why trials failed and how many did, the most frequent first.

    Args:
        results: the file.
        sweep: name of a sweep in it.

    Raises:
        InputError: there is no such sweep.
    """
    among, values = _selection(results, sweep)
    sql = (
        "SELECT ifnull(error, 'no reason was recorded'), count(*) FROM trials JOIN points "
        f"ON points.id = trials.point WHERE status = 'failed'{among} GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    return [(str(error), int(count)) for error, count in results.rows(sql, values)]


def chip_values(results: Results, quantity: str) -> dict[str, tuple[tuple[int, ...], np.ndarray]]:
    """Return the numbers of the finished chips and a quantity of each, by the point's key.

    Args:
        results: the file.
        quantity: a metric of the file; chips without a finite value are left out.
    """
    if quantity not in results.metrics:
        raise ValueError(f"no quantity: {quantity}")
    sql = (
        f"SELECT point, trial, \"{quantity}\" FROM trials WHERE status = 'done' "
        f'AND "{quantity}" IS NOT NULL ORDER BY point, trial'
    )
    with results.snapshot():
        keys = dict(results.rows("SELECT id, key FROM points"))
        rows = [row for row in results.rows(sql) if row[0] in keys]
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    table = table[np.isfinite(table[:, 2])]
    points, first = np.unique(table[:, 0], return_index=True)
    ends = [*first.tolist(), len(table)]
    trials, values = table[:, 1].astype(np.int64).tolist(), table[:, 2].copy()
    by_point: dict[str, tuple[tuple[int, ...], np.ndarray]] = {}
    alike: dict[tuple[int, ...], tuple[int, ...]] = {}  # points mostly have the same chips
    for place, point in enumerate(points.tolist()):
        span = slice(ends[place], ends[place + 1])
        chips = tuple(trials[span])
        by_point[keys[point]] = alike.setdefault(chips, chips), values[span]
    return by_point


def _selection(results: Results, sweep: str | None) -> tuple[str, tuple[str, ...]]:
    """Return a condition on points.key, and what to bind to it."""
    if sweep is None:
        return "", ()
    known = [name for (name,) in results.rows("SELECT name FROM sweeps ORDER BY name")]
    if sweep not in known:
        listed = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
        raise InputError(
            f"{results.path} has no sweep {sweep!r}, "
            + (f"expected one of {listed}" if known else "and no other")
            + "; leave it out for all points"
        )
    return " AND points.key IN (SELECT point FROM sweep_points WHERE sweep = ?)", (sweep,)


def _heads(results: Results, sweep: str | None) -> list[Head]:
    """Read the points that have trials, in the sweep's order or by key."""
    among, values = _selection(results, sweep)
    sql = (
        "SELECT id, key, model, model_sha256, data, data_sha256, metric, settings, "
        "(SELECT max(images) FROM trials WHERE trials.point = points.id) FROM points "
        f"WHERE EXISTS (SELECT 1 FROM trials WHERE trials.point = points.id){among} ORDER BY key"
    )
    read = SettingsReader().read
    rows = results.rows(sql, values)
    counts = _images_in_details(results, [row[0] for row in rows if row[-1] is None])
    rows = [(*row[:-1], counts.get(row[0], row[-1])) for row in rows]
    heads = [
        Head(
            row=row,
            key=key,
            model=model,
            model_sha256=model_hash,
            data=data,
            data_sha256=data_hash,
            metric=metric,
            settings=read(text, key),
            images=images,
        )
        for row, key, model, model_hash, data, data_hash, metric, text, images in rows
    ]
    if sweep is None:
        return heads
    order = results.rows("SELECT point, position FROM sweep_points WHERE sweep = ?", (sweep,))
    places: dict[str, int] = dict(sorted(order, key=lambda pair: -int(pair[1])))
    return sorted(heads, key=lambda head: places[head.key])


def _images_in_details(results: Results, rows: Sequence[int]) -> dict[int, int]:
    """Return how many images were evaluated as the points' details tell, by row."""
    counts = {}
    for start in range(0, len(rows), _CHUNK):
        sql = "SELECT id, key, details FROM points WHERE id IN (SELECT value FROM json_each(?))"
        for row, key, packed in results.rows(sql, (json.dumps(rows[start : start + _CHUNK]),)):
            images = None if packed is None else images_in(packed, key)
            if images is not None:
                counts[row] = images
    return counts


def _axes(
    results: Results, sweep: str | None, heads: Sequence[Head]
) -> list[Mapping[str, Any]] | None:
    """Return what the axes of a sweep set for each point; None where that is not known of all.

    Without a name, it is the file's only sweep, where all points belong to it.
    """
    known = [name for (name,) in results.rows("SELECT name FROM sweeps ORDER BY name")]
    if sweep is None and len(known) != 1:
        return None
    sql = "SELECT point, axes FROM sweep_points WHERE sweep = ? ORDER BY position DESC"
    texts = dict(results.rows(sql, (known[0] if sweep is None else sweep,)))
    values: list[Mapping[str, Any]] = [axes_of(texts.get(head.key), head.key) for head in heads]
    return values if all(values) else None


def _usual_quantity(results: Results, heads: Sequence[Head]) -> str:
    """Return what the points' metric measures; where they have no truth, agreement or else SNR."""
    options = {head.metric for head in heads}
    chosen = {name for option in options if (name := chosen_metric(option)) is not None}
    if len(chosen) == 1 and NO_METRIC not in options:
        return chosen.pop()
    if not options or any(truth_for(option) == "classes" for option in options):
        return "accuracy"
    if chosen:
        return min(chosen)
    agree = next(iter(results.rows("SELECT count(*), count(agreement) FROM trials")))
    return "snr_db" if agree[0] and not agree[1] else "agreement"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Numbers:
    """Numbers of all points as arrays with an entry for each point; nan where there is none."""

    done: np.ndarray
    failed: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    seconds: np.ndarray
    intervals: list[tuple[float, float] | None]


def _numbers(results: Results, heads: Sequence[Head], quantity: str) -> _Numbers:
    """Count and average the trials of all points at once; heads tell the points' order."""
    places = {head.row: place for place, head in enumerate(heads)}
    rows = results.rows(
        f"SELECT point, status = 'done', \"{quantity}\", seconds FROM trials ORDER BY point, trial"
    )
    kept = [row for row in rows if row[0] in places]
    at = np.array([places[row[0]] for row in kept], dtype=np.int64)
    is_done = np.array([row[1] for row in kept], dtype=bool)
    values = np.array([row[2] for row in kept], dtype=np.float64)  # NULL is nan
    spent = np.array([row[3] for row in kept], dtype=np.float64)
    size = len(heads)
    at_done, values = at[is_done], values[is_done]
    done = np.bincount(at_done, minlength=size)
    total = np.bincount(at, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(at_done, weights=values, minlength=size) / done
        squares = np.bincount(at_done, weights=(values - mean[at_done]) ** 2, minlength=size)
        std = np.sqrt(squares / np.where(done > 1, done - 1, np.nan))
        in_done = np.bincount(at_done, weights=spent[is_done], minlength=size) / done
        in_all = np.bincount(at, weights=spent, minlength=size) / total
    return _Numbers(
        done=done,
        failed=total - done,
        mean=mean,
        std=std,
        seconds=np.where(done > 0, in_done, in_all),
        intervals=_chip_intervals(mean, std, done, quantity),
    )


def _chip_intervals(
    mean: np.ndarray, std: np.ndarray, done: np.ndarray, quantity: str
) -> list[tuple[float, float] | None]:
    """Do what `rxsim.statistics.chip_interval` does, for all points at once."""
    counts, back = np.unique(done, return_inverse=True)
    factors = special.stdtrit(np.maximum(counts - 1, 1), (1 + LEVEL) / 2)[back]
    half = factors * std / np.sqrt(np.maximum(done, 1))
    metric = all_metrics()[quantity]
    low, top = metric.low, metric.high
    lows, highs = np.maximum(mean - half, low).tolist(), np.minimum(mean + half, top).tolist()
    wanted = np.isfinite(half).tolist()
    return [(lows[i], highs[i]) if wanted[i] else None for i in range(len(wanted))]


def _new_images(results: Results, heads: Sequence[Head]) -> dict[int, tuple[float, float] | None]:
    """Return intervals over chips and images by place, for the points whose trials have hits."""
    intervals: dict[int, tuple[float, float] | None] = {}
    for start in range(0, len(heads), _CHUNK):
        places = {head.row: start + i for i, head in enumerate(heads[start : start + _CHUNK])}
        tables: dict[int, list[np.ndarray | None]] = {}
        rows = results.rows(
            "SELECT point, hits, images, key FROM trials WHERE status = 'done' AND point IN "
            "(SELECT value FROM json_each(?)) ORDER BY point, trial",
            (json.dumps(list(places)),),
        )
        for row, packed, images, key in rows:
            hits = None if packed is None else hits_of(packed, images, key)
            tables.setdefault(places[row], []).append(hits)
        for place, hits_of_chips in tables.items():
            table = [hits for hits in hits_of_chips if hits is not None]
            if len(table) == len(hits_of_chips) and len({len(hits) for hits in table}) == 1:
                intervals[place] = _bounds(population_interval(np.stack(table)))
    return intervals


def _bounds(interval: Interval | None) -> tuple[float, float] | None:
    cut = within(interval, 0.0, 1.0)
    return None if cut is None else (cut.low, cut.high)


def _known(cost: PointCost | None) -> dict[str, float]:
    values = {} if cost is None else cost.values
    return {name: value for name, value in values.items() if value is not None}


def _plain(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None
