"""A study's layers on their arrays, under the settings of one scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from rxsim.calibrate import InputRange, measure_input_ranges
from rxsim.compensate import Residual
from rxsim.config import Settings
from rxsim.load import StatedRange
from rxsim.mapped_files import let_go
from rxsim.mapping import MappedLayer, map_layer
from rxsim.pipeline.chip.converter_errors import check_converters
from rxsim.pipeline.chip.designs import Designs
from rxsim.pipeline.chip.memo import remembered_input_ranges
from rxsim.pipeline.chip.operating_points import operating_points
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import Scenario
from rxsim.tiles import OperatingPoint


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Mapped:
    """A study's layers on their arrays.

    Attributes:
        layers: the mapped layers, after the compensation steps of their design.
        undesigned: the same before these steps.
        settings: what holds for each of them under the scenario, by its name.
        input_ranges: of their inputs, by name.
        points: where arrays that are not linear are made so, by name of their layers.
        design_residuals: what each design step tells, by layer name and step.
        adc_factors: on the ranges of ADCs, by layer name, where a compensation step chose some.
    """

    layers: tuple[MappedLayer, ...]
    undesigned: tuple[MappedLayer, ...]
    settings: Mapping[str, Settings]
    input_ranges: Mapping[str, InputRange]
    points: Mapping[str, OperatingPoint]
    design_residuals: Mapping[str, Mapping[str, Residual]] = field(default_factory=dict)
    adc_factors: Mapping[str, float] = field(default_factory=dict)

    def under(self, change: Callable[[Settings], Settings]) -> Mapped:
        """Return the same layers with some effects of the hardware switched off.

        Args:
            change: turns effects off that do not move targets: `nominal` or `perfect`. Layers of which
                it turns compensation off are those before their design.
        """
        settings = for_each(self.settings, change)
        layers = tuple(
            layer if settings[layer.layer.name].compensate else before
            for layer, before in zip(self.layers, self.undesigned, strict=True)
        )
        return replace(self, layers=layers, settings=settings)


def map_study(
    study: Study,
    scenario: Scenario,
    ranges: Mapping[str, InputRange] | None = None,
    designs: Designs | None = None,
) -> Mapped:
    """Measure input ranges (or take those of an earlier calibration) and map every layer.

    Args:
        study: the study.
        scenario: which effects are on.
        ranges: of the layers' inputs, where they are known: no scenario changes them.
        designs: takes the design steps of compensation, shared with other scenarios.

    Raises:
        RxsimError: something in the study can't be used.
    """
    settings = for_each(study.layer_settings(), scenario.settings)
    ranges = input_ranges(study) if ranges is None else ranges
    with study.stages("map"):
        layers = tuple(
            map_layer(layer, of_layer.crossbar, of_layer.device, of_layer.mapping)
            for layer in study.network.layers
            for of_layer in [settings[layer.name]]
        )
        check_converters(layers, settings)
        let_go(*(layer.matrices for layer in study.network.layers))
    points = operating_points(study, scenario, settings, ranges)
    designed, residuals = (designs or Designs(study)).of(layers, settings, points)
    return Mapped(
        layers=designed,
        undesigned=layers,
        settings=settings,
        input_ranges=ranges,
        points=points,
        design_residuals=residuals,
    )


def input_ranges(study: Study) -> dict[str, InputRange]:
    """Return the range of every layer's inputs: stated, measured, or of an earlier calibration."""
    kept = study.calibration_file
    if kept is not None:
        return {layer.name: kept.input_range(layer.name) for layer in study.network.layers}
    percentile = {
        name: settings.input.percentile for name, settings in study.layer_settings().items()
    }
    stated = study.stated_input_ranges()
    with study.stages("calibrate") as progress:
        measured = remembered_input_ranges(
            study,
            percentile,
            lambda: measure_input_ranges(
                study.network.model,
                study.network.layers,
                study.calibration,
                percentile=percentile,
                batch=study.batch,
                threads=study.threads,
                fixed_batch=study.network.fixed_batch,
                progress=progress,
            ),
        )
    return {name: _chosen(stated.get(name), found) for name, found in measured.items()}


def _chosen(stated: StatedRange | None, measured: InputRange) -> InputRange:
    if stated is None:
        return measured
    signed = measured.signed if stated.signed is None else stated.signed
    return replace(measured, x_max=stated.x_max, signed=signed)


def for_each(
    settings: Mapping[str, Settings], change: Callable[[Settings], Settings]
) -> dict[str, Settings]:
    """Change the settings of every layer; layers with equal settings share the result."""
    known: dict[str, Settings] = {}
    changed = {}
    for name, of_layer in settings.items():
        text = of_layer.model_dump_json()
        if text not in known:
            known[text] = change(of_layer)
        changed[name] = known[text]
    return changed
