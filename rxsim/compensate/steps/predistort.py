"""Targets whose exact g_eff, wires included, is nearest to what weights ask for.

Source: docs/concepts/model.md, section 14; Hu et al., DAC 2016; Zhang and Hu, JETC 2020.
"""

from __future__ import annotations

from pydantic import Field

from rxsim.compensate import Designed, DesignStep, Needs, Residual, Workshop
from rxsim.compensate.predistortion import (
    GainSlots,
    ScaleBy,
    searched,
    start_and_freedom,
    wanted_array,
    with_targets,
)
from rxsim.config import Settings, step_name
from rxsim.counted import counted
from rxsim.mapping import MappedLayer
from rxsim.schema import Integer, Number, Section

UNIT = "of the conductance range, rms, before levels and write errors"


class Options(Section):
    """Options of the step."""

    passes: Integer = Field(12, ge=1, description="how often cells are moved at most")
    scale: ScaleBy = Field(
        "layer", description="what shares a gain that decoding divides out; none: a gain of 1"
    )
    headroom: Number | None = Field(
        None,
        ge=0,
        le=0.45,
        description="share of the range left free at each end; null: a shift is chosen with the gain, "
        "where shifts cancel",
    )


class Predistort(DesignStep[Options]):
    """Searches for targets on nominal devices."""

    title = "targets that make up for the wires"
    source = "Hu et al., DAC 2016; Zhang and Hu, JETC 2020"
    options = Options
    mends = "wires"
    counts_deviation = True

    def check(self, settings: Settings, options: Options) -> str | None:
        """Refuse what can't be decoded."""
        times = sum(step_name(entry) == "predistort" for entry in settings.compensate)
        if times > 1:
            return (
                f"found the step {counted(times, 'time')}, expected it once: what the second is to "
                "reach is no longer known; leave out the others"
            )
        mapping = settings.mapping
        if mapping.scheme == "offset" and options.scale == "column":
            return (
                "found scale: column with mapping.scheme: offset, expected one gain, by which the "
                "offset is removed; use scale: layer"
            )
        if not _shifts_cancel(settings) and options.headroom:
            return (
                f"found headroom: {options.headroom:g} with an offset that is removed digitally, "
                "expected none: the offset would be another; leave it out, or use "
                "mapping.offset_removal: reference_column"
            )
        return None

    def needs(self, layer: MappedLayer, options: Options) -> Needs:
        """Ask for a multiplier of each partial sum where columns have gains of their own."""
        values = layer.w_max.size if options.scale == "column" else 0
        return Needs(multipliers=values, stored_values=values)

    def design(self, layer: MappedLayer, workshop: Workshop, options: Options) -> Designed:
        """Search for the targets of all arrays of a layer."""
        if not workshop.has_circuit:
            return Designed(layer, Residual(0.0, 0.0, UNIT))
        settings = workshop.settings
        slots = GainSlots(layer, settings, by_column=options.scale == "column")
        start, freedom = start_and_freedom(
            options.scale,
            options.headroom,
            slots.count,
            (layer.device.g_off, layer.device.g_on),
            layer.cells.step,
            deviation=workshop.deviation,
            shifts_cancel=_shifts_cancel(settings),
        )
        found = searched(
            [wanted_array(layer.array(n), layer, slots) for n in range(layer.n_arrays)],
            start,
            freedom,
            options.passes,
            workshop.solve,
            workshop.each,
        )
        residual = Residual(found.before, found.after, UNIT)
        if not found.helps:
            return Designed(layer, residual)
        cells = [array.g for array in found.arrays]
        return Designed(with_targets(layer, cells, slots.gains(found.scale.gain)), residual)


def _shifts_cancel(settings: Settings) -> bool:
    """Tell whether a conductance that all cells hold more drops out of the outputs."""
    mapping = settings.mapping
    return mapping.scheme == "differential" or mapping.offset_removal == "reference_column"


STEP = Predistort()
