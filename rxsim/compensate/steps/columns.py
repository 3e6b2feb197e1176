"""A gain, and an offset, of every output in every row tile, by least squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rxsim.compensate.bench import OutputBench, PartialSums
from rxsim.compensate.chosen import chosen_steps
from rxsim.compensate.step import Correction, Knowledge, Needs, OutputStep, Residual
from rxsim.config import Settings
from rxsim.mapping import MappedLayer
from rxsim.schema import Section

# Assumption: a line through fewer values is mostly chance.
FEWEST_VALUES = 10
# Assumption: a gain of a column that is known worse than this is left at 1.
LEAST_KNOWN = 0.1
UNIT = "of the outputs' rms, rms error of a partial sum, on the inputs fitted to"
_SAME = 1e-12  # of the mean square: values that vary less are one value, summed up in float64


class ColumnsOptions(Section):
    """Options of `columns`.

    Attributes:
        measure: chip: through this chip's converters; design: nominal devices, for every chip alike.
        offset: whether an offset is fitted besides the gain.
        fit: least_error: the line of wanted on measured partial sums; size: the inverse of the line of
            measured on wanted ones, which noise does not make smaller.
    """

    measure: Literal["chip", "design"] = "chip"
    offset: bool = True
    fit: Literal["least_error", "size"] = "least_error"


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The line y = gain * x + offset of each row tile and channel.

    Attributes:
        gain: float64 (row tiles, channels).
        offset: float64 likewise.
        before: sum of (x - y)^2, likewise.
        after: sum of (gain * x + offset - y)^2, likewise.
        kept: where the line is used; elsewhere gain is 1 and offset 0.
    """

    gain: np.ndarray
    offset: np.ndarray
    before: np.ndarray
    after: np.ndarray
    kept: np.ndarray


def fitted_lines(sums: PartialSums, *, offset: bool) -> Lines:
    """Fit wanted to measured partial sums, least squares.

    A column whose measured values are all the same keeps gain 1. A line is used where there are at
    least `FEWEST_VALUES` values, and where the error to be expected for other inputs is smaller than
    without it: k parameters from n values leave (n + k)/(n - k) of the mean square that is seen.
    Source: final prediction error, Akaike, Ann. Inst. Stat. Math. 21, 1969.

    Args:
        sums: of a layer.
        offset: whether lines need not go through 0.
    """
    n, x, y = max(sums.count, 1), sums.measured, sums.wanted
    xx, yy, xy = sums.measured_squares, sums.wanted_squares, sums.products
    before = np.maximum(xx - 2 * xy + yy, 0.0)
    if offset:
        xx, yy, xy = xx - x * x / n, yy - y * y / n, xy - x * y / n
    varies = xx > _SAME * sums.measured_squares
    gain = np.where(varies, xy / np.where(varies, xx, 1.0), 1.0)
    added = (y - gain * x) / n if offset else np.zeros_like(x)
    after = np.maximum(yy - 2 * gain * xy + gain * gain * xx, 0.0)
    parameters = varies + float(offset)
    kept = np.zeros(x.shape, dtype=bool)
    if sums.count >= FEWEST_VALUES:
        kept = after * (n + parameters) / (n - parameters) < before
    return Lines(
        gain=np.where(kept, gain, 1.0),
        offset=np.where(kept, added, 0.0),
        before=before,
        after=np.where(kept, after, before),
        kept=kept,
    )


