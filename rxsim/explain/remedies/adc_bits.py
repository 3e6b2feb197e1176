"""More bits of the ADCs: of all, or of the layer that costs most."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rxsim.explain.changes import everywhere, in_layer
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy

_ADDED = {1: "one more ADC bit", 2: "two more ADC bits"}


def _more(added: int) -> Callable[[int | None], int | None]:
    return lambda bits: None if bits is None else bits + added


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    name, settings = "adc.n_bits", evidence.study.settings
    for layer in evidence.worst_layers("adc")[:1]:
        for added, title in _ADDED.items():
            changes = in_layer(settings, layer, name, _more(added))
            yield Candidate(title=f"{title} in {layer}", changes=changes)
    for added, title in _ADDED.items():
        changes = everywhere(settings, name, _more(added))
        yield Candidate(title=f"{title} in all layers", changes=changes)


REMEDY = Remedy(order=30, against=frozenset({"adc"}), candidates=_candidates)
