"""Steps of compensation without training, each behind those that are taken already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rxsim.compensate import STEPS
from rxsim.config import Settings, step_name
from rxsim.effects import active_effects
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy
from rxsim.explain.remedies._cells import FAULTY_CELLS

_FAULTS, _WIRES = frozenset({"faults"}), frozenset({"wires"})
_AGAINST: Mapping[str, frozenset[str]] = {
    "predistort": _WIRES,
    "order": _WIRES,
    "columns": _WIRES,
    "pairs": _FAULTS,
    "spares": _FAULTS,
    "digital_cells": _FAULTS,
}
"""Steps that help against some effects only, with these."""


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    taken = evidence.study.settings.compensate
    names = {step_name(entry) for entry in taken}
    layers = list(evidence.study.layer_settings().values())
    active = set(active_effects(layers))
    for name in () if "auto" in names else STEPS.names:
        against = _AGAINST.get(name, active)
        if name not in names and against & active and all(_works(name, each) for each in layers):
            yield Candidate(
                title=f"compensated by {name.replace('_', ' ')}",
                changes={"compensate": (*taken, name)},
            )


def _works(name: str, settings: Settings) -> bool:
    """Tell whether a step with its defaults can work with a layer's settings."""
    step = STEPS[name]
    return step.check(settings, step.options()) is None


_CONVERTERS = frozenset({"clipping", "dac", "adc", "converter_errors"})
REMEDY = Remedy(order=15, against=FAULTY_CELLS | _CONVERTERS, candidates=_candidates)
