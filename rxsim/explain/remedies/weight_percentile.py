"""Clipped weights: a few large ones are cut, so all others have finer steps; or none is cut."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy
from rxsim.explain.remedies._cells import CELL_ERRORS

# Assumption: one weight in a thousand is an outlier.
_PERCENTILE = 99.9


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    name, settings = "mapping.w_percentile", evidence.study.settings
    yield Candidate(title="no weight clipped", changes=everywhere(settings, name, lambda _: 100.0))
    yield Candidate(
        title=f"weights clipped at their percentile {_PERCENTILE:g}",
        changes=everywhere(settings, name, lambda old: min(old, _PERCENTILE)),
    )


REMEDY = Remedy(order=50, against=CELL_ERRORS | {"clipping"}, candidates=_candidates)
