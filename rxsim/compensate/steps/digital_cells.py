"""Digital cells: what known stuck cells still change in weights is computed digitally and taken away.

y = sum of decoded partial sums - x @ D, where D is what this chip's stuck cells and dead lines change
in the weights after the steps on its targets, without wires, and x is what the DAC's code stands for.
Weights that change by less than `least_error` of w_max are left alone. An input of 0 that drives a
voltage (signed_input: offset) sees the change too: its constant is taken away as well.

Source: docs/concepts/model.md section 14.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import Field

from rxsim.compensate.bench import OutputBench
from rxsim.compensate.step import Correction, Knowledge, Needs, OutputStep, Residual
from rxsim.mapping import MappedLayer
from rxsim.schema import Relative, Section

_ROUNDING = 1e-9
"""Changes below this share of w_max are float rounding of what pairs have mended."""


class Options(Section):
    """Options of `digital_cells`."""

    least_error: Relative = Field(
        0.0, ge=0, le=2, description="smaller errors of a weight, as a share of w_max, are left"
    )


class DigitalCells(OutputStep[Options]):
    """See the file's docstring."""

    title = "stuck cells computed digitally"
    source = "docs/concepts/model.md section 14"
    options = Options
    mends = "faults"
    on_float_inputs = False

    def knows(self, options: Options) -> Knowledge:
        """Say that this chip's stuck cells must be known."""
        return "chip"

    def needs(self, layer: MappedLayer, options: Options) -> Needs:
        """Expect a multiply-accumulate and a stored number for each weight with a stuck cell.

        Cells are stuck independently with the shares of the settings. It is an upper bound: some are
        stuck near their target, pairs and spares mend others, and `least_error` leaves some. Those of a
        defect map are not counted.
        """
        device, bar = layer.device, layer.tiling.crossbar
        works = (1 - device.stuck_lrs - device.stuck_hrs) * (1 - device.dead_rows)
        works *= 1 - device.dead_cols
        cells = layer.cells.polarities * layer.cells.slices
        count = round(layer.tiling.weights // cells * (1 - works**cells))
        return Needs(
            multipliers=count,
            adders=count,
            stored_values=count,
            cell_reads=layer.n_arrays * bar.rows * bar.cols,
        )

    def correct(self, bench: OutputBench, options: Options) -> Mapping[str, Correction]:
        """Take away what stuck cells change."""
        changed, rests = bench.stuck_weights(), bench.rest_inputs()
        return {
            layer.layer.name: _correction(
                layer, changed[layer.layer.name], rests[layer.layer.name], options.least_error
            )
            for layer in bench.layers
            if changed[layer.layer.name].any()
        }


def _correction(
    layer: MappedLayer, changed: np.ndarray, rest: float, least_error: float
) -> Correction:
    """Return the correction of a layer.

    Args:
        layer: the layer.
        changed: what stuck cells change in its weights, float64 (groups, K, N) of its tiling.
        rest: the input that an input of 0 drives besides.
        least_error: share of w_max below which a weight is left alone.
    """
    w_max = np.ones_like(changed)  # also of rows that lie on no array
    for p, rows in enumerate(layer.row_tiles):
        w_max[:, rows] = layer.w_max[p][:, None]
    share = changed / w_max
    kept = np.where(np.abs(share) < max(least_error, _ROUNDING), 0.0, changed)
    before, after = (
        float(np.sqrt(np.mean(np.square(each)))) for each in (share, (changed - kept) / w_max)
    )
    return Correction(
        weights=-kept if kept.any() else None,
        added=-rest * kept.sum(axis=1) if rest and kept.any() else None,
        residual=Residual(before, after, "of w_max, rms of the weights"),
    )


STEP = DigitalCells()
