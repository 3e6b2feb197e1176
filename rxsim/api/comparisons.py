"""Two evaluations compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rxsim import pipeline
from rxsim.api.shown import Comparison, shown
from rxsim.comparison import Evaluated, read_criteria, read_evaluated, taken
from rxsim.comparison import compare as compare_evaluated
from rxsim.given import as_path, check_type


def compare(
    first: str | Path | pipeline.Evaluation,
    second: str | Path | pipeline.Evaluation,
    *,
    rung: str | None = None,
    metric: str | None = None,
    level: float | str = 0.01,
    smallest_drop: float | str = 0.01,
    these_images: bool = False,
) -> Comparison:
    """Do what `rxsim compare` does: what changes from the first evaluation to the second?

    A regression raises nothing: look at the verdict. It is None where only the seed differs.

    Args:
        first: what `rxsim.evaluate` returned, or what `rxsim eval --json` wrote.
        second: likewise, on the same images.
        rung: which rung; that of the built chips where left out.
        metric: "top1", "top5" or "agreement"; that of both where left out.
        level: the chance that noise alone is called a regression.
        smallest_drop: the smallest drop that matters, a share: 0.01 is one point.
        these_images: judge these images only, not new ones; they need to be the whole data set.

    Raises:
        InputError: a file can't be read, the images differ, a side lacks the rung or the metric,
            or these_images is given for a part of the data.

    Example:
        >>> coarse = rxsim.evaluate("models/digits_mlp.onnx", {"adc.n_bits": 5}, limit=100)
        >>> fine = rxsim.evaluate("models/digits_mlp.onnx", {"adc.n_bits": 8}, limit=100)
        >>> print(rxsim.compare(coarse, fine))
    """
    for value, name in ((rung, "rung"), (metric, "metric")):
        check_type(value, name, str | None, "a name")
    result = compare_evaluated(
        _side(first, "first"),
        _side(second, "second"),
        rung=rung,
        metric=metric,
        criteria=read_criteria(level, smallest_drop, these_images),
    )
    return shown(result, Comparison)


def _side(given: Any, name: str) -> Evaluated:
    if isinstance(given, pipeline.Evaluation):
        return taken(given.as_json(), name)
    return read_evaluated(as_path(given, name))
