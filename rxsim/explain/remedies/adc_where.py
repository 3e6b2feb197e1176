"""Conversions elsewhere: of the sum over a layer's row tiles, or of each tile."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    settings = evidence.study.settings
    yield Candidate(
        title="currents of row tiles added before one conversion (needs analog sums)",
        changes=everywhere(settings, "adc.where", lambda _: "per_layer"),
    )
    yield Candidate(
        title="a conversion for each row tile",
        changes=everywhere(settings, "adc.where", lambda _: "per_tile"),
    )


REMEDY = Remedy(order=60, against=frozenset({"adc"}), candidates=_candidates)
