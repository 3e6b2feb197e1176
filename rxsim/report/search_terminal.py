"""A search on the terminal: its points, the best first, and how it was decided."""

from __future__ import annotations

import math
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxsim.counted import counted
from rxsim.report.console import standard_console
from rxsim.report.labels import setting_text
from rxsim.report.price_labels import PRICES
from rxsim.report.sweep_terminal import in_words
from rxsim.search import SearchedPoint, SearchResult, all_minimised
from rxsim.search.goal import Goal
from rxsim.search.judged import Judged
from rxsim.statistics import LEVEL
from rxsim.sweep import describe

SHOWN_POINTS = 40
_SHOWN_CONTRADICTIONS = 3
_SHOWN_COSTS = 2
"""What is minimised and what decides between points that are equal in it; JSON has all."""
# Assumption: as in `rxsim eval --until-ci`, which asks for no interval of fewer chips.
_FEW_CHIPS = 10


def judged_text(goal: Goal, point: SearchedPoint) -> str:
    """Write a point's number with its interval and verdict."""
    judged = point.judged
    bounds = ""
    if judged.low is not None and judged.high is not None and judged.low < judged.high:
        bounds = f" ({_number(goal, judged.low)} .. {_number(goal, judged.high)})"
    return f"{goal.quantity} {_number(goal, judged.value)}{bounds}: {judged.verdict}"


def print_search(result: SearchResult, path: Path, console: Console | None = None) -> None:
    """Print the evaluated points, the winner, and how many points were not needed.

    Args:
        result: what was found.
        path: the results file.
        console: where to; standard output where left out.
    """
    console = console or standard_console()
    if result.points:
        console.print(_table(result))
        if len(result.points) > SHOWN_POINTS:
            more = len(result.points) - SHOWN_POINTS
            console.print(f".. and {more:,} more; --json has all of them")
    for line in _lines(result, path):
        console.print(escape(line), soft_wrap=True)


def _table(result: SearchResult) -> Table:
    goal, names = result.goal, list(result.points[0].values)
    minimised = all_minimised()
    counted_names = [name for name in minimised if name in result.points[0].costs]
    varying = [n for n in counted_names if len({point.costs[n] for point in result.points}) > 1]
    costs = list(dict.fromkeys([result.minimise, *varying]))[:_SHOWN_COSTS]
    title = f"{goal.text}, least {minimised[result.minimise].title}"
    table = Table(title=escape(title), title_justify="left")
    for name in names:
        table.add_column(escape(name), justify="right", overflow="fold")
    for name in costs:
        table.add_column(minimised[name].title, justify="right")
    table.add_column(goal.quantity, justify="right", no_wrap=True)
    meant = {_images_meant(point.judged) for point in result.points}
    shared = meant.pop() if len(meant) == 1 else None
    heading = f"{100 * LEVEL:g} %" + (f" {shared}" if shared else "")
    table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for place, point in enumerate(result.points[:SHOWN_POINTS]):
        judged = point.judged
        interval = "-"
        if judged.low is not None and judged.high is not None:
            interval = f"{_number(goal, judged.low)} .. {_number(goal, judged.high)}"
            interval += "" if shared else f" ({_images_meant(judged)})"
        table.add_row(
            *(escape(setting_text(name, point.values.get(name))) for name in names),
            *(_count(name, point.costs[name]) for name in costs),
            _number(goal, judged.value),
            interval,
            judged.verdict,
            style="bold" if place == result.winner else None,
        )
    return table


def _images_meant(judged: Judged) -> str:
    """Say which images an interval is for."""
    return "these images" if judged.these_images else "new images"


