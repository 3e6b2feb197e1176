"""Ranges of ADCs for smaller groups: a small column no longer shares the range of the largest."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy

_FINER = {"layer": ("tile", "column"), "tile": ("column",), "column": ()}


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    for scope in ("column", "tile"):

        def finer(old: str, scope: str = scope) -> str:
            return scope if scope in _FINER[old] else old

        changes = everywhere(evidence.study.settings, "adc.scope", finer)
        yield Candidate(title=f"an ADC range for each {scope}", changes=changes)


REMEDY = Remedy(order=21, against=frozenset({"adc"}), candidates=_candidates)
