"""Cells are programmed anew, and read just before it is time again."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy

_TIMES = 10
# A little more than a share: else the read would come right after a refresh.
_SHARE = 1.001 / _TIMES


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    device = evidence.study.settings.device
    if device.time > 0 and device.refresh is None:
        yield Candidate(
            title=f"cells programmed anew about {_TIMES} times until then",
            changes={"device.refresh": device.time * _SHARE},
        )


REMEDY = Remedy(order=12, against=frozenset({"drift"}), candidates=_candidates)
