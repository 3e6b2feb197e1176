"""The result of an evaluation: plain values, and their JSON form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from rxsim.devices import Pulses
from rxsim.errors import InputError
from rxsim.metrics import Metric, all_metrics, truth_for
from rxsim.patch import PatchedNetwork
from rxsim.pipeline.inspect.transformation import Transformation
from rxsim.pipeline.ladder.inventory import Inventory, LayerPlace
from rxsim.run import Scores
from rxsim.statistics import Interval, chip_interval, population_interval, within

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Rung:
    """One rung of the ladder: one run, or one a chip.

    Attributes:
        name: float32, weights, ideal or nonideal.
        trials: scores of each run.
    """

    name: str
    trials: tuple[Scores, ...]

    def table(self, name: str) -> np.ndarray | None:
        """Return a metric of every run and input, (runs, inputs); None where it was not measured.

        Raises:
            InputError: there is no metric of this name.
        """
        if name not in all_metrics():
            raise InputError(
                f"metric: found {name!r}, expected one of {', '.join(all_metrics())}; choose one of "
                "these"
            )
        parts = [part for run in self.trials if (part := run.each(name)) is not None]
        return np.stack(parts) if parts else None

    def summary(self) -> dict[str, Any]:
        """Return the rung's numbers by name."""
        values: dict[str, Any] = {"trials": len(self.trials)}
        for name, metric in all_metrics().items():
            if metric.kind == "whole":
                values[name] = _whole([run.mean(name) for run in self.trials])
            else:
                table = self.table(name)
                values[name] = None if table is None else _statistics(table, metric)
        return values


@dataclass(frozen=True, slots=True, eq=False)
class AtTime:
    """The built chips at one time.

    Attributes:
        seconds: after programming.
        rung: their scores.
        drift_factors: of the first chip, by layer name, where drift is compensated; with a factor for
            each column their mean.
    """

    seconds: float
    rung: Rung
    drift_factors: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON: the rung's numbers and the predictions of each chip."""
        predictions = [run.predictions.tolist() for run in self.rung.trials]
        factors = {"drift_factors": dict(self.drift_factors)} if self.drift_factors else {}
        numbers = {"time": self.seconds, **self.rung.summary(), **factors}
        return {**numbers, "predictions": predictions}


