"""Half the read voltage: cells are nearer to linear."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    changes = everywhere(evidence.study.settings, "input.v_read", lambda old: old / 2)
    yield Candidate(title="half the read voltage", changes=changes)


REMEDY = Remedy(order=45, against=frozenset({"nonlinearity"}), candidates=_candidates)
