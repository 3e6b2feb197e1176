"""Other ends of lines: driven and sensed from both sides, or from alternating sides."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere, joined
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    settings = evidence.study.settings
    crossbar = settings.crossbar
    if crossbar.r_driver_far is None and crossbar.r_sense_far is None:
        yield Candidate(
            title="lines driven and sensed from both ends",
            changes={
                "crossbar.r_driver_far": crossbar.r_driver,
                "crossbar.r_sense_far": crossbar.r_sense,
            },
        )
    sides = (
        everywhere(settings, f"crossbar.{side}", lambda _: "alternate")
        for side in ("drive_side", "sense_side")
    )
    yield Candidate(title="lines driven and sensed from alternating ends", changes=joined(*sides))


REMEDY = Remedy(order=41, against=frozenset({"wires"}), candidates=_candidates)
