"""Steps of compensation without training, each alone and behind those that are taken already."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.compensate import STEPS
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy
from rxsim.explain.remedies._cells import FAULTY_CELLS


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    taken = evidence.study.settings.compensate
    for name in STEPS.names:
        if name not in taken:
            yield Candidate(
                title=f"compensated by {name.replace('_', ' ')}",
                changes={"compensate": (*taken, name)},
            )


REMEDY = Remedy(order=15, against=FAULTY_CELLS, candidates=_candidates)
