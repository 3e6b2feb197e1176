"""Whether anything was lost at all: ranges that waste codes are no mistake where nothing is lost."""

from __future__ import annotations

import math

from rxsim.explain.evidence import Evidence

# Assumption: a loss below one percent of the scale (a point of accuracy) is what users accept.
WORTH_MENTIONING = 0.01


def has_fallen(evidence: Evidence) -> bool:
    """Tell whether the built chips do noticeably worse than perfect hardware or the float network."""
    quantity = evidence.quantity
    best = [float(evidence.perfect.mean())]
    floating = evidence.floating.mean(quantity.name)
    if floating is not None and math.isfinite(floating):
        best.append(floating)
    built = float(evidence.built.mean())
    loss = max(quantity.sign * (other - built) for other in best)
    metric = quantity.metric
    scale = metric.high - metric.low
    return loss >= WORTH_MENTIONING * scale if math.isfinite(scale) else loss > 0
