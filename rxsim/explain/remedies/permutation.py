"""Rows or columns in reverse: others lie far from driver and sense."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    for side in ("row", "col"):
        changes = everywhere(
            evidence.study.settings,
            f"mapping.{side}_permutation",
            lambda old: "reversed" if old == "none" else old,
        )
        title = f"{'rows' if side == 'row' else 'columns'} of each tile in reverse"
        yield Candidate(title=title, changes=changes)


REMEDY = Remedy(order=44, against=frozenset({"wires"}), candidates=_candidates, redraws=True)
