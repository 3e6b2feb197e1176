"""The contents of a results file or an evaluation, for reports and figures: points with their chips."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rxsim.counted import counted
from rxsim.errors import InputError
from rxsim.files import read_json
from rxsim.metrics import chosen_metric
from rxsim.report.compensation_rows import built_rung
from rxsim.report.json_values import as_list, as_number, as_text, at
from rxsim.report.labels import QUANTITIES, Quantity, flat, shortened
from rxsim.report.point_costs import costs_by_key, costs_of
from rxsim.statistics import chip_interval, within
from rxsim.store import (
    Point,
    PointSummary,
    Results,
    Trial,
    open_results,
    summarise,
)
from rxsim.store.summary import chip_values

_SQLITE = b"SQLite format 3\x00"
_LARGEST_JSON = 500_000_000
_GIVE = (
    "give the results file of 'rxsim sweep' or 'rxsim search', or what 'rxsim eval --json', 'rxsim "
    "explain --json' or 'rxsim cost --json' wrote"
)
_AT_ONCE = 500  # points whose details are in memory together


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Row:
    """A point with the numbers that figures draw.

    Attributes:
        key: of the point.
        model: the network's name.
        data: name of the data, or None.
        settings: value of every name that varies, see `Material.names` and `Material.more`.
        done: evaluated chips.
        failed: chips that failed.
        mean: of the quantity over chips; None where no chip is done.
        std: over chips; None for fewer than two.
        interval: of the mean, 95 %; None where a single chip tells nothing about others.
        seconds: mean time of a chip.
        chips: numbers of the chips that have a value.
        values: the quantity of each of them, (chips,).
        costs: arrays, conversions, bits and prices, those that are known.
        reference: the quantity of the float network, or None.
        images: evaluated inputs; None where that is not known.
    """

    key: str
    model: str
    data: str | None
    settings: Mapping[str, Any]
    done: int
    failed: int
    mean: float | None
    std: float | None
    interval: tuple[float, float] | None
    seconds: float = 0.0
    chips: tuple[int, ...] = ()
    values: np.ndarray = field(default_factory=lambda: np.empty(0))
    costs: Mapping[str, float] = field(default_factory=dict)
    reference: float | None = None
    images: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The point that is shown in detail.

    Attributes:
        point: with details and all settings.
        trials: its chips, hits included where they are kept.
        built: the rung of the built chips as `rxsim eval --json` writes it; None: computed from the
            trials.
    """

    point: Point
    trials: tuple[Trial, ...] = ()
    built: Mapping[str, Any] | None = None

    @property
    def rung(self) -> str:
        """Name of the rung of the built chips: nonideal, or compensated."""
        return built_rung(self.point.details)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Material:
    """All that a report is made of.

    Attributes:
        name: of the file.
        quantity: the quantity that is compared.
        names: settings (and network, data) that tell points apart, see `rxsim.store.Summary`.
        rows: the points, in the order of the sweep.
        chosen: the point that is shown in detail; None where no point can be.
        failures: chips that failed.
        sweeps: name and text of the sweep files.
        new_images: whether a point's interval holds for new images too.
        more: settings that vary and are not among the names.
        deterministic: all points tell that nothing in them is random.
    """

    name: str
    quantity: Quantity
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    chosen: Chosen | None
    failures: tuple[Trial, ...] = ()
    sweeps: tuple[tuple[str, str], ...] = ()
    new_images: bool = False
    more: tuple[str, ...] = ()
    deterministic: bool = False

    def best(self) -> Row | None:
        """Return the point with the best mean."""
        return _extreme(self.rows, self.quantity.higher)

    def worst(self) -> Row | None:
        """Return the point with the worst mean."""
        return _extreme(self.rows, not self.quantity.higher)


def _extreme(rows: Iterable[Row], highest: bool) -> Row | None:
    with_mean = [row for row in rows if row.mean is not None]
    choose = max if highest else min
    return choose(with_mean, key=lambda row: row.mean or 0.0, default=None)


def read_material(
    path: Path,
    *,
    sweep: str | None = None,
    quantity: str | None = None,
    point: str | None = None,
    new_images: bool = False,
    details: bool = True,
) -> Material:
    """Read a results file, or what `rxsim eval --json` wrote.

    Args:
        path: the file.
        sweep: only the points of this sweep.
        quantity: the quantity that is compared; None: as the file's metric says.
        point: key (or its beginning) of the point to show in detail; None: the best point.
        new_images: intervals for new images too, where hits are kept.
        details: read ladders and costs; without, rows have no costs and nothing is chosen.

    Raises:
        InputError: the file is not of these kinds or holds nothing, or a name is unknown.
    """
    try:
        with path.open("rb") as handle:
            beginning = handle.read(len(_SQLITE))
    except OSError as error:
        raise InputError(
            f"the results {path} can't be read: {error.strerror or error}; check the path"
        ) from None
    if beginning.lstrip()[:1] == b"{":
        if sweep is not None:
            raise InputError(
                f"found --sweep with {path}, which holds one evaluation; leave the option out"
            )
        return _from_json(path, quantity, point)
    if beginning != _SQLITE:
        raise InputError(
            f"{path} is neither a results file nor the JSON of an evaluation or an explanation; {_GIVE}"
        )
    with open_results(path) as results:
        return _from_results(results, sweep, quantity, point, new_images, details)


