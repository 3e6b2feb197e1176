"""Made-up inputs: what they say of accuracy, or of ranges, holds for random numbers only."""

from __future__ import annotations

import numpy as np

from rxsim.explain.evidence import Evidence
from rxsim.explain.traps._sight import Sight

# Assumption: where most inputs are alike to the network, agreement says little of the others.
_MOST = 0.5


def look(evidence: Evidence) -> Sight | None:
    """Say so where inputs are made up, and where the float network calls most of them alike."""
    provenance = evidence.study.provenance
    if provenance.made_up:
        predictions = evidence.floating.predictions
        _, counts = np.unique(predictions, return_counts=True)
        share, alike = counts.max() / len(predictions), ""
        has_classes = evidence.floating.values["agreement"] is not None
        if has_classes and len(predictions) > 1 and share > _MOST:
            alike = (
                f", and the float network puts {share:.0%} of them into a single class, so agreement "
                "tells little"
            )
        return Sight(
            f"the {len(predictions)} inputs are made up: random numbers are unlike data, and so are "
            f"ranges and accuracy{alike}; give real inputs with --data (and labels for accuracy)"
        )
    if provenance.made_up_ranges:
        return Sight(
            f"converter ranges come from {provenance.calibration.samples} made-up inputs, not from "
            "data; give real ones with --calibrate"
        )
    return None


LOOK = look
