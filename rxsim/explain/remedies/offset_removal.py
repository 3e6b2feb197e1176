"""Another removal of the offset: measured through the same wires, or a pair of cells instead."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere, joined
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy
from rxsim.explain.remedies._cells import FAULTY_CELLS


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    settings = evidence.study.settings
    if not any(of.mapping.scheme == "offset" for of in evidence.study.layer_settings().values()):
        return
    yield Candidate(
        title="the offset measured on a reference column",
        changes=everywhere(settings, "mapping.offset_removal", lambda _: "reference_column"),
    )
    yield Candidate(
        title="differential pairs of cells in place of an offset",
        changes=joined(
            everywhere(settings, "mapping.offset_removal", lambda _: "digital"),
            everywhere(settings, "mapping.scheme", lambda _: "differential"),
        ),
    )


REMEDY = Remedy(order=10, against=FAULTY_CELLS, candidates=_candidates, redraws=True)
