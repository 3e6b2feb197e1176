"""ADC ranges (and steps) of a study: runs of its open-ADC network over the calibration inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from rxsim.compensate import sees_float_inputs
from rxsim.config import Adc as AdcSettings
from rxsim.config import Settings
from rxsim.converters import (
    MOST_BINS,
    CurrentHistograms,
    ErrorMeter,
    MeasuredAdc,
    RangeMeter,
    adc_codes,
    bits_per_lsb,
    full_scale,
    range_blocks,
    without_dead_ranges,
)
from rxsim.errors import SettingError
from rxsim.patch import LayerHardware, PatchedNetwork, patch_network
from rxsim.pipeline.chip.memo import remembered_adcs
from rxsim.pipeline.chip.open_run import Meter, OpenRun
from rxsim.pipeline.study.calibration import CALIBRATED
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import SCENARIOS, Scenario


class _RangeMeter(Meter, Protocol):
    def ranges(self) -> np.ndarray:
        """Return the range of each conversion, group and readout."""


class HasSettings(Protocol):
    """What knows the settings of every layer by its name."""

    @property
    def settings(self) -> Mapping[str, Settings]:
        """Settings by layer name."""


def calibrated_layers(settings: Mapping[str, Settings]) -> set[str]:
    """Return the names of the layers whose ADC ranges come from calibration inputs."""
    return {
        name
        for name, of_layer in settings.items()
        if of_layer.adc.n_bits is not None and of_layer.adc.range == "calibrated"
    }


def calibrated_scenarios() -> tuple[Scenario, ...]:
    """Return the scenarios whose ADC ranges a calibration file holds."""
    return tuple(SCENARIOS[name] for name in CALIBRATED)


def measured_adcs(
    study: Study,
    mapped: HasSettings,
    open_layers: Sequence[LayerHardware],
    scenario: Scenario,
) -> dict[str, MeasuredAdc]:
    """Run the open-ADC network over the calibration inputs, or take what was kept of such a run.

    Args:
        study: the study.
        mapped: knows the layers' settings.
        open_layers: nominal hardware whose ADCs are open.
        scenario: whose hardware that is; an earlier calibration holds the ranges of some.

    Returns:
        Ranges, and Lloyd-Max steps where the settings ask for them, by name of each layer with
        calibrated ADCs.

    Raises:
        InputError: what was kept does not fit the hardware.
        SettingError: a layer has too many ranges for histograms.
    """
    by_layer = {item.layer.name: mapped.settings[item.layer.name].adc for item in open_layers}
    names = calibrated_layers(mapped.settings)
    wanted = [item for item in open_layers if item.layer.name in names]
    blocks = [layer_blocks(item, by_layer[item.layer.name].scope) for item in wanted]
    kept = study.calibration_file
    if kept is not None and scenario in calibrated_scenarios():
        return {
            item.layer.name: kept.adc(
                scenario.name,
                item.layer.name,
                block,
                steps=by_layer[item.layer.name].thresholds == "lloyd_max",
            )
            for item, block in zip(wanted, blocks, strict=True)
        }
    if not wanted:
        return {}
    adcs = [by_layer[item.layer.name] for item in wanted]
    for item, adc, block in zip(wanted, adcs, blocks, strict=True):
        _check_histograms(item, adc, block)
    # Where compensation brings outputs back to the float network's, its inputs are what layers see.
    beside = any(map(sees_float_inputs, mapped.settings.values()))
    patched = patch_network(study.network.model, open_layers, split=True, beside=beside)
    limits = [_full_scale(item, mapped.settings[item.layer.name]) for item in wanted]
    rules = [
        (item.layer.name, [*_rule(adc, item), limit[:, 0, 0].tolist()])
        for item, adc, limit in zip(wanted, adcs, limits, strict=True)
    ]
    return remembered_adcs(
        study,
        patched.model,
        rules,
        blocks,
        lambda: _measured(study, patched, wanted, adcs, blocks, limits),
    )


def _full_scale(item: LayerHardware, settings: Settings) -> np.ndarray:
    """Return what a layer's cells and voltages allow, ampere (conversions, groups, readouts)."""
    tiling = item.tiling
    shape = (len(item.both_sides), tiling.groups, item.readouts.count)
    tiles = len(tiling.row_tiles)
    return full_scale(settings, item.input_plan, shape, tiles, item.is_difference)


