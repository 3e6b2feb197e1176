"""ADC ranges of a study: one run of its open-ADC network over the calibration inputs, or two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from rxsim.calibrate import count_values
from rxsim.config import Adc as AdcSettings
from rxsim.config import Settings
from rxsim.converters import ErrorMeter, RangeMeter, adc_codes, range_blocks
from rxsim.onnx_graph import with_outputs
from rxsim.patch import LayerHardware, PatchedNetwork, patch_network
from rxsim.pipeline.chip.memo import remembered_adc_ranges
from rxsim.pipeline.study.calibration import CALIBRATED
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import SCENARIOS, Scenario
from rxsim.session import Session

T = TypeVar("T")


class _Meter(Protocol):
    def add(self, currents: list[np.ndarray], channel_axis: int) -> None:
        """Take in the currents of a batch."""

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


def measured_ranges(
    study: Study,
    mapped: HasSettings,
    open_layers: Sequence[LayerHardware],
    scenario: Scenario,
) -> dict[str, np.ndarray]:
    """Run the open-ADC network over the calibration inputs, or take what was kept of such a run.

    Args:
        study: the study.
        mapped: knows the layers' settings.
        open_layers: nominal hardware whose ADCs are open.
        scenario: whose hardware that is; an earlier calibration holds the ranges of some.

    Returns:
        Ampere (a side), (conversions, groups, readouts), by name of each layer with calibrated ADCs.

    Raises:
        InputError: what was kept does not fit the hardware.
    """
    by_layer = {item.layer.name: mapped.settings[item.layer.name].adc for item in open_layers}
    names = calibrated_layers(mapped.settings)
    wanted = [item for item in open_layers if item.layer.name in names]
    blocks = [layer_blocks(item, by_layer[item.layer.name].scope) for item in wanted]
    kept = study.calibration_file
    if kept is not None and scenario in calibrated_scenarios():
        return {
            item.layer.name: kept.ranges(scenario.name, item.layer.name, block)
            for item, block in zip(wanted, blocks, strict=True)
        }
    if not wanted:
        return {}
    adcs = [by_layer[item.layer.name] for item in wanted]
    patched = patch_network(study.network.model, open_layers, split=True)
    rules = [(item.layer.name, _rule(adc, item)) for item, adc in zip(wanted, adcs, strict=True)]
    return remembered_adc_ranges(
        study, patched.model, rules, blocks, lambda: _measured(study, patched, wanted, adcs, blocks)
    )


def _rule(adc: AdcSettings, item: LayerHardware) -> list[Any]:
    """Tell what chooses a range: codes come in only where their errors are weighed."""
    codes = [adc.n_bits, item.both_sides.tolist()] if adc.criterion == "mse" else None
    return [adc.criterion, adc.percentile, codes]


def _measured(
    study: Study,
    patched: PatchedNetwork,
    wanted: Sequence[LayerHardware],
    adcs: Sequence[AdcSettings],
    blocks: Sequence[np.ndarray],
) -> dict[str, np.ndarray]:
    """Run the open-ADC network; once more, from the ranges found, where errors are weighed."""
    run = _OpenRun(study, patched, wanted)
    exact = [adc.percentile == 100 or adc.criterion == "mse" for adc in adcs]
    counts: list[list[int] | None] = [None] * len(wanted)
    if not all(exact):
        counts = [None if easy else count for easy, count in zip(exact, run.counts(), strict=True)]
    meters: list[_Meter] = [
        RangeMeter(block, adc.percentile, count)
        for block, adc, count in zip(blocks, adcs, counts, strict=True)
    ]
    run.feed(meters)
    if any(adc.criterion == "mse" for adc in adcs):
        again: list[_Meter | None] = [
            ErrorMeter(block, meter.ranges(), adc_codes(adc.n_bits or 1, item.both_sides)[1])
            if adc.criterion == "mse"
            else None
            for block, meter, adc, item in zip(blocks, meters, adcs, wanted, strict=True)
        ]
        run.feed(again)
        meters = [new or old for new, old in zip(again, meters, strict=True)]
    return {item.layer.name: meter.ranges() for item, meter in zip(wanted, meters, strict=True)}


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
        readouts.present,
    )


class _OpenRun:
    """The open-ADC network on the calibration inputs, as often as it is needed."""

    def __init__(
        self, study: Study, patched: PatchedNetwork, wanted: Sequence[LayerHardware]
    ) -> None:
        self._wanted = wanted
        self._study = study
        self._taps = [name for item in wanted for name in patched.taps[item.layer.name].currents]
        self._session = Session(
            with_outputs(patched.model, self._taps),
            "the open-ADC network",
            study.network.fixed_batch,
        )

    def counts(self) -> list[list[int]]:
        """Count the values of every conversion."""
        study = self._study
        counted = count_values(
            self._session, study.calibration, self._taps, batch=study.batch, threads=study.threads
        )
        return list(self._by_layer(counted))

    def feed(self, meters: Sequence[_Meter | None]) -> None:
        """Run the network once and hand every layer's currents to its meter."""
        study = self._study
        with study.stages("adc ranges") as progress:
            for results in self._session.batches(
                study.calibration,
                self._taps,
                batch=study.batch,
                threads=study.threads,
                progress=progress,
            ):
                for item, meter, currents in zip(
                    self._wanted, meters, self._by_layer(results), strict=True
                ):
                    if meter is not None and currents[0].size:
                        meter.add(currents, item.layer.channel_axis)

    def _by_layer(self, taps: list[T]) -> Iterator[list[T]]:
        """Deal out what belongs to each layer: one item for each of its conversions."""
        start = 0
        for item in self._wanted:
            stop = start + len(item.both_sides)
            yield taps[start:stop]
            start = stop
