"""The digital steps of compensation, one after the other, on a chip's layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rxsim.compensate import Residual, chosen_steps
from rxsim.config import Settings
from rxsim.patch import LayerHardware
from rxsim.pipeline.chip.output_bench import ChipBench, with_correction


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """A chip's layers after the digital steps.

    Attributes:
        layers: ADCs open.
        residuals: what each step tells, by layer name and step.
        idle: names of the steps that changed no output of any layer; of one that is taken twice the
            last counts.
    """

    layers: list[LayerHardware]
    residuals: Mapping[str, Mapping[str, Residual]]
    idle: frozenset[str]


def has_corrections(settings: Mapping[str, Settings]) -> bool:
    """Tell whether any step acts behind the converters."""
    return any(chosen_steps(each, "output") for each in settings.values())


def corrected_layers(
    bench: ChipBench, layers: Sequence[LayerHardware], settings: Mapping[str, Settings]
) -> Corrected:
    """Take the digital steps of a chip, in order.

    Args:
        bench: measures the chip.
        layers: its layers, ADCs open.
        settings: by layer name; the list of steps is the same for all.
    """
    layers = list(layers)
    residuals: dict[str, dict[str, Residual]] = {}
    changed: dict[str, bool] = {}
    for chosen in chosen_steps(next(iter(settings.values())), "output"):
        corrections = chosen.step.correct(bench, chosen.options)
        changed[chosen.name] = not all(each.is_identity for each in corrections.values())
        bench = bench.corrected(corrections)
        layers = [with_correction(item, corrections) for item in layers]
        for name, correction in corrections.items():
            if correction.residual is not None:
                residuals.setdefault(name, {})[chosen.name] = correction.residual
    return Corrected(layers, residuals, frozenset(name for name in changed if not changed[name]))
