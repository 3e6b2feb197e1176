"""A layer in analog form: passes of voltages, readouts of currents, converters and decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rxsim.converters import Adc, DacErrors, InputPlan, matrices_with_gains
from rxsim.encodings import Part
from rxsim.mapping import Readouts, Tiling
from rxsim.onnx_graph import GraphBuilder
from rxsim.operators import Layer, MatrixPart
from rxsim.tiles import LayerTransfer


@dataclass(frozen=True, slots=True, eq=False)
class FreshReadNoise:
    """Read noise of a layer's cells that each product draws anew.

    Attributes:
        variances: for each row tile siemens^2, of the shape of its matrix: what one volt on an input
            adds to the variance of a readout's current.
        seeds: of the draws of each conversion.
    """

    variances: tuple[np.ndarray, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LayerHardware:
    """A layer's analog form, as the graph computes it.

    A conversion turns the currents of a pass on a row tile into codes. An output is the sum of `scale *
    pass weight * term weight * convert(v_in[rows] @ matrix)` over conversions and over the terms of its
    readouts, less the offsets that are removed digitally.

    Attributes:
        layer: the layer.
        tiling: its groups (or blocks of packed groups), K and N.
        readouts: the currents that are converted, and their weights in each output.
        input_plan: DACs, encoding and passes.
        rows: for each row tile the inputs k that drive it, int64.
        matrices: for each row tile siemens, float64 (groups, its rows, readouts).
        scale: output units per weighted volt and siemens, float64 (row tiles, groups, N).
        removed: siemens of an offset of the cells, by each input, which is removed digitally.
        constant: ampere of inputs of 0 on perfect hardware, passes weighted and slices summed, which
            is removed digitally, float64 (row tiles, groups, N); None where inputs of 0 drive nothing.
        is_difference: whether what is converted is a difference of two currents.
        adc: the layer's ADCs, or None where there is no converter.
        offsets: for each row tile siemens times LSB of its DACs' offsets, float64 (groups,
            readouts); None where they have none.
        noise: read noise of the cells that each product draws anew; None where there is none.
        added: in output units, on top of the decoded outputs, float64 (groups, N); None for nothing.
        digital: weights whose product with the layer's input, as its DACs round it, is computed
            digitally and added, float64 (groups, K, N) of the tiling; None where nothing is.
    """

    layer: Layer
    tiling: Tiling
    readouts: Readouts
    input_plan: InputPlan
    rows: tuple[np.ndarray, ...]
    matrices: tuple[np.ndarray, ...]
    scale: np.ndarray
    removed: float
    constant: np.ndarray | None
    is_difference: bool
    adc: Adc | None = None
    offsets: tuple[np.ndarray, ...] | None = None
    noise: FreshReadNoise | None = None
    added: np.ndarray | None = None
    digital: np.ndarray | None = None

    def corrected(
        self,
        gain: np.ndarray | None = None,
        added: np.ndarray | None = None,
        output_gain: np.ndarray | None = None,
        digital: np.ndarray | None = None,
    ) -> LayerHardware:
        """Return the same layer with its decoded partial sums and outputs corrected digitally.

        Args:
            gain: of each partial sum, float64, broadcast to (row tiles, groups, N).
            added: to the outputs, float64 (groups, N).
            output_gain: of outputs, with what was added and computed digitally before, float64
                (groups, N).
            digital: weights computed digitally besides, float64 (groups, K, N).
        """
        groups, outputs = self.scale.shape[1:]
        each = np.ones((groups, outputs)) if output_gain is None else output_gain
        scale = self.scale * (1.0 if gain is None else gain) * each
        total = None if self.added is None else self.added * each
        if added is not None:
            total = added if total is None else total + added
        weights = None if self.digital is None else self.digital * each[:, None, :]
        if digital is not None:
            weights = digital if weights is None else weights + digital
        return replace(self, scale=scale, added=total, digital=weights)

    def scaled(self, factors: np.ndarray) -> LayerHardware:
        """Return the same layer with its decoded products multiplied, digitally.

        Args:
            factors: one, or one for each output channel of the layer, float64 (channels,).
        """
        groups, outputs = self.scale.shape[1:]
        each = np.ones(groups * outputs)  # the last block of packed groups need not be full
        each[: self.layer.n_channels] = factors
        return replace(self, scale=self.scale * each.reshape(groups, outputs))

    def tile(self, p: int) -> LayerHardware:
        """Return the hardware of one row tile alone: its partial sum, nothing added digitally."""
        noise = self.noise
        if noise is not None:
            noise = FreshReadNoise((noise.variances[p],), noise.seeds[p :: len(self.rows)])
        return replace(
            self,
            rows=(self.rows[p],),
            matrices=(self.matrices[p],),
            scale=self.scale[p : p + 1],
            constant=None if self.constant is None else self.constant[p : p + 1],
            adc=None if self.adc is None else self.adc.tile(p, len(self.rows)),
            offsets=None if self.offsets is None else (self.offsets[p],),
            noise=noise,
            added=None,
            digital=None,
        )

    def with_adc(self, adc: Adc | None) -> LayerHardware:
        """Return the same layer with converters on its currents."""
        return replace(self, adc=adc)

    @property
    def both_sides(self) -> np.ndarray:
        """Whether currents of both signs occur in each conversion, bool (conversions,)."""
        signed = [self.is_difference or step.signed for step in self.input_plan.passes]
        return np.repeat(np.array(signed), len(self.rows))

    @property
    def converted(self) -> np.ndarray:
        """Which readouts each row tile has, bool (row tiles, groups, readouts)."""
        there = self.tiling.there.transpose(1, 0, 2)
        if len(self.rows) < len(there):  # the row tiles' currents are summed first
            there = np.asarray(there.any(axis=0, keepdims=True))
        return np.asarray(there[:, :, self.readouts.col_tiles] & self.readouts.present)

    @property
    def is_plain(self) -> bool:
        """Whether an output is a single readout of a single pass, and nothing is removed."""
        single = self.readouts.is_plain and len(self.input_plan.passes) == 1
        return single and not self.removed and self.constant is None

    def add_product(
        self,
        build: GraphBuilder,
        driven: str,
        rows: np.ndarray,
        matrix: np.ndarray,
        part: str,
        added: np.ndarray | None = None,
    ) -> str:
        """Write the product of a pass's units and a matrix.

        Args:
            build: takes the nodes.
            driven: name of the tensor of the pass, of the shape of the layer's input.
            rows: which rows of a group take part, int64.
            matrix: float64 (groups, rows, columns).
            part: name of the result.
            added: constant on top, float64 (groups, columns).

        Returns:
            The name of the tensor of groups * columns channels.
        """
        taken = MatrixPart(
            name=part,
            groups=self.tiling.groups,
            n_inputs=self.tiling.n_inputs,
            rows=rows,
            matrix=matrix,
            added=added,
        )
        return self.layer.operator.add_product(build, self.layer, driven, taken)

    @property
    def summed(self) -> LayerHardware:
        """The same layer in one conversion, decoded ideally: for a layer without ADCs."""
        # A pass's gain multiplies all its units, and what is removed is counted in plain volts.
        removed = self.removed / self.input_plan.passes[0].gain
        rows = np.concatenate(self.rows)
        # Inputs innermost, as the parts have them: sums over them have an order.
        weights = np.empty((self.tiling.groups, self.tiling.n_outputs, len(rows)))
        weights = weights.transpose(0, 2, 1)
        sums, start = [], 0
        for matrix, scale in zip(self.matrices, self.scale, strict=True):
            # One row tile at a time: all of them are as large as the layer, in float64.
            readouts = matrix[:, :, self.readouts.places]
            raw = np.einsum("t,gktn->gkn", self.readouts.weights, readouts)
            if self.constant is not None:
                sums.append(raw.sum(axis=1))
            raw -= removed
            part = weights[:, start : start + len(matrix[0])]
            np.multiply(raw, scale[:, None, :], out=part)
            start += len(matrix[0])
        constant = None
        if self.constant is not None:
            driven = self.input_plan.counted_rest_volt * np.stack(sums)
            constant = ((self.constant - driven) * self.scale).sum(axis=0, keepdims=True)
        if self.offsets is not None:
            added = (self._offset_currents * self.scale).sum(axis=0, keepdims=True)
            constant = -added if constant is None else constant - added
        return replace(
            self,
            readouts=Readouts.plain(self.tiling.n_outputs),
            input_plan=self.input_plan.in_one_pass(),
            rows=(rows,),
            matrices=(weights,),
            scale=np.ones((1, *self.scale.shape[1:])),
            removed=0.0,
            constant=constant,
            offsets=None,
        )

    @property
    def driven_by_activations(self) -> LayerHardware:
        """A summed layer with x_max in its matrix where it has no DACs: its inputs pass as they are.

        What is left is the float network's own product with other weights, as fast as that.
        """
        dac, units = self.input_plan.dac, self.input_plan.passes[0].units
        # Random pulses, for one, compare shares of x_max with their thresholds.
        in_proportion = isinstance(units, Part) and units.kind == "whole"
        if dac.low is not None or not in_proportion:
            return self
        return replace(
            self,
            input_plan=replace(self.input_plan, dac=replace(dac, code_per_x=1.0)),
            matrices=tuple(matrix * dac.code_per_x for matrix in self.matrices),
        )

    @property
    def _offset_currents(self) -> np.ndarray:
        """Current of the DACs' offsets in the outputs, ampere, float64 (row tiles, groups, N)."""
        assert self.offsets is not None
        weights, places = self.readouts.weights, self.readouts.places
        sums = [np.einsum("t,gtn->gn", weights, offset[:, places]) for offset in self.offsets]
        return self.input_plan.offset_volt * np.stack(sums)


