"""Small steps of compensation that stand in the folder of steps while a test runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from rxsim import folders
from rxsim.compensate import (
    Correction,
    Designed,
    DesignStep,
    Needs,
    NoOptions,
    OutputBench,
    OutputStep,
    Residual,
    Workshop,
)
from rxsim.config import Settings, compensation
from rxsim.mapping import MappedLayer, PhysicalArray
from rxsim.schema import Section


class Mirrored(DesignStep[NoOptions]):
    """Rows in reverse order, see docs/extending.md; it tells made-up residuals, by the layer's size."""

    title = "rows in reverse order"
    source = "an example, 1999"
    options = NoOptions

    def design(self, layer: MappedLayer, workshop: Workshop, options: NoOptions) -> Designed:
        def turned(index: int) -> PhysicalArray:
            array = layer.array(index)
            return replace(
                array,
                target=array.target[::-1],
                blank=array.blank[::-1],
                rows=array.rows[::-1],
                row_signs=array.row_signs[::-1],
            )

        arrays = workshop.each(turned, range(layer.n_arrays))
        residual = Residual(float(layer.tiling.n_inputs), float(layer.tiling.n_outputs), "parts")
        return Designed(layer.with_arrays(arrays), residual)

    def needs(self, layer: MappedLayer, options: NoOptions) -> Needs:
        return Needs(spare_columns=layer.n_arrays)


class ScaledOptions(Section):
    """Options of the step below."""

    gain: float = 1.0


class Scaled(OutputStep[ScaledOptions]):
    """Every output times a number."""

    title = "outputs <b>times</b> a number"
    source = "[red]an example[/], 2001"
    options = ScaledOptions

    def knows(self, options: ScaledOptions) -> Any:
        return "chip"

    def check(self, settings: Settings, options: ScaledOptions) -> str | None:
        if settings.mapping.scheme == "offset":
            return "found mapping.scheme: offset, expected pairs; use mapping.scheme: differential"
        return None

    def needs(self, layer: MappedLayer, options: ScaledOptions) -> Needs:
        return Needs(multipliers=layer.tiling.n_outputs, reads=1)

    def correct(self, bench: OutputBench, options: ScaledOptions) -> Mapping[str, Correction]:
        return {
            layer.layer.name: Correction(gain=np.full(1, options.gain)) for layer in bench.layers
        }


MADE: dict[str, Any] = {"mirrored": Mirrored(), "scaled": Scaled()}


def with_made_steps(patch: pytest.MonkeyPatch, steps: Mapping[str, Any] = MADE) -> None:
    """Let the folder of steps hold these besides, until the patch is undone."""
    listed = folders.names_in

    def names_in(package: str, suffix: str = ".py") -> tuple[str, ...]:
        names = listed(package, suffix)
        inside = package == compensation.STEP_PACKAGE
        return tuple(sorted({*names, *steps})) if inside else names

    for room in (folders, compensation):
        patch.setattr(room, "names_in", names_in)
    for name, step in steps.items():
        module = ModuleType(name)
        module.STEP = step  # type: ignore[attr-defined]
        patch.setitem(sys.modules, f"{compensation.STEP_PACKAGE}.{name}", module)
