"""The rung of a ladder that fell most, in a line."""

from __future__ import annotations

from itertools import pairwise

from rxsim.metrics import all_metrics, chosen_metric
from rxsim.pipeline import Evaluation

# Assumption: half a point is worth a line.
_SMALLEST = 0.005


def largest_fall(result: Evaluation) -> str | None:
    """Name the rung of the ladder that fell most against the rung before it.

    Args:
        result: an evaluation.

    Returns:
        Such as "nonideal fell most: top-1 97.0 % -> 62.4 %"; None where nothing fell by half a point,
        or where the last rung is less than that below the first.
    """
    name = chosen_metric(result.metric) or "agreement"
    metric = all_metrics()[name]
    if metric.kind != "hits" and name != "agreement":
        return None
    rungs = [rung for rung in result.ladder if not rung.name.startswith(("only ", "without "))]
    means = [rung.summary()[name] for rung in rungs]
    if any(mean is None for mean in means):
        return None
    values = [float(mean["mean"]) for mean in means]
    falls = [before - after for before, after in pairwise(values)]
    if not falls or max(falls) < _SMALLEST or values[0] - values[-1] < _SMALLEST:
        return None
    at = falls.index(max(falls))
    before, after = (metric.figure_text(value) for value in values[at : at + 2])
    return f"{rungs[at + 1].name} fell most: {metric.title} {before} % -> {after} %"
