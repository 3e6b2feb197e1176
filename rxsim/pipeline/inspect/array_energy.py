"""Energy of the arrays' reads on real inputs: sampled arrays, calibration inputs and positions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from rxsim.cost.array_energy import (
    ReadEnergy,
    RowDrive,
    mean_read_energy,
    one_after_the_other,
    position_noise,
    read_energies,
    row_drives,
)
from rxsim.devices import curve_of
from rxsim.errors import CircuitError, InputError
from rxsim.mapping import MappedLayer
from rxsim.parallel import ordered
from rxsim.pipeline.chip.mapped import Mapped
from rxsim.pipeline.inspect.probe import LayerInput, inputs_of, program_array
from rxsim.pipeline.study.study import Study
from rxsim.seeds import Sample, sample_generator

ARRAYS, INPUTS, POSITIONS = 8, 8, 2
"""Arrays of a layer, calibration inputs, and positions of each that are solved."""


@dataclass(frozen=True, slots=True, eq=False)
class _Sampled:
    """A sampled array of a layer, and what drives it.

    Attributes:
        layer: the layer.
        index: the array's number within it.
        rows: input of each row, -1 for an idle one, int64 (n_rows,).
        row_signs: +1 or -1, float64 (n_rows,).
        reads: for each input that the layer receives, what drives the array at sampled positions.
        shares: of the positions of each that these are.
    """

    layer: MappedLayer
    index: int
    rows: np.ndarray
    row_signs: np.ndarray
    reads: list[list[RowDrive]] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class _Solved:
    """Energy of an array's reads: its mean for each input, joule, and the noise of that mean."""

    means: list[float]
    noises: list[float | None]


def array_energies(
    study: Study,
    mapped: Mapped,
    *,
    pulse_s: float,
    arrays: int = ARRAYS,
    inputs: int = INPUTS,
    positions: int = POSITIONS,
    trial: int = 0,
) -> dict[str, ReadEnergy]:
    """Find the mean energy of a read of every layer's arrays, over calibration inputs.

    What is drawn depends on the seed alone, not on the chip or the number of threads. DACs are nominal.

    Args:
        study: the study.
        mapped: its layers.
        pulse_s: time of a full pulse of a pass, second.
        arrays: how many of a layer's arrays are solved at most.
        inputs: for how many calibration inputs at most.
        positions: at how many positions of each, drawn for every array anew.
        trial: which chip.

    Returns:
        By layer name; without layers that no input reaches.

    Raises:
        InputError: an argument is out of its range.
        CircuitError: an array can't be solved; the message names it.
    """
    _check_arguments(pulse_s, arrays, inputs, positions, trial)
    rng = sample_generator(study.settings.seed, Sample.ARRAY_ENERGY)
    total = len(study.calibration)
    samples = [int(k) for k in rng.choice(total, min(inputs, total), replace=False)]
    sampled = [_sampled(layer, arrays, rng) for layer in mapped.layers]
    with study.stages("inputs of arrays") as progress:
        for done, sample in enumerate(samples):
            given = inputs_of(study, mapped, mapped.layers, sample, trial)
            for of_layer, layer_input in zip(sampled, given, strict=True):
                _drive(of_layer, layer_input, positions, rng)
            progress(done + 1, len(samples))
    every = [each for of_layer in sampled for each in of_layer]

    def work(each: _Sampled) -> _Solved:
        return _solved(study, each, pulse_s, trial)

    solved = []
    with study.stages("array energy") as progress:
        for of_array in ordered(work, every, study.threads):
            solved.append(of_array)
            progress(len(solved), len(every))
    rest = iter(solved)
    with_solved = [[(each, next(rest)) for each in of_layer] for of_layer in sampled]
    return {
        of_layer[0][0].layer.layer.name: _of_layer(of_layer, total)
        for of_layer in with_solved
        if of_layer[0][0].reads
    }


def _check_arguments(pulse_s: float, arrays: int, inputs: int, positions: int, trial: int) -> None:
    counts = (("arrays", arrays, 1), ("inputs", inputs, 1), ("positions", positions, 1))
    for name, value, least in (*counts, ("trial", trial, 0)):
        if value < least:
            raise InputError(f"{name}: found {value}, expected {least} or above; give more")
    if not 0 < pulse_s < math.inf:
        raise InputError(
            f"pulse_s: found {pulse_s:g}, expected the seconds of a pulse, such as 1e-7; give them"
        )


def _sampled(layer: MappedLayer, wanted: int, rng: np.random.Generator) -> list[_Sampled]:
    """Draw arrays of a layer."""
    numbers = np.sort(rng.choice(layer.n_arrays, min(wanted, layer.n_arrays), replace=False))
    arrays = [layer.array(int(number)) for number in numbers]
    return [_Sampled(layer, array.index, array.rows, array.row_signs) for array in arrays]


def _drive(
    sampled: list[_Sampled], given: LayerInput, positions: int, rng: np.random.Generator
) -> None:
    """Draw positions of an input for every array, and note what drives it in all passes there."""
    if not given.is_reached:
        return
    passes = [given.voltages(number) for number in range(given.count)]
    there = passes[0].positions
    count = min(positions, there)
    for each in sampled:
        at = np.sort(rng.choice(there, count, replace=False))
        drives = [row_drives(one, each.rows, each.row_signs, at) for one in passes]
        each.reads.append([one_after_the_other(read) for read in zip(*drives, strict=True)])
        each.shares.append(count / there)


def _solved(study: Study, sampled: _Sampled, pulse_s: float, trial: int) -> _Solved:
    """Program and solve an array."""
    try:
        programmed = program_array(study, sampled.layer, sampled.index, trial)
        iv, v_read = programmed.settings.device.iv, programmed.settings.input.v_read
        energies = read_energies(
            programmed.g,
            programmed.settings.crossbar,
            [read for reads in sampled.reads for read in reads],
            pulse_s=pulse_s,
            curve=None if iv.form == "linear" else curve_of(iv, v_read),
        )
    except CircuitError as error:
        name = sampled.layer.layer.name
        raise CircuitError(f"layer {name}, array {sampled.index}: {error}") from None
    ends = np.cumsum([len(reads) for reads in sampled.reads])
    by_input = np.split(energies, ends[:-1])
    return _Solved(
        [float(part.mean()) for part in by_input],
        [position_noise(*each) for each in zip(by_input, sampled.shares, strict=True)],
    )


def _of_layer(arrays: list[tuple[_Sampled, _Solved]], n_inputs: int) -> ReadEnergy:
    noises = [noise for _, solved in arrays for noise in solved.noises]
    known = [noise for noise in noises if noise is not None]
    first = arrays[0][0]
    return mean_read_energy(
        np.array([solved.means for _, solved in arrays]),
        sum(known) / len(known) if len(known) == len(noises) else None,
        n_arrays=first.layer.n_arrays,
        n_inputs=n_inputs,
        positions=min(len(reads) for reads in first.reads),
    )
