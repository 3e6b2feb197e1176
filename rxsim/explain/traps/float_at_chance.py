"""A float network that guesses: wrong preprocessing, or labels of another numbering."""

from __future__ import annotations

import numpy as np

from rxsim.explain.evidence import Evidence
from rxsim.explain.traps._sight import Sight
from rxsim.metrics import truth_for

# Assumption: of fewer images a good network may get so few right by chance.
FEWEST = 30
# Blind guessing gets no further than this many standard errors in 97.5 % of the cases.
_ERRORS = 2.0


def look(evidence: Evidence) -> Sight | None:
    """Compare the float network's accuracy with guessing, blindly or always the commonest class."""
    study, accuracy = evidence.study, evidence.floating.mean("accuracy")
    if study.labels is None or accuracy is None or truth_for(study.metric) != "classes":
        return None
    count, classes = len(study.labels), len(np.unique(study.labels))
    if count < FEWEST or classes < 2:
        return None
    chance, commonest = 1 / classes, float(np.bincount(study.labels).max() / count)
    lucky = chance + _ERRORS * (chance * (1 - chance) / count) ** 0.5
    if accuracy > max(lucky, commonest):
        return None
    return Sight(
        f"the float network itself gets {accuracy:.1%} of {count} inputs right; always saying the "
        f"commonest of their {classes} classes gets {commonest:.1%}: no hardware is to blame; correct "
        "the preprocessing (preprocess in the card) or the numbering of the labels (--label-offset, "
        "--label-map)"
    )


LOOK = look
