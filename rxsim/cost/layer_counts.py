"""What a layer takes of the hardware for one inference, counted from its tile map.

Source: docs/concepts/cost.md, "Counts". All counts are exact: they follow from shapes, settings and the
signs of the inputs, but for zero lines, which follow from the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rxsim.calibrate import InputRange
from rxsim.compensate import Needs
from rxsim.converters import InputPlan, layer_input_plan
from rxsim.cost.crossing_sums import crossing_sums, sum_width, units_of
from rxsim.cost.step_needs import StepNeeds, all_needs, step_needs
from rxsim.cost.zero_lines import ZeroLines, zero_lines
from rxsim.errors import ModelError, SettingError
from rxsim.load.tensor_sizes import TensorSize
from rxsim.mapping import LayerPlan, cells_of

# Assumption: what no converter rounds is kept as float32.
_FLOAT_BITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """How arrays stand together, as far as counts depend on it.

    Attributes:
        arrays_per_unit: arrays of a unit, which adds up what its arrays give; every layer begins with a
            unit of its own.
        sum_bits: bits of a partial sum that units send each other; None: as many as it takes to lose
            nothing.
    """

    arrays_per_unit: int
    sum_bits: int | None = None

    def __post_init__(self) -> None:
        """Refuse units without arrays, and sums without bits."""
        for name, least in (("arrays_per_unit", 1), ("sum_bits", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise SettingError(f"{name}: found {value}, expected {least} or above")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What hardware does for one inference.

    Attributes:
        macs: multiply-accumulates that arrays carry out: with weights that have cells.
        macs_of_network: of the products, those of lines and arrays that are left out (`skip_zero`) too.
        reads: of arrays: each pulse of each position.
        drives: of wordlines that carry weights, one for each read of their array.
        sample_and_holds: used columns of each read.
        conversions: of ADCs; 0 without them.
        shift_and_adds: one for each conversion.
        buffer_read_bits: inputs, once for each position and row tile.
        buffer_write_bits: outputs, once each.
        activation_bits: inputs that come over the network, each element of the input tensor once.
        partial_sum_bits: partial sums sent to the unit that adds them up.
        bias_additions: outputs to which a bias is added.
        overlap_additions: of a transposed convolution, which adds each value of its windows into its
            output.
        compensation_multiplications: of compensation steps.
        compensation_additions: of compensation steps.
    """

    macs: int = 0
    macs_of_network: int = 0
    reads: int = 0
    drives: int = 0
    sample_and_holds: int = 0
    conversions: int = 0
    shift_and_adds: int = 0
    buffer_read_bits: int = 0
    buffer_write_bits: int = 0
    activation_bits: int = 0
    partial_sum_bits: int = 0
    bias_additions: int = 0
    overlap_additions: int = 0
    compensation_multiplications: int = 0
    compensation_additions: int = 0

    def __add__(self, other: Actions) -> Actions:
        """Return what two layers do together."""
        names = self.__dataclass_fields__
        return Actions(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """The hardware that holds weights and converts their currents.

    Attributes:
        arrays: physical arrays.
        units: units that they fill, the last one in part.
        cells: of these arrays, used or unused.
        weight_cells: that carry weights.
        cells_written: that have a device, and are programmed.
        write_pulses: that it takes to write them once.
        driven_rows: that carry weights, summed over arrays.
        used_columns: that carry weights or are references, summed over arrays.
        converters: ADCs, `adc.share` neighbouring columns on each; 0 without them.
        zeros: lines and arrays that could be dropped.
    """

    arrays: int = 0
    units: int = 0
    cells: int = 0
    weight_cells: int = 0
    cells_written: int = 0
    write_pulses: float = 0.0
    driven_rows: int = 0
    used_columns: int = 0
    converters: int = 0
    zeros: ZeroLines = field(default_factory=ZeroLines)

    def __add__(self, other: Hardware) -> Hardware:
        """Return the hardware of two layers together."""
        names = self.__dataclass_fields__
        return Hardware(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def utilisation(self) -> float:
        """Cells that carry weights over all cells; 0 where there are none."""
        return self.weight_cells / self.cells if self.cells else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCounts:
    """The counts of a layer.

    Attributes:
        name: the layer's.
        op: type of its node in the user's file.
        shared_with: the layer whose arrays it uses; None for its own arrays.
        positions: P, input vectors of each array for one inference.
        steps: positions that wait for each other: steps of a loop around it; 1 outside of loops.
        pulses: c, sets of voltages that a position takes.
        passes: c', those that are converted: fewer than `pulses` where they are summed in analog.
        sum_bits: bits of a partial sum on its way between units.
        actions: for one inference.
        hardware: its own, or that of the layer whose arrays it uses.
        needs: what compensation asks for, all steps together.
        steps_needs: the same step by step.
    """

    name: str
    op: str
    shared_with: str | None
    positions: int
    steps: int
    pulses: int
    passes: int
    sum_bits: int
    actions: Actions
    hardware: Hardware
    needs: Needs
    steps_needs: tuple[StepNeeds, ...] = ()


def count_layer(
    plan: LayerPlan,
    *,
    signed: bool,
    sizes: Mapping[str, TensorSize],
    organisation: Organisation,
    pulses_per_cell: float = 1.0,
) -> LayerCounts:
    """Count what a layer takes.

    Args:
        plan: of the layer.
        signed: whether any of its inputs is below 0.
        sizes: of tensors per network input, those of its input and its output among them.
        organisation: how arrays stand together.
        pulses_per_cell: mean pulses that write a cell, as program-and-verify counted them.

    Raises:
        ModelError: a shape is unknown.
        SettingError: one-bit DACs would have to carry signed inputs.
    """
    layer, settings = plan.layer, plan.settings
    positions, size_in, size_out = _known(plan, sizes)
    inputs = layer_input_plan(layer.name, InputRange(x_max=1.0, signed=signed), settings)
    width = organisation.sum_bits or sum_width(
        plan, [each.weight for each in inputs.passes], settings.adc.n_bits or _FLOAT_BITS
    )
    steps = step_needs(plan)
    needs = all_needs(steps)
    hardware = _hardware(plan, organisation, pulses_per_cell)
    crossing = positions * crossing_sums(plan, organisation.arrays_per_unit)
    return LayerCounts(
        name=layer.name,
        op=layer.op,
        shared_with=plan.shared_with,
        positions=positions,
        steps=max(size_out.times, 1),
        pulses=len(inputs.pulses),
        passes=len(inputs.passes),
        sum_bits=width,
        actions=_actions(plan, inputs, positions, hardware)
        + _digital_actions(plan, positions, size_in, size_out, needs)
        + Actions(partial_sum_bits=crossing * width),
        hardware=hardware,
        needs=needs,
        steps_needs=steps,
    )


def _known(plan: LayerPlan, sizes: Mapping[str, TensorSize]) -> tuple[int, TensorSize, TensorSize]:
    """Return positions and the sizes of input and output, all of which must be known."""
    layer = plan.layer
    size_in, size_out = sizes.get(layer.input), sizes.get(layer.output)
    if plan.positions is None or size_in is None or size_out is None:
        raise ModelError(
            f"layer {layer.name}: found a shape that is not known, expected how many products it "
            "computes for an input; state the shape of the network's inputs"
        )
    return plan.positions, size_in, size_out


def _actions(plan: LayerPlan, inputs: InputPlan, positions: int, hardware: Hardware) -> Actions:
    """Count what arrays and converters do."""
    reads = positions * len(inputs.pulses)
    has_adc = plan.settings.adc.n_bits is not None
    conversions = (plan.conversions(len(inputs.passes)) or 0) if has_adc else 0
    cells, macs = cells_of(plan.settings.device, plan.settings.mapping), plan.macs or 0
    held = plan.tiling.weights // (cells.slices * cells.polarities)
    return Actions(
        macs=macs * held // plan.parameters,
        macs_of_network=macs,
        reads=reads * hardware.arrays,
        drives=reads * hardware.driven_rows,
        sample_and_holds=reads * hardware.used_columns,
        conversions=conversions,
        shift_and_adds=conversions,
    )


def _digital_actions(
    plan: LayerPlan, positions: int, size_in: TensorSize, size_out: TensorSize, needs: Needs
) -> Actions:
    """Count what buffers, the network and digital operators of the layer do."""
    layer = plan.layer
    bits = plan.settings.dac.n_bits or _FLOAT_BITS
    overlaps = layer.node.op_type == "ConvTranspose"
    has_bias = len(layer.node.input) > 2 and bool(layer.node.input[2])
    return Actions(
        buffer_read_bits=positions * plan.tiling.inputs_read(layer.groups) * bits,
        buffer_write_bits=size_out.elements * bits,
        activation_bits=size_in.elements * bits,
        bias_additions=size_out.elements if has_bias else 0,
        overlap_additions=positions * plan.tiling.outputs_held(layer.groups) if overlaps else 0,
        compensation_multiplications=positions * needs.multipliers,
        compensation_additions=positions * needs.adders,
    )


def _hardware(plan: LayerPlan, organisation: Organisation, pulses_per_cell: float) -> Hardware:
    """Count arrays, their cells and lines, and converters."""
    tiling, layer = plan.tiling, plan.layer
    cells = cells_of(plan.settings.device, plan.settings.mapping)
    each_tile = tiling.arrays_per_tile
    references = tiling.n_tiles * cells.slices if cells.has_reference else 0
    rows, outputs = tiling.lines(layer.groups)
    written = plan.cells
    if plan.settings.mapping.unused_cells == "open":
        heights = np.array([len(part) for part in tiling.row_tiles])
        under = cells.slices * int(heights[tiling.places[:, 1]].sum())
        written = tiling.weights + (under if cells.has_reference else 0)
    return Hardware(
        arrays=plan.arrays,
        units=units_of(plan, organisation.arrays_per_unit),
        cells=plan.cells,
        weight_cells=tiling.weights,
        cells_written=written,
        write_pulses=written * pulses_per_cell,
        driven_rows=each_tile * int(rows.sum()),
        used_columns=int(outputs.sum()) * cells.slices * cells.polarities + references,
        converters=_converters(plan),
        zeros=zero_lines(layer, tiling, cells.slices * cells.polarities),
    )


def _converters(plan: LayerPlan) -> int:
    """Count ADCs: neighbouring columns of a tile share one."""
    adc, readouts = plan.settings.adc, plan.readouts
    if adc.n_bits is None:
        return 0
    conversions = plan.conversions_of_tiles
    group, readout = np.nonzero(conversions)
    places = readouts.col_tiles[readout], readouts.columns[readout] // adc.share
    _, first = np.unique(np.stack([group, *places]), axis=1, return_index=True)
    return int(conversions[group, readout][first].sum())
