"""Made-up inputs: what they say of accuracy, or of ranges, holds for noise only."""

from __future__ import annotations

import numpy as np

from rxsim.explain.evidence import Evidence


def look(evidence: Evidence) -> str | None:
    """Say so where inputs are made up, with the share that the float network calls alike."""
    provenance = evidence.study.provenance
    if provenance.made_up:
        predictions = evidence.floating.predictions
        _, counts = np.unique(predictions, return_counts=True)
        alike = ""
        if evidence.floating.values["agreement"] is not None and len(predictions) > 1:
            alike = (
                f", and the float network puts {counts.max() / len(predictions):.0%} of them into a "
                "single class"
            )
        return (
            f"the {len(predictions)} inputs are made up, not data{alike}: they tell little of accuracy "
            "and ranges on real data; give real inputs with --data (and labels for accuracy)"
        )
    if provenance.made_up_ranges:
        return (
            f"converter ranges come from {provenance.calibration.samples} made-up inputs, not from "
            "data; give real ones with --calibrate"
        )
    return None


LOOK = look