def _from_results(
    results: Results,
    sweep: str | None,
    quantity: str | None,
    point: str | None,
    new_images: bool,
    details: bool,
) -> Material:
    summary = summarise(results, sweep=sweep, quantity=quantity, images=new_images)
    if not summary.points:
        raise InputError(
            f"{results.path} holds no points yet; run 'rxsim sweep' into it, or give another file"
        )
    unit = QUANTITIES[summary.quantity]
    chips = chip_values(results, summary.quantity)
    failed = [of_point.key for of_point in summary.points if of_point.failed]
    trials = results.trials(failed) if failed else []
    costs_of_points = costs_by_key(results, summary.points, summary.quantity) if details else {}
    rows = []
    nothing: tuple[tuple[int, ...], np.ndarray] = (), np.empty(0)
    for of_point in summary.points:
        numbers, values = chips.get(of_point.key, nothing)
        costs, reference = costs_of_points.get(of_point.key, ({}, None))
        rows.append(
            Row(
                key=of_point.key,
                model=of_point.model,
                data=of_point.data,
                settings=of_point.values,
                done=of_point.done,
                failed=of_point.failed,
                mean=of_point.mean,
                std=of_point.std,
                interval=of_point.interval,
                seconds=of_point.seconds,
                chips=numbers,
                values=values,
                costs=costs,
                reference=reference,
                images=of_point.images,
            )
        )
    sweeps = [stored for stored in results.sweeps() if sweep in (None, stored.name)]
    material = Material(
        name=results.path.name,
        quantity=unit,
        names=tuple(summary.names),
        rows=tuple(rows),
        chosen=None,
        failures=tuple(trial for trial in trials if trial.status == "failed"),
        sweeps=tuple((stored.name, stored.text) for stored in sweeps),
        new_images=new_images,
        more=summary.more,
        deterministic=details and _all_deterministic(results, summary.points),
    )
    return _with_chosen(material, results, point) if details else material


def _with_chosen(material: Material, results: Results, point: str | None) -> Material:
    best = material.best() or material.rows[0]
    key = best.key if point is None else _by_prefix(material.rows, point)
    (shown,) = results.points([key], details=True)
    trials = tuple(trial for trial in results.trials([key], hits=True) if trial.status == "done")
    return replace(material, chosen=Chosen(shown, trials))


def _all_deterministic(results: Results, points: Sequence[PointSummary]) -> bool:
    """Tell whether nothing is random in any point; reading stops at the first where something is."""
    keys = [] if any(point.std for point in points) else [p.key for p in points if p.done]
    return bool(keys) and all(
        at(point.details, "deterministic") is True
        for start in range(0, len(keys), _AT_ONCE)
        for point in results.points(keys[start : start + _AT_ONCE], details=True)
    )


def _by_prefix(rows: Sequence[Row], prefix: str) -> str:
    keys = [row.key for row in rows if prefix and row.key.startswith(prefix.lower())]
    if len(keys) != 1:
        raise InputError(
            f"--point: found {shortened(prefix)!r}, the beginning of {counted(len(keys), 'key')} "
            f"among those of {counted(len(rows), 'point')}, expected the beginning of one key; "
            "'rxsim results show' lists them"
        )
    return keys[0]


def _from_json(path: Path, quantity: str | None, point: str | None) -> Material:
    """Take an evaluation as the only point."""
    content = read_json(path, f"the evaluation {path}", _LARGEST_JSON)
    parts = {name: at(content, name) for name in ("ladder", "settings", "provenance")}
    built = at(parts["ladder"], built_rung(content))
    if not all(isinstance(part, Mapping) for part in (*parts.values(), built)):
        raise InputError(
            f"{path} is JSON but no evaluation (it has no ladder, settings or provenance) and no "
            f"explanation; {_GIVE}"
        )
    metric = as_text(at(content, "metric")) or "top1"
    unit = QUANTITIES[quantity or _default_quantity(metric, built)]
    settings = {name: value for name, value in parts["settings"].items() if name != "trials"}
    model = parts["provenance"].get("model")
    data = parts["provenance"].get("data")
    identity = json.dumps([settings, model, data], sort_keys=True, default=str)
    shown = Point(
        key=hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest(),
        model=as_text(at(model, "name")) or "unnamed network",
        model_sha256=as_text(at(model, "sha256")) or "",
        data=as_text(at(data, "name")),
        data_sha256=as_text(at(data, "sha256")),
        settings=settings,
        metric=metric,
        details={
            name: value for name, value in content.items() if name not in ("images", "settings")
        },
    )
    each = [as_number(value) for value in as_list(at(built, unit.name, "per_trial"))]
    chips = [(number, value) for number, value in enumerate(each) if value is not None]
    values = np.array([value for _, value in chips])
    interval = within(chip_interval(values), unit.low, unit.high)
    images = as_number(at(parts["provenance"], "evaluated"))
    row = Row(
        key=shown.key,
        model=shown.model,
        data=shown.data,
        settings={},
        done=len(each),
        failed=0,
        mean=float(values.mean()) if len(values) else None,
        std=float(values.std(ddof=1)) if len(values) > 1 else None,
        interval=None if interval is None else (interval.low, interval.high),
        chips=tuple(number for number, _ in chips),
        values=values,
        costs=costs_of(shown),
        reference=as_number(at(parts["ladder"], "float32", unit.name, "mean")),
        images=None if images is None else int(images),
    )
    if point is not None:
        _by_prefix([row], point)
    return Material(
        name=path.name,
        quantity=unit,
        names=(),
        rows=(row,),
        chosen=Chosen(shown, built=built),
        deterministic=content.get("deterministic") is True,
    )


def _default_quantity(metric: str, built: Any) -> str:
    """Return what the metric measures; else agreement, or SNR where there is no agreement."""
    without_truth = "snr_db" if at(built, "agreement") is None else "agreement"
    return chosen_metric(metric) or without_truth


def common_settings(material: Material) -> dict[str, Any]:
    """Return the settings that all points share, by dotted name."""
    if material.chosen is None:
        return {}
    settings = flat(material.chosen.point.settings)
    varying = {*material.names, *material.more}
    return {name: value for name, value in settings.items() if name not in varying}
