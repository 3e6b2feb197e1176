"""Both cells of a pair side by side, so that wires take alike from both."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    yield Candidate(
        title="cells of a pair in adjacent columns",
        changes=everywhere(evidence.study.settings, "mapping.layout", lambda _: "adjacent"),
    )


REMEDY = Remedy(order=43, against=frozenset({"wires"}), candidates=_candidates, redraws=True)
