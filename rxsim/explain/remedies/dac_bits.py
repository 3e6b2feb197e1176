"""One more bit of the DACs."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    changes = everywhere(
        evidence.study.settings, "dac.n_bits", lambda old: None if old is None else old + 1
    )
    yield Candidate(title="one more DAC bit in all layers", changes=changes)


REMEDY = Remedy(order=31, against=frozenset({"dac"}), candidates=_candidates)
