"""The result of an evaluation: plain values, and their JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from rxsim.cost.price.network import NetworkCost
from rxsim.devices import Pulses
from rxsim.errors import InputError
from rxsim.metrics import all_metrics, chosen_metric, truth_for
from rxsim.patch import PatchedNetwork
from rxsim.pipeline.inspect.transformation import Transformation
from rxsim.pipeline.ladder.chip_yield import ChipYield, chip_yield
from rxsim.pipeline.ladder.compensation import Compensation
from rxsim.pipeline.ladder.enough_chips import ChipsNeeded
from rxsim.pipeline.ladder.inventory import Inventory, LayerPlace
from rxsim.pipeline.ladder.rung import Rung, plain_value
from rxsim.statistics import LEVEL

SCHEMA_VERSION = 1


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
        plain = {name: plain_value(v) for name, v in {**values.pop("place"), **values}.items()}
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
        chips_needed: how many chips the mean took; None where their number was given.
        compensation: what its steps did; None where there are none.
        yield_at: the loss for which the share of chips within it is wanted, in the unit of the metric's
            figures; None for no such loss.
        cost: of the network on its hardware, the arrays' energy that of the first chip; None where the
            settings ask for none.
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
    chips_needed: ChipsNeeded | None = None
    compensation: Compensation | None = None
    yield_at: float | None = None
    cost: NetworkCost | None = None

    @property
    def chip_yield(self) -> ChipYield | None:
        """What the losses of the last rung's chips tell about all chips; None where none are drawn."""
        if self.deterministic:
            return None
        return chip_yield(self.ladder[-1], self.ladder[0], self.metric, self.yield_at)

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
            **self._compensation(),
            **({} if self.cost is None else {"cost": self.cost.as_json()}),
            "statistics": self._statistics(),
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

    def _compensation(self) -> dict[str, Any]:
        """What the steps of compensation did, where there are some."""
        return {} if self.compensation is None else {"compensation": self.compensation.as_json()}

    def _statistics(self) -> dict[str, Any]:
        """How the intervals of the chosen metric were made, and what is told of chips besides."""
        main, needed, told = chosen_metric(self.metric), self.chips_needed, self.chip_yield
        methods = {} if main is None else {rung.name: rung.methods(main) for rung in self.ladder}
        return {
            "confidence": LEVEL,
            "interval_method": {name: each for name, each in methods.items() if each is not None},
            **({} if needed is None else {"until_ci": needed.as_json()}),
            "yield": None if told is None else told.as_json(),
        }

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
