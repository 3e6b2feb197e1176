"""The layers that cost most stay off the crossbars."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import LAYERS
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy

_MOST = 3


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    worst, analog = evidence.worst_layers()[:_MOST], len(evidence.study.plan.layers)
    for count in (1, _MOST):
        if count <= len(worst) and count < analog:
            yield Candidate(
                title=f"{', '.join(worst[:count])} digital",
                changes={f"{LAYERS}{layer}": {"digital": True} for layer in worst[:count]},
            )


REMEDY = Remedy(order=90, against=frozenset(), candidates=_candidates)
