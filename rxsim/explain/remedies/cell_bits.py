"""Cells of more levels: one more bit in all layers, or in the layer that costs most."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere, in_layer, joined
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy


def _one_more(bits: int | None) -> int | None:
    return None if bits is None else bits + 1


def _twice_the_steps(levels: int | None) -> int | None:
    """Return so many levels that their distance halves; an odd number stays odd."""
    return None if levels is None else 2 * levels - 1


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    settings, by_layer = evidence.study.settings, evidence.study.layer_settings()
    # Digits of a weight have the levels that they need.
    plain = {name for name, of_layer in by_layer.items() if not of_layer.mapping.weight_bits}
    names = (("device.n_bits", _one_more), ("device.n_levels", _twice_the_steps))
    for layer in evidence.worst_layers("levels")[:1]:
        if layer in plain:
            changes = joined(*(in_layer(settings, layer, name, more) for name, more in names))
            yield Candidate(title=f"cells of one more bit in {layer}", changes=changes)
    if plain:
        changes = joined(*(everywhere(settings, name, more) for name, more in names))
        yield Candidate(title="cells of one more bit in all layers", changes=changes)


REMEDY = Remedy(order=32, against=frozenset({"levels"}), candidates=_candidates)
