"""More bits of the ADCs: of all, or of the layer that costs most."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere, in_layer
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    name, settings = "adc.n_bits", evidence.study.settings
    for layer in evidence.worst_layers("adc")[:1]:
        for bits in (1, 2):

            def more(old: int | None, bits: int = bits) -> int | None:
                return None if old is None else old + bits

            which = "one more ADC bit" if bits == 1 else "two more ADC bits"
            yield Candidate(
                title=f"{which} in {layer}", changes=in_layer(settings, layer, name, more)
            )
    yield Candidate(
        title="one more ADC bit in all layers",
        changes=everywhere(settings, name, lambda old: None if old is None else old + 1),
    )


REMEDY = Remedy(order=30, against=frozenset({"adc"}), candidates=_candidates)