def _lines(result: SearchResult, path: Path) -> list[str]:
    lines = []
    best, nearest = result.best, result.nearest
    if best is not None:
        count = _count(result.minimise, best.costs[result.minimise])
        cost = f"{count} {all_minimised()[result.minimise].title}"
        lines.append(f"Best: {describe(best.values)}: {cost}, {judged_text(result.goal, best)}.")
        lines += _undecided(result.goal, best)
    elif nearest is not None:
        lines.append(
            f"No point meets {result.goal.text}. Nearest: {describe(nearest.values)}: "
            f"{judged_text(result.goal, nearest)}."
        )
        lines += _undecided(result.goal, nearest)
    parts = [f"{len(result.points):,} of {counted(result.total, 'point')} evaluated"]
    known = sum(not point.new for point in result.points)
    if known:
        parts[0] += f" ({known:,} known before)"
    if result.ruled_out:
        parts.append(f"{result.ruled_out:,} nowhere better than one that missed")
    if result.unneeded:
        parts.append(f"{result.unneeded:,} no cheaper than the best")
    seconds = f"{counted(result.end.new, 'new trial')} in {in_words(result.end.seconds)}"
    lines.append(f"{path}: {', '.join(parts)}; {seconds}.")
    if result.priced_in:
        lines.append(
            f"Priced in {', '.join(result.priced_in)}, with the technology's number for the arrays' "
            "energy."
        )
    lines += _ruled_out_undecided(result)
    lines += _contradictions(result)
    lines += [f"Failed: {name}: {why}" for name, why in result.failed.items()]
    return lines


def _ruled_out_undecided(result: SearchResult) -> list[str]:
    """Say how many cheaper points were left out because of points whose miss is not proven."""
    count = result.ruled_out_undecided
    if not count:
        return []
    those = "1 point was" if count == 1 else f"{count:,} points were"
    return [
        f"{those} left out only because a point that is nowhere worse missed by its mean, which its "
        "interval does not prove: more images or chips may change that; --exhaustive evaluates every "
        "point."
    ]


def _undecided(goal: Goal, point: SearchedPoint) -> list[str]:
    """Say what would decide a point whose interval holds the bound."""
    judged = point.judged
    if judged.proven:
        return []
    if judged.low is None:
        return [_unknown(judged)]
    line = "Undecided by its interval, so the mean decides"
    if 1 < judged.chips < _FEW_CHIPS:
        return [
            f"{line}; {judged.chips} chips hardly show how far chips differ: give --trials "
            f"{_FEW_CHIPS} before more images."
        ]
    if goal.distance(judged.value) == 0:
        return [f"{line}: it equals the bound, and no number of chips and images proves that."]
    if judged.needed is None:
        return [
            f"{line}: it is so near the bound that no usable number of chips and images proves it."
        ]
    chips, images = judged.needed
    if images <= judged.images and chips <= judged.chips:
        return [f"{line}."]
    wanted = [counted(images, "image")] if images > judged.images else []
    wanted += [counted(chips, "chip")] if chips > judged.chips else []
    return [f"{line}; about {' and '.join(wanted)} would prove it."]


def _unknown(judged: Judged) -> str:
    """Say why a point has no interval."""
    if judged.chips > 1:
        return (
            f"Its {judged.chips} chips may differ, but came out alike: how far others differ is "
            "unknown, not nil, so nothing is proven; give more --trials or images."
        )
    if judged.images < 2:
        return "One image says nothing of others: give more images."
    return "Its chips differ, and one was evaluated: nothing is known of others; give --trials."


def _contradictions(result: SearchResult) -> list[str]:
    """Say where accuracy does not follow the known directions."""
    if not result.contradictions:
        return []
    shown = [
        f"{describe(result.points[low].values)} met the goal, "
        f"{describe(result.points[high].values)} missed it"
        for low, high in result.contradictions[:_SHOWN_CONTRADICTIONS]
    ]
    more = len(result.contradictions) - len(shown)
    return [
        "Accuracy does not follow the known directions everywhere: "
        + "; ".join(shown)
        + (f"; and {counted(more, 'more pair')}" if more else "")
        + ". --exhaustive evaluates every point; more images or chips may settle it."
    ]


def _count(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    price = all_minimised()[name].price
    return f"{value:,.0f}" if price is None else PRICES[price].write(value)


def _number(goal: Goal, value: float) -> str:
    return f"{value:g}" if not math.isfinite(value) else goal.described.text(value)
