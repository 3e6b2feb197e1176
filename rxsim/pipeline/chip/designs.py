"""Layers after the compensation steps of their design, each made once for a study."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rxsim.compensate import Residual, chosen_steps, entries_at
from rxsim.config import Settings
from rxsim.errors import CircuitError
from rxsim.mapping import MappedLayer
from rxsim.pipeline.chip.room import threads_that_fit
from rxsim.pipeline.study.study import Study
from rxsim.tiles import DESIGN, LayerDesign, OperatingPoint, design_layer, deviation_of_design


class Designs:
    """Takes the design steps of a study's layers; scenarios with equal designs share them."""

    def __init__(self, study: Study) -> None:
        """Start without any."""
        self._study = study
        self._kept: dict[str, LayerDesign] = {}

    def of(
        self,
        layers: tuple[MappedLayer, ...],
        settings: Mapping[str, Settings],
        points: Mapping[str, OperatingPoint],
    ) -> tuple[tuple[MappedLayer, ...], Mapping[str, Mapping[str, Residual]]]:
        """Return the layers after their design steps, and each step's residual by layer name.

        Args:
            layers: as mapped.
            settings: by layer name.
            points: where arrays that are not linear are made so, by layer name.

        Raises:
            CircuitError: naming the layer.
        """
        if not any(chosen_steps(settings[each.layer.name], "design") for each in layers):
            return layers, {}
        with self._study.stages("design") as progress:
            made = []
            for number, layer in enumerate(layers):
                name = layer.layer.name
                made.append(self._layer(layer, settings[name], points.get(name)))
                progress(number + 1, len(layers))
        residuals = {each.layer.layer.name: each.residuals for each in made}
        return tuple(each.layer for each in made), residuals

    def _layer(
        self, layer: MappedLayer, settings: Settings, point: OperatingPoint | None
    ) -> LayerDesign:
        linearised = None if point is None else [point.volt, point.activity]
        values = DESIGN.of(settings) | {"compensate": entries_at(settings, "design")}
        deviation = deviation_of_design(settings)
        key = json.dumps([layer.layer.index, values, deviation, linearised])
        if key not in self._kept:
            threads = threads_that_fit(self._study.threads, layer, settings)
            try:
                self._kept[key] = design_layer(layer, settings, point, threads)
            except CircuitError as error:
                raise CircuitError(f"layer {layer.layer.name}: {error}") from None
        return self._kept[key]
