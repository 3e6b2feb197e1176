"""Other ranges and steps of ADCs: cut where currents are rare, or no longer cut, or uneven steps."""

from __future__ import annotations

from collections.abc import Iterator

from rxsim.explain.changes import everywhere
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import Candidate, Remedy

# Assumption: one current in a thousand is an outlier.
_PERCENTILE = 99.9


def _candidates(evidence: Evidence) -> Iterator[Candidate]:
    settings = evidence.study.settings

    def all_to(name: str, value: object) -> dict[str, object]:
        return everywhere(settings, name, lambda _: value)

    yield Candidate(title="calibrated ADC ranges", changes=all_to("adc.range", "calibrated"))
    yield Candidate(
        title="ADC ranges of least mean square error", changes=all_to("adc.criterion", "mse")
    )
    yield Candidate(
        title=f"ADC ranges at the percentile {_PERCENTILE:g} of the currents",
        changes=everywhere(settings, "adc.percentile", lambda old: min(old, _PERCENTILE)),
    )
    yield Candidate(
        title="ADC ranges that hold every current", changes=all_to("adc.percentile", 100.0)
    )
    yield Candidate(
        title="ADC steps where currents are frequent", changes=all_to("adc.thresholds", "lloyd_max")
    )


REMEDY = Remedy(order=22, against=frozenset({"adc"}), candidates=_candidates)
