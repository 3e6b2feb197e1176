"""Smaller arrays: shorter wires, smaller currents, finer steps of their ADCs."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere, joined
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy

# Assumption: below it periphery outweighs cells.
_SMALLEST = 8


def _halved(side: int) -> int:
    return max(side // 2, min(side, _SMALLEST))


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    settings = evidence.study.settings
    rows = everywhere(settings, "crossbar.rows", _halved)
    cols = everywhere(settings, "crossbar.cols", _halved)
    size = _halved(settings.crossbar.rows), _halved(settings.crossbar.cols)
    if rows:
        title = f"arrays of {size[0]}x{settings.crossbar.cols}"
        yield Candidate(title=title, changes=rows)
    if cols:
        yield Candidate(title=f"arrays of {size[0]}x{size[1]}", changes=joined(rows, cols))


REMEDY = Remedy(order=40, against=frozenset({"wires", "adc"}), candidates=_candidates, redraws=True)
