"""A finer weight scale: a small column no longer shares the scale of the largest weight."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy
from rxsim.explain.remedies._cells import CELL_ERRORS


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    changes = everywhere(evidence.study.settings, "mapping.w_max_scope", lambda _: "column")
    yield Candidate(title="a weight scale for each column", changes=changes)


REMEDY = Remedy(order=20, against=CELL_ERRORS | {"adc"}, candidates=_candidates)
