"""An offset of the cells that is removed digitally, as if wires took nothing of it.

A cell of an offset scheme carries weight and offset. Its wires take a share of both. What is removed
digitally is the whole offset, so the share that wires take is left in the output as an error. It is
systematic: it depends on the place of a column and on the sum of the inputs. A reference column loses
the same share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rxsim.devices import Chip, to_levels
from rxsim.explain.evidence import Evidence
from rxsim.explain.traps._calibration_runs import runs
from rxsim.explain.traps._sight import Sight
from rxsim.mapping import MappedLayer
from rxsim.patch import LayerHardware, patch_beside
from rxsim.pipeline.chip.equip import equip
from rxsim.pipeline.chip.foundry import nominal_layers
from rxsim.scenarios import perfect

# Assumption: an error of a tenth of the output (20 dB) in a layer begins to cost accuracy.
ERROR = 0.1


def look(evidence: Evidence) -> Sight | None:
    """Name the layer where the error is the largest part of the output."""
    lost = _lost_offsets(evidence)
    if not lost:
        return None
    errors = _errors(evidence, [hardware for hardware, _ in lost])
    worst = max(errors, key=lambda name: errors[name])
    if errors[worst] < ERROR:
        return None
    share = next(share for hardware, share in lost if hardware.layer.name == worst)
    return Sight(
        f"the offset is removed digitally as if wires took nothing of it: in layer {worst} they take "
        f"{share:.2%} of the offset's current, which leaves an error of {errors[worst]:.2g} times the "
        "layer's output (root mean squares); set mapping.offset_removal: reference_column",
        ({"mapping.offset_removal": "reference_column"},),
    )


def _lost_offsets(evidence: Evidence) -> list[tuple[LayerHardware, float]]:
    """Return each such layer with nothing but the lost part of its offset, and that part's share."""
    foundry = evidence.foundry
    layers = foundry.mapped.layers
    if not any(mapped.cells.removed for mapped in layers):
        return []
    hardware = nominal_layers(evidence.study, foundry.mapped, foundry.solved)
    chip = Chip(evidence.study.settings.seed, 0)
    ideal = equip(foundry.mapped.under(perfect), foundry.perfect, lambda: foundry.perfect, chip)
    lost = []
    for mapped, real, whole in zip(layers, hardware, ideal, strict=True):
        if mapped.cells.removed:
            offsets = _offsets(mapped)
            parts = [
                offsets * _taken(of_real, of_whole)
                for of_real, of_whole in zip(real.matrices, whole.matrices, strict=True)
            ]
            carried = sum(float((offsets * (part > 0)).sum()) for part in whole.matrices)
            if any(part.any() for part in parts):
                alone = replace(real, matrices=tuple(parts), removed=0.0, constant=None)
                lost.append((alone, sum(float(part.sum()) for part in parts) / carried))
    return lost


def _offsets(mapped: MappedLayer) -> np.ndarray:
    """Return the conductance of a weight of 0 in each readout, siemens, float64 (readouts,)."""
    cells = mapped.cells
    zeros = np.array([cells.zero(place) for place in range(cells.slices)])
    return np.asarray(to_levels(zeros, cells.device)[mapped.readouts.slices])


def _taken(real: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return the share of each cell's current that wires take, of the matrices' shape; 0 of no cell."""
    return np.asarray(1 - np.divide(real, whole, out=np.ones_like(real), where=whole > 0))


def _errors(evidence: Evidence, lost: Sequence[LayerHardware]) -> dict[str, float]:
    """Run a few calibration inputs; return rms of the lost offset over that of the float output."""
    network = patch_beside(evidence.study.network.model, list(lost))
    outputs = [hardware.layer.output for hardware in lost]
    products = [network.products[hardware.layer.name] for hardware in lost]
    names = list(dict.fromkeys([*outputs, *(name for names in products for name in names)]))
    sums = np.zeros((len(lost), 2))
    for results in runs(evidence, network.model, names):
        tensors = dict(zip(names, results, strict=True))
        for row, output, parts in zip(sums, outputs, products, strict=True):
            error = np.sum([tensors[name] for name in parts], axis=0, dtype=np.float64)
            row += np.square(error).sum(), np.square(tensors[output], dtype=np.float64).sum()
    return {
        hardware.layer.name: float(np.sqrt(row[0] / row[1])) if row[1] else 0.0
        for hardware, row in zip(lost, sums, strict=True)
    }


LOOK = look
