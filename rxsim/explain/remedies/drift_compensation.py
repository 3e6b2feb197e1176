"""Drift is measured and scaled away, for each layer or each column."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    if any(of_layer.device.time > 0 for of_layer in evidence.study.layer_settings().values()):
        for scope in ("layer", "column"):
            yield Candidate(
                title=f"drift compensated for each {scope}", changes={"drift_compensation": scope}
            )


REMEDY = Remedy(order=11, against=frozenset({"drift"}), candidates=_candidates)