def layer_hardware(
    transfer: LayerTransfer,
    input_plan: InputPlan,
    where: str,
    ideal: LayerTransfer | None = None,
    dac_errors: DacErrors | None = None,
    noise_seeds: Sequence[int] = (),
) -> LayerHardware:
    """Combine a layer's transfer matrices, scales and inputs.

    Args:
        transfer: the arrays' matrices.
        input_plan: the layer's DACs, encoding and passes.
        where: per_tile, or per_layer to sum the row tiles' currents before one conversion.
        ideal: matrices of nominal devices without wires, which give the current of inputs of 0 that
            is removed; needed where inputs of 0 drive anything.
        dac_errors: gains and offsets of a chip's DACs (their curve belongs to the passes).
        noise_seeds: one for each conversion, where the arrays have noise that is drawn anew.
    """
    mapped = transfer.mapped
    scale = mapped.weight_per_siemens * input_plan.x_per_volt
    removed, gain = mapped.cells.removed, mapped.gain
    rows, matrices = mapped.row_tiles, transfer.matrices
    constant, variances = None, transfer.variances
    if input_plan.rest_volt:
        assert ideal is not None
        constant = input_plan.rest_volt * _ideal_sums(ideal)
    if gain is not None:
        # What is removed is in the currents, which hold the gain.
        constant = None if constant is None else constant * gain
        removed *= _single_gain(gain) if removed else 1.0
    offsets = None
    if dac_errors is not None:
        col_tiles = mapped.readouts.col_tiles
        matrices, offsets = matrices_with_gains(matrices, dac_errors, col_tiles)
        if variances is not None:  # which are squares of conductances
            for _ in range(2):
                variances, _offsets = matrices_with_gains(variances, dac_errors, col_tiles)
    if where == "per_layer":
        # The scale is the same for all row tiles here (settings refuse w_max_scope: tile).
        rows = (np.concatenate(rows),)
        matrices = (np.concatenate(matrices, axis=1),)
        if variances is not None:
            variances = (np.concatenate(variances, axis=1),)
        scale = scale.max(axis=0, keepdims=True)  # 0 where a row tile has no cells of an output
        constant = None if constant is None else constant.sum(axis=0, keepdims=True)
        offsets = None if offsets is None else (np.sum(offsets, axis=0),)
    return LayerHardware(
        layer=mapped.layer,
        tiling=mapped.tiling,
        readouts=mapped.readouts,
        input_plan=input_plan,
        rows=rows,
        matrices=matrices,
        scale=scale,
        removed=removed,
        constant=constant,
        is_difference=mapped.cells.is_difference,
        offsets=offsets,
        noise=None if variances is None else FreshReadNoise(variances, tuple(noise_seeds)),
    )


def _single_gain(gain: np.ndarray) -> float:
    """Return the gain of a layer whose offset is removed digitally, for all columns alike."""
    assert (gain == gain.flat[0]).all()
    return float(gain.flat[0])


def _ideal_sums(ideal: LayerTransfer) -> np.ndarray:
    """Sum the outputs' conductances over the rows of each row tile."""
    readouts = ideal.mapped.readouts
    sums = [
        np.einsum("t,gtn->gn", readouts.weights, matrix.sum(axis=1)[:, readouts.places])
        for matrix in ideal.matrices
    ]
    return np.stack(sums)
