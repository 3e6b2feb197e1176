"""A netlist of one array of a chip, driven by a real input vector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from rxsim.circuit import gated, solve_nonlinear
from rxsim.config import as_yaml, settings_hash
from rxsim.converters import WordlineVoltages
from rxsim.counted import counted
from rxsim.devices import curve_of
from rxsim.errors import InputError
from rxsim.mapping import PhysicalArray
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.inspect.probe import (
    LayerInput,
    ProbedArray,
    array_currents,
    check_index,
    check_layer,
    inputs_of,
    mapped_layer,
    program_array,
)
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import as_built
from rxsim.verify import array_netlist, law_of
from rxsim.version import __version__

# Of very many passes (random pulses) the first ones are looked at.
_MOST_PASSES = 32


@dataclass(frozen=True, slots=True)
class Netlist:
    """A netlist and what it shows.

    Attributes:
        text: the file's contents.
        position: the position of the layer's inputs that drives the array.
        positions: how many the sample has.
    """

    text: str
    position: int
    positions: int


def spice_netlist(
    study: Study,
    layer: str,
    array: int,
    *,
    sample: int = 0,
    position: int | None = None,
    trial: int = 0,
) -> Netlist:
    """Write the netlist of one array: what `rxsim spice` writes.

    The array is driven as in one pass of the layer's encoding: the first of those (of the first 32)
    with the largest sum of |voltage|; pulses of some width at their beginning, when all are on.

    Args:
        study: the study.
        layer: the layer's name.
        array: the array's index in it.
        sample: which calibration input.
        position: which of its vectors drives the array (a Conv has one for each place of its output);
            None for the first of those with the largest sum of |voltage| in any pass.
        trial: which chip.

    Raises:
        InputError: there is no such layer, array, sample, position or chip.
    """
    check_layer(study, layer)
    n_samples = len(study.calibration)
    check_index(
        "sample", sample, n_samples, f"{counted(n_samples, 'calibration input')} to choose from"
    )
    if trial < 0:
        raise InputError(f"trial: found {trial}, expected 0 or above; choose a chip")
    mapped = Foundries(study).map(as_built(study.settings))
    chosen = mapped_layer(mapped, layer)
    check_index(
        "array", array, chosen.n_arrays, f"layer {layer} has {counted(chosen.n_arrays, 'array')}"
    )
    programmed = program_array(study, chosen, array, trial)
    (given,) = inputs_of(study, mapped, [chosen], sample, trial)
    wordlines, position = _vector(given, programmed, position)
    rows, signs = programmed.array.rows, programmed.array.row_signs
    v_in = wordlines.volts(rows, signs, np.array([position]))
    settings = programmed.settings
    g = gated(programmed.g, settings.crossbar, v_in[0])
    programmed = replace(programmed, g=g)
    law = law_of(settings.device.iv, settings.input.v_read)
    if law is None:
        i_out = array_currents(programmed, v_in, np.arange(g.shape[1]))
    else:
        curve = curve_of(settings.device.iv, settings.input.v_read)
        i_out = solve_nonlinear(g, curve, settings.crossbar, v_in, keep_nodes=False).i_out
    where = f"calibration input {sample}, position {position} of {wordlines.positions}"
    where += f", {wordlines.name}" if wordlines.name else ""
    text = array_netlist(
        g,
        programmed.lines,
        v_in[0],
        r_access=settings.crossbar.r_access,
        law=law,
        comments=_header(study, programmed, trial, where, i_out[0]),
    )
    return Netlist(text, position, wordlines.positions)


def _vector(
    given: LayerInput, programmed: ProbedArray, wanted: int | None
) -> tuple[WordlineVoltages, int]:
    """Choose the pass and the position that drive the array."""
    rows, layer = programmed.array.rows, given.layer.layer
    best: tuple[float, WordlineVoltages, int] | None = None
    for number in range(min(given.count, _MOST_PASSES)):
        wordlines = given.voltages(number)
        if wanted is not None:
            what = f"layer {layer.name} has {counted(wordlines.positions, 'position')} a sample"
            check_index("position", wanted, wordlines.positions, what)
        activity = wordlines.activity(rows)
        position = int(activity.argmax()) if wanted is None else wanted
        if best is None or activity[position] > best[0]:
            best = (float(activity[position]), wordlines, position)
    assert best is not None
    return best[1], best[2]


def _header(
    study: Study, programmed: ProbedArray, trial: int, where: str, i_out: np.ndarray
) -> Iterator[str]:
    """Yield the comments: what this is, how to run it, what rxsim computed, all settings."""
    network, settings = study.network, programmed.settings
    n_rows, n_cols = programmed.g.shape
    layer = programmed.layer.layer
    array = programmed.array
    yield _one_line(
        f"rxsim {__version__}: layer {layer.name}, array {array.index} of {network.path.name}"
    )
    yield ""
    yield "Run it:  ngspice -b THIS_FILE"
    yield "It prints i_out[j], the current in ampere into the sense of bitline j."
    yield ""
    yield _one_line(f"model: {network.path.name}, SHA-256 {network.identity}")
    yield _one_line(f"layer: {layer.name} ({layer.op}), {_matrix(layer.groups, programmed)}")
    yield f"array: {array.index} of {programmed.layer.n_arrays}, {n_rows}x{n_cols}"
    yield f"tile: {_tile(programmed)}"
    yield f"polarity: {_polarity(array.col_signs)}"
    yield f"chip: trial {trial} of seed {settings.seed}"
    yield f"inputs: {where}; rows without a weight are at 0 V"
    yield "nodes: in<i> source, w<i>_<j> wordline, b<i>_<j> bitline, out<j> sense; 0 ohm merges them"
    yield "left out: open devices, open ends, and parts that float then"
    form = settings.device.iv.form
    if settings.crossbar.r_access > 0 and form == "linear":
        yield "r_access is part of each cell's resistor"
    yield ""
    method = "v_in @ g_eff" if form == "linear" else f"Newton's method for {form} cells"
    yield f"What rxsim computed ({method}):"
    for j, current in enumerate(i_out):
        use = f"readout {array.cols[j]}" if array.cols[j] >= 0 else _idle(array, j)
        yield f"  rxsim i_out[{j}] = {current:.17e}   ({use})"
    yield ""
    yield f"Settings (SHA-256 {settings_hash(settings)}):"
    for line in as_yaml(settings).splitlines():
        yield f"  {line}"
    yield ""


def _matrix(groups: int, programmed: ProbedArray) -> str:
    layer = programmed.layer.layer
    size = f"{layer.n_inputs}x{layer.n_outputs}"
    return f"matrix {size}" if groups == 1 else f"{groups} matrices of {size}"


def _tile(programmed: ProbedArray) -> str:
    """Tell which weights an array holds, in numbers of the layer's matrices."""
    layer, array = programmed.layer.layer, programmed.array
    inputs, outputs = array.rows[array.rows >= 0], array.cols[array.cols >= 0]
    groups = sorted({int(group) for group in inputs // layer.n_inputs})
    which = f"group {groups[0]}" if len(groups) == 1 else f"groups {groups[0]} to {groups[-1]}"
    return (
        f"{which}, row tile {array.conversion}; {counted(len(inputs), 'row')} (inputs "
        f"{inputs.min()} to "
        f"{inputs.max()}), {counted(len(outputs), 'column')} (readouts {outputs.min()} to "
        f"{outputs.max()})"
    )


def _idle(array: PhysicalArray, column: int) -> str:
    return "reference" if (array.references == column).any() else "not in use"


def _polarity(col_signs: np.ndarray) -> str:
    if (col_signs > 0).all():
        return "plus (its currents are added)"
    return "minus (subtracted)" if (col_signs < 0).all() else "both, column by column"


def _one_line(text: str) -> str:
    return " ".join(text.split())
