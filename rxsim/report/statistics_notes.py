"""How intervals were made and what drawn chips say about all chips, in sentences."""

from __future__ import annotations

from rxsim.counted import counted
from rxsim.durations import written
from rxsim.metrics import all_metrics, chosen_metric
from rxsim.pipeline import ChipsNeeded, ChipYield, Evaluation, WithinLimit
from rxsim.statistics import LEVEL, METHODS, Method

_LEVEL = f"{100 * LEVEL:g} %"
_SURE = f"with {_LEVEL} confidence"


def interval_note(result: Evaluation) -> str | None:
    """Name the methods of the ladder's intervals; None where it has none."""
    main = chosen_metric(result.metric)
    if main is None:
        return None
    these: dict[Method, None] = {}
    new: dict[Method, None] = {}
    for rung in reversed(result.ladder):
        methods = rung.methods(main) or {}
        for used, key in ((these, "these_images"), (new, "new_images")):
            method = methods.get(key)
            if method is not None:
                used[method] = None
    told = [
        f"{title} by {', '.join(METHODS[method] for method in used)}"
        for title, used in (("these images", these), ("new images", new))
        if used
    ]
    return f"Intervals of {_LEVEL}: {'; '.join(told)}." if told else None


def chips_note(result: Evaluation) -> str | None:
    """Say how many chips a rule took; None where their number was given."""
    needed = result.chips_needed
    if needed is None:
        return None
    asked = needed.rule.half_width
    if needed.rung is None:
        return (
            "Chips needed: 1, for nothing in these settings is random: the mean over chips is known "
            f"(asked: half an interval of {asked:g})."
        )
    half = "unknown" if needed.half_width is None else _amount(needed.half_width, needed.metric)
    what = f"{_title(needed.metric)} of {needed.rung}"
    text = (
        f"Chips needed: {needed.chips}, for half a {_LEVEL} interval of {half} of the {what} "
        f"(asked: {asked:g}"
    )
    return f"{text})." if needed.reached else f"{text}). {_not_reached(needed)}"


def yield_notes(result: Evaluation) -> list[str]:
    """Say which share of all chips loses at most so much; nothing where no chips are drawn."""
    told = result.chip_yield
    if told is None:
        return [] if result.yield_at is None else [_no_yield(result)]
    limited = [] if told.within is None else [_within(told, told.within)]
    lines = [*limited, _bound(told)]
    if len(result.over_time) < 2:
        return lines
    title = f"Yield at {written(float(result.settings['device']['time']))}:"
    return [line.replace("Yield:", title, 1) for line in lines]


def _within(told: ChipYield, within: WithinLimit) -> str:
    text = (
        f"Yield: {within.chips} of {counted(told.chips, 'chip')} lose at most "
        f"{_amount(within.limit, told.metric)} ({_percent(within.share.mean)}, Clopper-Pearson "
        f"{_percent(within.share.low)} .. {_percent(within.share.high)})"
    )
    if not within.chips:
        return f"{text}."
    return f"{text}: {_SURE} at least {_down(within.at_least)} of chips do."


def _bound(told: ChipYield) -> str:
    bound = told.bound
    text = (
        f"Yield: {_SURE} at least {_down(bound.share)} of chips lose at most "
        f"{_amount(bound.loss, told.metric)} of {_title(told.metric)} on these images"
    )
    if bound.rank < told.chips:
        return f"{text} (chip {bound.rank} of {told.chips}, from the best)."
    if told.chips < told.fewest:
        return (
            f"{text} (the worst of {told.chips}); a statement on 95 % of chips takes "
            f"{told.fewest} chips."
        )
    return f"{text} (the worst of {told.chips})."


def _no_yield(result: Evaluation) -> str:
    """Say why there is no yield though it was asked for."""
    if result.deterministic:
        return "No yield: nothing in these settings is random, so all chips are the same."
    if len(result.ladder[-1].trials) < 2:
        return "No yield: one chip says nothing about others; give --trials."
    return "No yield: neither a metric nor agreement was measured."


def _not_reached(needed: ChipsNeeded) -> str:
    if needed.half_width is None:
        return (
            f"The goal was NOT reached: all {counted(needed.chips, 'chip')} came out alike, or without "
            "noise; how far others differ is unknown, not nil."
        )
    return f"The goal was NOT reached with {counted(needed.rule.most, 'chip')}; give more --trials."


def _title(metric: str | None) -> str:
    return "" if metric is None else all_metrics()[metric].title


def _amount(value: float, metric: str | None) -> str:
    """Write a difference with its unit: points for what is counted in percent."""
    unit = "" if metric is None else all_metrics()[metric].unit
    text = f"{value:.4g}"
    if unit == "%":
        return f"{text} {'point' if text == '1' else 'points'}"
    return f"{text} {unit}" if unit else text


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _down(share: float) -> str:
    """Write a share in percent, rounded down: a confidence must not grow by rounding."""
    return f"{int(share * 1000) / 10:.1f} %"
