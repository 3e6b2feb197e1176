"""Program and verify: cells are written again until a reading is near enough."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy

# Assumption: a verifying read can tell one percent of the conductance range.
_TOLERANCE = 0.01
_ATTEMPTS = 10


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    verify = {"tolerance": _TOLERANCE, "attempts": _ATTEMPTS, "read_sigma": 0.0}
    changes = everywhere(
        evidence.study.settings, "device.verify", lambda old: verify if old is None else old
    )
    title = f"cells verified to {_TOLERANCE:.0%} of the range, in at most {_ATTEMPTS} writes"
    yield Candidate(title=title, changes=changes)


REMEDY = Remedy(order=13, against=frozenset({"write_error"}), candidates=_candidates)
