"""Single arrays of a chip with the real vectors that drive them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rxsim import tiles
from rxsim.calibrate import InputRange
from rxsim.circuit.lines import Lines, lines_of
from rxsim.config import Settings, layer_settings
from rxsim.converters import WordlineVoltages, layer_input_plan
from rxsim.counted import counted
from rxsim.devices import Chip
from rxsim.errors import InputError
from rxsim.mapping import MappedLayer, PhysicalArray
from rxsim.onnx_graph import with_outputs
from rxsim.pipeline.chip.mapped import Mapped
from rxsim.pipeline.study.study import Study
from rxsim.seeds import Effect, device_generator
from rxsim.session import Session


@dataclass(frozen=True, slots=True, eq=False)
class ProbedArray:
    """One array of a chip.

    Attributes:
        layer: the layer it belongs to.
        array: its targets and maps.
        g: programmed conductances, siemens, (n_rows, n_cols).
        lines: wires and ends.
        settings: the layer's.
    """

    layer: MappedLayer
    array: PhysicalArray
    g: np.ndarray
    lines: Lines
    settings: Settings


def settings_of(study: Study, layer: MappedLayer) -> Settings:
    """Return the settings that hold for a layer on crossbars."""
    return layer_settings(study.settings, layer.layer.name) or study.settings


def program_array(study: Study, layer: MappedLayer, index: int, trial: int) -> ProbedArray:
    """Program one array of a chip as an evaluation does."""
    settings = settings_of(study, layer)
    programmed = tiles.program_array(layer, index, settings, Chip(settings.seed, trial))
    lines = lines_of(settings.crossbar, *programmed.g.shape)
    return ProbedArray(layer, programmed.array, programmed.g, lines, settings)


def array_currents(programmed: ProbedArray, v_in: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return what an evaluation computes for an array: v_in @ g_eff of the rows in use.

    Args:
        programmed: the array.
        v_in: source voltages, volt, (n_vectors, n_rows); 0 where a row is not in use.
        columns: which columns.

    Returns:
        Ampere, (n_vectors, n_columns).
    """
    rows = np.flatnonzero(programmed.array.rows >= 0)
    matrix = tiles.array_matrix(programmed.g, programmed.settings, None, rows, columns)
    return np.asarray(v_in[:, rows] @ matrix)


class LayerInput:
    """What one network input puts on a layer's arrays, pass by pass of its encoding.

    Attributes:
        layer: the layer on its arrays.
        count: passes.
        names: each in words; empty for a single one.
        is_reached: whether the layer receives it; else it lies in a branch that the input does not
            take, and a tensor of ones stands for it.
    """

    def __init__(
        self,
        layer: MappedLayer,
        settings: Settings,
        measured: InputRange,
        values: np.ndarray,
        trial: int,
    ) -> None:
        """Convert the values of a layer's input tensor; an empty one is that of a branch not taken.

        Args:
            layer: the layer.
            settings: the layer's.
            measured: its input range.
            values: the tensor.
            trial: the chip, whose random numbers these are.
        """
        self.layer = layer
        self.is_reached = values.size > 0
        plan = layer_input_plan(layer.layer.name, measured, settings)
        encoding, pulses = plan.encoding, plan.pulses
        if encoding.is_random:
            index, axis = layer.layer.index, layer.layer.channel_axis
            rng = device_generator(settings.seed, trial, index, Effect.PULSES, 0)
            pulses = encoding.drawn(pulses, plan.codes, rng, measured.shape, axis)
        self.count, self.names = len(pulses), encoding.names(pulses)
        self._plan, self._pulses = plan, pulses
        self._codes = plan.dac.codes(values if self.is_reached else layer.layer.full_input)

    def voltages(self, number: int) -> WordlineVoltages:
        """Return what one pass puts on the wordlines."""
        return WordlineVoltages(
            self.layer.layer, self._codes, self._pulses[number], self._plan, self.names[number]
        )


def inputs_of(
    study: Study, mapped: Mapped, layers: Sequence[MappedLayer], sample: int, trial: int
) -> list[LayerInput]:
    """Run the float network on one calibration input and convert what reaches some layers.

    Args:
        study: the study.
        mapped: its layers, for their input ranges.
        layers: the wanted ones.
        sample: position among the calibration inputs.
        trial: the chip, whose random numbers these are.
    """
    names = list(dict.fromkeys(item.layer.input for item in layers))
    model = with_outputs(study.network.model, names)
    session = Session(model, "the float network", study.network.fixed_batch)
    results = session.run_inputs(study.calibration, names, sample, sample + 1)
    tensors = dict(zip(names, results, strict=True))
    return [
        LayerInput(
            item,
            settings_of(study, item),
            mapped.input_ranges[item.layer.name],
            tensors[item.layer.input],
            trial,
        )
        for item in layers
    ]


def check_layer(study: Study, name: str) -> None:
    """Refuse a name that is not that of a layer with a matrix.

    Raises:
        InputError: it stays digital, or there is none of this name.
    """
    names = [layer.name for layer in study.network.layers]
    if name in names:
        return
    digital = next((node for node in study.network.digital if node.name == name), None)
    if digital is not None:
        raise InputError(
            f"layer {name} ({digital.op}) stays digital ({digital.reason}), expected a layer on "
            f"crossbars such as {names[0]}; 'rxsim map' lists them"
        )
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "'rxsim map' lists them"
    raise InputError(
        f"layer: found {name!r}, expected one of {counted(len(names), 'layer')} of "
        f"{study.network.path.name} on crossbars; {hint}"
    )


def mapped_layer(mapped: Mapped, name: str) -> MappedLayer:
    """Return a layer on its arrays.

    Raises:
        InputError: the settings leave it digital.
    """
    layer = next((item for item in mapped.layers if item.layer.name == name), None)
    if layer is None:
        raise InputError(
            f"layer {name} stays digital (the settings say so), expected a layer on crossbars; choose "
            "another or change the settings' layers"
        )
    return layer


def check_index(name: str, number: int, count: int, what: str) -> None:
    """Refuse a number that counts nothing.

    Args:
        name: what the user calls it.
        number: the number.
        count: how many there are.
        what: the whole that is counted, such as "layer conv1 has 4 arrays".

    Raises:
        InputError: it is not in 0 .. count - 1.
    """
    if not 0 <= number < count:
        expected = "expected 0" if count == 1 else f"expected 0 to {count - 1}"
        raise InputError(f"{name}: found {number}, but {what}, {expected}; choose one of these")
