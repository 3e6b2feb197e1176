"""Remedies that traps advise: the candidates that make the settings which a trap names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from rxsim.explain.changes import everywhere, joined
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate
from rxsim.explain.remedies_together import AND
from rxsim.explain.remedy_runs import Tried


@dataclass(frozen=True, slots=True)
class TrapRemedy:
    """What a trap advises to try.

    Attributes:
        trap: its name.
        parts: candidates with their remedies' names, several where they are taken together.
    """

    trap: str
    parts: tuple[tuple[str, Candidate], ...]

    @property
    def changes(self) -> dict[str, object]:
        """Settings that differ with all parts."""
        return joined(*(candidate.changes for _, candidate in self.parts))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the remedies."""
        return tuple(name for name, _ in self.parts)

    @property
    def title(self) -> str:
        """What is done, for readers."""
        return AND.join(candidate.title for _, candidate in self.parts)


def trap_remedies(
    evidence: Evidence, candidates: Iterable[tuple[str, Candidate]]
) -> tuple[TrapRemedy, ...]:
    """Look up what the traps that were seen advise.

    Args:
        evidence: holds these traps.
        candidates: what may be tried, with the remedies' names.
    """
    candidates, led = list(candidates), list[TrapRemedy]()
    for trap in evidence.traps:
        for advice in trap.advice:
            wanted = [
                everywhere(evidence.study.settings, name, partial(_replaced, value))
                for name, value in advice.items()
            ]
            parts = [
                part
                for changes in wanted
                for part in [each for each in candidates if each[1].changes == changes][:1]
            ]
            if parts:
                led.append(TrapRemedy(trap.name, tuple(parts)))
    return tuple(led)


def _replaced(new: object, old: object) -> object:
    return new


def with_traps(tried: Iterable[Tried], led: Iterable[TrapRemedy]) -> list[Tried]:
    """Note at each attempt the first trap that advises it."""
    traps = {str(each.changes): each.trap for each in reversed(tuple(led))}
    return [
        replace(each, attempt=replace(each.attempt, trap=traps.get(str(each.attempt.changes), "")))
        for each in tried
    ]
