"""Pulses that program-and-verify takes on a chip: sampled arrays are programmed, none is solved."""

from __future__ import annotations

import math

import numpy as np

from rxsim import tiles
from rxsim.cost.price.writing import LayerPulses
from rxsim.devices import Chip
from rxsim.errors import InputError
from rxsim.mapping import MappedLayer
from rxsim.parallel import ordered
from rxsim.pipeline.chip.mapped import Mapped
from rxsim.pipeline.study.study import Study
from rxsim.seeds import Sample, sample_generator

ARRAYS = 8
"""Arrays of a layer that are programmed."""


def write_pulses(
    study: Study, mapped: Mapped, *, arrays: int = ARRAYS, trial: int = 0
) -> dict[str, LayerPulses]:
    """Count the pulses that write cells, by layer; without layers whose cells are not verified.

    Arrays are programmed as an evaluation programs them, with the targets that compensation gives them
    on this chip. Which ones are drawn depends on the seed alone.

    Args:
        study: the study.
        mapped: its layers as built.
        arrays: how many of a layer's arrays are programmed at most.
        trial: which chip.

    Raises:
        InputError: an argument is out of its range.
    """
    for name, value, least in (("arrays", arrays, 1), ("trial", trial, 0)):
        if value < least:
            raise InputError(f"{name}: found {value}, expected {least} or above; give more")
    rng = sample_generator(study.settings.seed, Sample.WRITE_PULSES)
    verified = [
        (layer, np.sort(rng.choice(layer.n_arrays, min(arrays, layer.n_arrays), replace=False)))
        for layer in mapped.layers
        if mapped.settings[layer.layer.name].device.verify is not None
    ]
    chip = Chip(study.settings.seed, trial)

    def counted(array: tuple[MappedLayer, int]) -> tuple[int, int]:
        layer, number = array
        settings = mapped.settings[layer.layer.name]
        pulses = tiles.program_array(layer, number, settings, chip).cells.pulses
        return (0, 0) if pulses is None else (pulses.cells, pulses.total)

    every = [(layer, int(number)) for layer, numbers in verified for number in numbers]
    counts = []
    if every:
        with study.stages("pulses of cells") as progress:
            for of_array in ordered(counted, every, study.threads):
                counts.append(of_array)
                progress(len(counts), len(every))
    rest = iter(counts)
    return {
        layer.layer.name: of_layer([next(rest) for _ in numbers], layer.n_arrays)
        for layer, numbers in verified
    }


def of_layer(counts: list[tuple[int, int]], of: int) -> LayerPulses:
    """Return pulses over cells of the arrays, and the standard error of that ratio.

    Source: Cochran, Sampling Techniques, 3rd edition, section 6.4.
    """
    cells, pulses = np.array(counts, dtype=np.float64).T
    n, total = len(counts), cells.sum()
    mean = float(pulses.sum() / total) if total else 1.0
    error: float | None = 0.0
    if n < of:
        error = None
        if n > 1 and total:
            left = pulses - mean * cells
            square = (1 - n / of) / n * float((left**2).sum()) / (n - 1)
            error = math.sqrt(square) / float(cells.mean())
    return LayerPulses(per_cell=mean, error=error, arrays=n, of=of)