def _check_histograms(item: LayerHardware, adc: AdcSettings, blocks: np.ndarray) -> None:
    """Refuse Lloyd-Max steps for more ranges than there is room for."""
    if adc.thresholds != "lloyd_max":
        return
    low, high = _codes(adc, item)
    count = int(blocks.max()) + 1
    codes = high - low + 1
    if (count * codes) << bits_per_lsb(codes) > MOST_BINS:
        raise SettingError(
            f"adc.thresholds: found lloyd_max for {count} ranges of {adc.n_bits} bits in layer "
            f"{item.layer.name}, whose histograms take more than {MOST_BINS:,} bins; let more "
            "conversions share a range (adc.scope), or use fewer bits (adc.n_bits)"
        )


def _codes(adc: AdcSettings, item: LayerHardware) -> tuple[int, int]:
    """Return the smallest and the largest code of a layer's ADCs."""
    low, high = adc_codes(adc.n_bits or 1, item.both_sides)
    return int(low[0]), int(high[0])


def _rule(adc: AdcSettings, item: LayerHardware) -> list[Any]:
    """Tell what chooses a range: codes come in only where their errors are weighed."""
    weighs = adc.criterion == "mse" or adc.thresholds == "lloyd_max"
    codes = [adc.n_bits, item.both_sides.tolist()] if weighs else None
    rule = [adc.criterion, adc.percentile, codes]
    return [*rule, "lloyd_max"] if adc.thresholds == "lloyd_max" else rule


def _measured(
    study: Study,
    patched: PatchedNetwork,
    wanted: Sequence[LayerHardware],
    adcs: Sequence[AdcSettings],
    blocks: Sequence[np.ndarray],
    limits: Sequence[np.ndarray],
) -> dict[str, MeasuredAdc]:
    """Run the open-ADC network; once more where errors are weighed, and for histograms."""
    run = OpenRun(study, patched, wanted)
    exact = [adc.percentile == 100 or adc.criterion == "mse" for adc in adcs]
    counts: list[list[int] | None] = [None] * len(wanted)
    if not all(exact):
        counts = [None if easy else count for easy, count in zip(exact, run.counts(), strict=True)]
    meters: list[_RangeMeter] = [
        RangeMeter(block, adc.percentile, count)
        for block, adc, count in zip(blocks, adcs, counts, strict=True)
    ]
    run.feed(meters)
    if any(adc.criterion == "mse" for adc in adcs):
        again: list[_RangeMeter | None] = [
            ErrorMeter(block, meter.ranges(), adc_codes(adc.n_bits or 1, item.both_sides)[1])
            if adc.criterion == "mse"
            else None
            for block, meter, adc, item in zip(blocks, meters, adcs, wanted, strict=True)
        ]
        run.feed(again)
        meters = [new or old for new, old in zip(again, meters, strict=True)]
    ranges = [
        without_dead_ranges(meter.ranges(), block, limit)
        for meter, block, limit in zip(meters, blocks, limits, strict=True)
    ]
    histograms = [
        CurrentHistograms(block, each, *_codes(adc, item))
        if adc.thresholds == "lloyd_max"
        else None
        for block, each, adc, item in zip(blocks, ranges, adcs, wanted, strict=True)
    ]
    if any(histograms):
        run.feed(histograms)
    return {
        item.layer.name: MeasuredAdc(each, None if counted is None else counted.levels())
        for item, each, counted in zip(wanted, ranges, histograms, strict=True)
    }


def layer_blocks(item: LayerHardware, scope: str) -> np.ndarray:
    """Number a layer's ranges: which each conversion uses, int64 (conversions, groups, readouts)."""
    readouts = item.readouts
    passes, tiles = len(item.input_plan.passes), len(item.rows)
    return range_blocks(
        scope,
        passes,
        tiles,
        item.tiling.groups,
        readouts.slices,
        readouts.col_tiles,
        item.converted,
    )