def inverted_lines(sums: PartialSums, *, offset: bool) -> Lines:
    """Fit measured to wanted partial sums, and return the inverse lines.

    measured = slope * wanted + start + noise gives gain = 1/slope, offset = -start/slope

    `fitted_lines` takes the least square error: a column whose measured values hold a share r^2 of
    signal gets r^2 times this gain. Behind many layers such factors multiply. A line is used where it
    says more of other inputs than slope 1 does, as in `fitted_lines`, and where its slope is known to a
    tenth.
    Source: the classical estimator of calibration, Krutchkoff, Technometrics 9, 1967.

    Args:
        sums: of a layer.
        offset: whether lines need not go through 0.
    """
    turned = replace(
        sums,
        measured=sums.wanted,
        wanted=sums.measured,
        measured_squares=sums.wanted_squares,
        wanted_squares=sums.measured_squares,
    )
    lines, n = fitted_lines(turned, offset=offset), sums.count
    spread = sums.wanted_squares - (sums.wanted**2 / max(n, 1) if offset else 0.0)
    # Standard error of a slope: sqrt(residual / (n - parameters) / spread).
    error = np.sqrt(lines.after / max(n - 1 - offset, 1) / np.maximum(spread, np.finfo(float).tiny))
    kept = lines.kept & (error < LEAST_KNOWN * lines.gain)
    slope = np.where(kept, lines.gain, 1.0)
    gain, added = 1 / slope, np.where(kept, -lines.offset / slope, 0.0)
    x, y, xx, xy = sums.measured, sums.wanted, sums.measured_squares, sums.products
    after = gain * gain * xx - 2 * gain * xy + sums.wanted_squares
    after = after + added * (n * added + 2 * gain * x - 2 * y)
    return Lines(gain, added, lines.before, np.maximum(after, 0.0), kept)


class Columns(OutputStep[ColumnsOptions]):
    """Gains and offsets of partial sums."""

    title = "gain and offset of each column"
    source = "Hu et al., Adv. Mater. 2018"
    options = ColumnsOptions
    variants = ({}, {"fit": "size"})

    def knows(self, options: ColumnsOptions) -> Knowledge:
        """Say what is measured."""
        return options.measure

    def check(self, settings: Settings, options: ColumnsOptions) -> str | None:
        """Refuse to measure the design after steps that have corrected the chip."""
        before = chosen_steps(settings, "output")[:1]
        if options.measure == "chip" or all(first.options == options for first in before):
            return None
        return (
            f"found measure: design after {before[0].name}, expected it before all that is corrected "
            "on the chip; put columns first, or use measure: chip"
        )

    def needs(self, layer: MappedLayer, options: ColumnsOptions) -> Needs:
        """Ask for a multiplication for each partial sum, and an addition for each output."""
        tiling, groups = layer.tiling, layer.layer.groups
        partial_sums = int(tiling.lines(groups)[1].sum())
        added = tiling.outputs_held(groups) if options.offset else 0
        return Needs(
            multipliers=partial_sums,
            adders=added,
            stored_values=partial_sums + added,
            reads=1 if options.measure == "chip" else 0,
        )

    def correct(self, bench: OutputBench, options: ColumnsOptions) -> Mapping[str, Correction]:
        """Fit every layer."""
        measured = bench.partial_sums(nominal=options.measure == "design")
        return {
            layer.layer.name: _correction(layer, measured[layer.layer.name], options)
            for layer in bench.layers
        }


def _correction(layer: MappedLayer, sums: PartialSums, options: ColumnsOptions) -> Correction:
    fit = fitted_lines if options.fit == "least_error" else inverted_lines
    lines, tiling = fit(sums, offset=options.offset), layer.tiling
    added = None
    if options.offset:
        # The lines start from partial sums alone: theirs takes the place of an earlier addition.
        replaced = np.where(lines.kept.any(axis=0), sums.added, 0.0)
        added = tiling.of_outputs(lines.offset.sum(axis=0) - replaced, 0.0)
    return Correction(
        gain=tiling.of_outputs(lines.gain, 1.0),
        added=added,
        residual=_residual(sums, lines),
    )


def _residual(sums: PartialSums, lines: Lines) -> Residual:
    """Compare the errors of partial sums with the layer's outputs, rms each."""
    outputs = float(sums.output_squares.mean()) or 1.0
    before, after = (
        float(np.sqrt(squares.mean() / outputs)) for squares in (lines.before, lines.after)
    )
    return Residual(before, after, UNIT)


STEP = Columns()
