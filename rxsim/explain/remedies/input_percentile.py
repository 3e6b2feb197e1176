"""Ranges of DACs: a few large inputs are cut, so all others have finer steps; or none is cut."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy

# Assumption: one input in a thousand is an outlier.
_PERCENTILE = 99.9


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    name, settings = "input.percentile", evidence.study.settings
    yield Candidate(
        title="DAC ranges that hold every input",
        changes=everywhere(settings, name, lambda _: 100.0),
    )
    yield Candidate(
        title=f"DAC ranges at the percentile {_PERCENTILE:g} of the inputs",
        changes=everywhere(settings, name, lambda old: min(old, _PERCENTILE)),
    )


REMEDY = Remedy(order=23, against=frozenset({"dac", "adc"}), candidates=_candidates)