@dataclass(frozen=True, slots=True)
class ArrayLoss:
    """What the wires of one array take.

    Attributes:
        layer: its layer's name.
        array: its index in the layer.
        loss: share of the array's current, all used rows driven alike.
    """

    layer: str
    array: int
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReport:
    """One row of the table by layer.

    Attributes:
        place: the layer on its arrays.
        input_max: x_max of its DACs.
        signed_input: whether they are driven both ways.
        snr_db_ideal: signal to noise with perfect wires and devices; None where that was not run.
        snr_db: signal to noise of the first chip.
        dac_clipping: share of inputs that saturate their DAC on the first chip; None without DAC.
        adc_clipping: saturated conversions over all conversions of it; None without ADC.
        transformation: error against full solutions, where its arrays are not linear; else None.
        drift_factor: factor of the first chip that compensates drift, with one for each column their
            mean; None where there is none.
        pulses: what programming and verifying the first chip's cells took; None where cells are not
            verified.
    """

    place: LayerPlace
    input_max: float
    signed_input: bool
    snr_db_ideal: float | None
    snr_db: float | None
    dac_clipping: float | None
    adc_clipping: float | None
    transformation: Transformation | None = None
    drift_factor: float | None = None
    pulses: Pulses | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON, the place's too; `programming` where cells are verified."""
        values = {**asdict(self), "place": self.place.as_json()}
        del values["pulses"]
        if self.drift_factor is None:
            del values["drift_factor"]
        plain = {name: _plain(v) for name, v in {**values.pop("place"), **values}.items()}
        return {**plain, **_programming(self.pulses)}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evaluation:
    """All that an evaluation found.

    Attributes:
        ladder: the rungs, float32 first.
        layers: the mapped layers.
        inventory: what is mapped and what stayed digital.
        settings: resolved settings, plain.
        provenance: versions, hashes, data, sample indices.
        labels: of the evaluated inputs, or None.
        indices: their places in the data, or None.
        diagnosed: how many of the evaluated inputs the numbers by layer come from.
        metric: what `--metric` says: top1, top5, mse, .., or none.
        deterministic: nothing in the settings is random: all chips are the same.
        seconds: wall time by stage.
        first_chip: the patched network of the first chip; not part of the JSON form.
        totals: arrays, cells, and ADC conversions for one input; None where a shape is unknown.
        worst_arrays: those of the first chip that lose most current to their wires, worst first.
        remarks: what has to be said of the result, a sentence each by its name: output_does_not_vary,
            single_value, fresh_read_noise, not_aged.
        over_time: the built chips at each time that was asked for, in that order.
    """

    ladder: tuple[Rung, ...]
    layers: tuple[LayerReport, ...]
    inventory: Inventory
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]
    labels: np.ndarray | None
    indices: np.ndarray | None
    diagnosed: int
    metric: str
    deterministic: bool
    seconds: Mapping[str, float]
    first_chip: PatchedNetwork
    totals: Mapping[str, int | None]
    worst_arrays: tuple[ArrayLoss, ...]
    remarks: Mapping[str, str] = field(default_factory=dict)
    over_time: tuple[AtTime, ...] = ()

    @property
    def pulses(self) -> Pulses | None:
        """What programming the first chip took; None where cells are not verified."""
        total: Pulses | None = None
        for row in self.layers:
            if row.pulses is not None and row.place.shared_with is None:
                total = row.pulses if total is None else total + row.pulses
        return total

    def rung(self, name: str) -> Rung:
        """Return a rung by name.

        Raises:
            InputError: the evaluation has none of this name.
        """
        rungs = {rung.name: rung for rung in self.ladder}
        if name not in rungs:
            raise InputError(
                f"rung: found {name!r}, expected one of {', '.join(rungs)}; choose one of these"
            )
        return rungs[name]

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON; everything but `timing` repeats for the same seed."""
        return {
            "schema_version": SCHEMA_VERSION,
            "ladder": {rung.name: rung.summary() for rung in self.ladder},
            **self._over_time(),
            **({"remarks": dict(self.remarks)} if self.remarks else {}),
            "metric": self.metric,
            "deterministic": self.deterministic,
            "layers": [row.as_json() for row in self.layers],
            "layers_from_inputs": self.diagnosed,
            "digital": [dict(row) for row in self.inventory.digital],
            "shares": dict(self.inventory.shares),
            "totals": dict(self.totals),
            **_programming(self.pulses),
            "worst_arrays": [asdict(array) for array in self.worst_arrays],
            "settings": dict(self.settings),
            "provenance": dict(self.provenance),
            "images": {
                "indices": _listed(self.indices),
                "labels": _listed(self.labels) if truth_for(self.metric) == "classes" else None,
                "predictions": {
                    rung.name: [run.predictions.tolist() for run in rung.trials]
                    for rung in self.ladder
                },
                **self._hits(),
            },
            "timing": {"seconds": dict(self.seconds)},
        }

    def _over_time(self) -> dict[str, Any]:
        """The rungs at each time, where any time was asked for."""
        if not self.over_time:
            return {}
        return {"over_time": [at_time.as_json() for at_time in self.over_time]}

    def _hits(self) -> dict[str, Any]:
        """Hits of each image, for metrics that predictions and labels do not give."""
        names = [name for name, metric in all_metrics().items() if metric.kind == "hits"]
        return {
            f"{name}_hits": {
                rung.name: [
                    None if (hits := run.each(name)) is None else hits.astype(int).tolist()
                    for run in rung.trials
                ]
                for rung in self.ladder
            }
            for name in names
            if name != "accuracy"
        }


def _programming(pulses: Pulses | None) -> dict[str, Any]:
    """What programming took, where cells are verified."""
    if pulses is None:
        return {}
    each = pulses.total / pulses.cells if pulses.cells else None
    return {
        "programming": {
            "cells": pulses.cells,
            "pulses_per_cell": each,
            "worst": pulses.worst,
            "not_accepted": pulses.not_accepted,
        }
    }


def _listed(values: np.ndarray | None) -> list[Any] | None:
    return None if values is None else list(values.tolist())


def _statistics(table: np.ndarray, metric: Metric) -> dict[str, Any]:
    """Mean, spread over chips, and both intervals of a metric of each input, (chips, inputs)."""
    chips = table.mean(axis=1)
    these, new = chip_interval(chips), population_interval(table)
    return {
        "mean": float(chips.mean()),
        "std": float(chips.std(ddof=1)) if len(chips) > 1 else None,
        "interval_these_images": _bounds(within(these, metric.low, metric.high)),
        "interval_new_images": _bounds(within(new, metric.low, metric.high)),
        "per_trial": chips.tolist(),
    }


def _whole(each: list[float | None]) -> dict[str, Any] | None:
    """Mean and single values of a metric that is one number a run; None where it was not measured."""
    values = [value for value in each if value is not None]
    if not values:
        return None
    return {"mean": _plain(_mean(values)), "per_trial": [_plain(value) for value in values]}


def _bounds(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if all(map(math.isfinite, values)) else values[0]


def _plain(value: Any) -> Any:
    """Write an infinite ratio (no noise at all) as null: JSON has no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
