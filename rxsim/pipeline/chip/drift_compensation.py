"""Drift compensation: a digital factor at reading time that undoes the mean loss of a layer's outputs.

factor = mean |y(t0)| / mean |y(t)|, over a layer or over each of its columns
y: the decoded product before the bias, over the calibration inputs, through this chip's converters

Both are measured on the same inputs: each layer gets what the float network brings to it, so that a
layer's factor does not hold what layers before it lost.
Source: docs/concepts/model.md section 12.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from rxsim.config import Settings, as_plain, settings_changed
from rxsim.patch import LayerHardware, patch_beside
from rxsim.pipeline.study.study import Study
from rxsim.session import Session

Means = dict[str, np.ndarray]
"""Mean |y| of each channel, float64 (channels,), by layer name."""


def is_compensated(settings: Mapping[str, Settings]) -> bool:
    """Tell whether factors are to be measured: they are wanted, and time has passed."""
    return any(
        of_layer.drift_compensation != "none" and of_layer.device.age > 0
        for of_layer in settings.values()
    )


def just_programmed(settings: Settings) -> Settings:
    """Return a layer's settings at the time of its last programming."""
    device = settings.device
    seconds = device.refreshes * (device.refresh or 0.0)
    return settings_changed(settings, {"device.time": seconds}, "just programmed")


class DriftReferences:
    """Mean outputs of chips right after programming: the same for every later time."""

    def __init__(self) -> None:
        """Start without any."""
        self._kept: dict[str, Means] = {}

    def key(self, settings: Mapping[str, Settings], trial: int) -> str:
        """Tell apart what outputs right after programming depend on, within a study."""
        return json.dumps([trial, {name: as_plain(each) for name, each in settings.items()}])

    def kept(self, key: str) -> Means | None:
        """Return what was measured before."""
        return self._kept.get(key)

    def keep(self, key: str, means: Means) -> None:
        """Keep what was measured."""
        self._kept[key] = means


def mean_outputs(study: Study, layers: Sequence[LayerHardware]) -> Means:
    """Measure the mean |y| of every channel of each layer over the calibration inputs.

    Args:
        study: whose calibration inputs and network.
        layers: a chip's hardware, with its converters.
    """
    network = patch_beside(study.network.model, layers)
    names = [name for layer in layers for name in network.products[layer.layer.name]]
    session = Session(network.model, "the network of drift", study.network.fixed_batch, names)
    sums = {layer.layer.name: np.zeros(layer.layer.n_channels) for layer in layers}
    counts = dict.fromkeys(sums, 0)
    with study.stages("drift") as progress:
        for results in session.batches(
            study.calibration, names, batch=study.batch, threads=study.in_flight, progress=progress
        ):
            tensors = dict(zip(names, results, strict=True))
            for layer in layers:
                name = layer.layer.name
                for product in network.products[name]:
                    values = np.moveaxis(tensors[product], layer.layer.channel_axis, -1)
                    flat = np.abs(values.reshape(-1, values.shape[-1]), dtype=np.float64)
                    sums[name] += flat.sum(axis=0)
                    counts[name] += len(flat)
    return {name: total / max(counts[name], 1) for name, total in sums.items()}


def factors_of(before: Means, now: Means, settings: Mapping[str, Settings]) -> Means:
    """Return the factors of each compensated layer, one or one a channel, float64, by its name.

    Args:
        before: mean |y| right after programming.
        now: at the time of the read.
        settings: by layer name.
    """
    factors: Means = {}
    for name, means in before.items():
        kind = settings[name].drift_compensation
        if kind == "none" or settings[name].device.age == 0:
            continue
        if kind == "layer":
            factors[name] = _ratio(means.mean(keepdims=True), now[name].mean(keepdims=True))
        else:
            factors[name] = _ratio(means, now[name])
    return factors


def _ratio(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Divide; what is 0 then or now has no factor, and keeps its outputs."""
    known = (before > 0) & (now > 0)
    return np.where(known, before / np.where(known, now, 1.0), 1.0)
