"""Whether a gain is proven, whether an addition is worth keeping, and which attempt is advised."""

from __future__ import annotations

from collections.abc import Sequence

from rxsim.estimate import Estimate, estimate
from rxsim.explain.remedies import REMEDIES
from rxsim.explain.remedy_runs import Tried

_CLEARLY_NEARER_DB = 1.0
"""Signal to noise by which outputs are clearly nearer to the float network's.

Assumption: a fifth less noise; between two runs of the same hardware it differs by far less.
"""
_SURE = 2.0
"""Standard errors of a gain from which a remedy stays, where few chips make the interval wide.

Assumption: luck reaches it in one of forty tries, and about a dozen are made.
"""


def is_gain(gain: Estimate) -> bool:
    """Tell whether a gain is proven."""
    return gain.is_proven and gain.mean > 0


def is_loss(gain: Estimate) -> bool:
    """Tell whether a loss is proven."""
    return gain.is_proven and gain.mean < 0


def is_last_resort(tried: Tried) -> bool:
    """Tell whether layers leave the crossbars: what helps against any effect gives the crossbar up."""
    return any(not REMEDIES[name].against for name in tried.attempt.combined)


def helps(after: Tried, before: Tried, *, last_resort: bool) -> bool:
    """Tell whether what `after` has more than `before` is worth keeping.

    Args:
        after: settings with it.
        before: settings without it.
        last_resort: it takes layers off the crossbars, so only a proven gain counts.
    """
    more = estimate(after.gains - before.gains)
    if is_gain(more):
        return True
    if last_resort or is_loss(more):
        return False
    error = more.standard_error
    if error is not None and more.mean > 0 and more.mean >= _SURE * error:
        return True
    return after.snr_db >= before.snr_db + _CLEARLY_NEARER_DB


def advised(tried: Sequence[Tried]) -> Tried | None:
    """Choose the attempt of the largest proven gain, or a simpler one that is as good.

    Layers stay on crossbars where this gives up no proven gain. Among what is left, all attempts within
    one standard error of the largest gain are as good, and the one of fewest arrays is chosen, then of
    fewest remedies, for what adds nothing is no part of the advice, then of fewest conversions.
    # Source: the one-standard-error rule, Breiman et al., Classification and Regression Trees, 1984.

    Args:
        tried: all attempts.

    Returns:
        None where no gain is proven.
    """
    proven = [each for each in tried if is_gain(each.attempt.gain)]
    if not proven:
        return None
    largest = max(proven, key=_gain)
    analog = [each for each in proven if not is_last_resort(each)]
    alike = [each for each in analog if not is_gain(estimate(largest.gains - each.gains))]
    if alike:
        largest, proven = max(alike, key=_gain), analog
    return min((each for each in proven if _is_as_good(each, largest)), key=_effort)


def _is_as_good(each: Tried, largest: Tried) -> bool:
    less = estimate(largest.gains - each.gains)
    return less.mean <= (less.standard_error or 0.0)


def _gain(each: Tried) -> float:
    return each.attempt.gain.mean


def _effort(each: Tried) -> tuple[bool, int, int, int, float]:
    attempt = each.attempt
    return (
        is_last_resort(each),
        attempt.arrays or 0,
        len(attempt.combined),
        attempt.conversions or 0,
        -attempt.gain.mean,
    )
