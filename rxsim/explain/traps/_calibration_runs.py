"""A few calibration inputs seen by the float network, and by nominal hardware whose ADCs are open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from rxsim.explain.evidence import Evidence
from rxsim.onnx_graph import with_outputs
from rxsim.patch import LayerHardware, patch_network
from rxsim.pipeline.chip.foundry import nominal_layers
from rxsim.session import Session

# Assumption: so many inputs tell sizes to a few percent; a large network takes 0.1 s for each.
_FEWEST, _MOST = 4, 32
# Assumption: so many values of a tensor tell its 99.9th percentile; a large layer has millions.
_VALUES = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class RangeUse:
    """How much of its ADCs' ranges a layer uses.

    Attributes:
        shares: |current| over the range of its converter, some of all that are not 0, float64.
        peaks: the largest of each column (its tiles and passes alike), float64 (columns,).
    """

    shares: np.ndarray
    peaks: np.ndarray


def input_sizes(evidence: Evidence) -> dict[str, np.ndarray]:
    """Return sizes |x| that the float network brings to each layer, by its name; 0 is left out."""
    layers = evidence.study.network.layers
    names = list(dict.fromkeys(layer.input for layer in layers))
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for results in runs(evidence, evidence.study.network.model, names):
        for name, values in zip(names, results, strict=True):
            parts[name].append(_some(np.abs(values)))
    joined = {name: np.concatenate(sizes) for name, sizes in parts.items()}
    return {layer.name: joined[layer.input] for layer in layers}


def range_use(evidence: Evidence, wanted: Sequence[str]) -> dict[str, RangeUse]:
    """Return how much of its ADCs' ranges each of some layers uses, by its name.

    Args:
        evidence: the study and its foundry.
        wanted: names of layers with ADCs.
    """
    foundry, study = evidence.foundry, evidence.study
    hardware = nominal_layers(study, foundry.mapped, foundry.solved)
    patched = patch_network(study.network.model, hardware, split=True)
    watched = [
        (item, adc.lsb * adc.high[:, None, None], patched.taps[item.layer.name].currents)
        for item, adc in zip(hardware, foundry.adcs, strict=True)
        if adc is not None and item.layer.name in wanted
    ]
    names = [name for _, _, currents in watched for name in currents]
    shares: dict[str, list[np.ndarray]] = {item.layer.name: [] for item, _, _ in watched}
    peaks = {item.layer.name: np.zeros(ranges[0].size) for item, ranges, _ in watched}
    for results in runs(evidence, patched.model, names):
        left = iter(results)
        for item, ranges, currents in watched:
            name = item.layer.name
            for range_of, _ in zip(ranges, currents, strict=True):
                share = _shares(item, next(left), range_of)
                if share.size:
                    shares[name].append(_some(share))
                    peaks[name] = np.maximum(peaks[name], share.max(axis=1))
    return {
        name: RangeUse(np.concatenate([*parts, np.zeros(0)]), peaks[name])
        for name, parts in shares.items()
    }


def runs(
    evidence: Evidence, model: onnx.ModelProto, names: Sequence[str]
) -> Iterator[list[np.ndarray]]:
    """Run a network over a few calibration inputs, spread over all, and yield some of its tensors."""
    study = evidence.study
    session = Session(with_outputs(model, names), "the network", study.network.fixed_batch)
    last = len(study.calibration) - 1
    count = min(max(study.batch, _FEWEST), _MOST)
    for place in np.unique(np.linspace(0, last, count).astype(np.int64)):
        yield session.run_inputs(study.calibration, names, int(place), int(place) + 1)


def _shares(item: LayerHardware, current: np.ndarray, ranges: np.ndarray) -> np.ndarray:
    """Divide currents by the ranges of their converters, float64 (columns, values)."""
    if not current.size:  # in a branch that is not taken
        return np.zeros((ranges.size, 0))
    columns = np.moveaxis(current, item.layer.channel_axis, 0).reshape(ranges.size, -1)
    present = item.readouts.present.ravel()
    return np.where(present[:, None], np.abs(columns, dtype=np.float64) / ranges.reshape(-1, 1), 0)


def _some(sizes: np.ndarray) -> np.ndarray:
    """Take values that are not 0, evenly spread where there are very many."""
    flat = sizes.ravel()
    flat = flat[flat > 0]
    return flat[:: max(flat.size // _VALUES, 1)].astype(np.float64)
