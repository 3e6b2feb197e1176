"""Words about the cases of a gate that all forms of its report share."""

from __future__ import annotations

from rxsim.counted import counted
from rxsim.gate import Check, CheckedCase

MARKS = {"passed": "passed", "regression": "REGRESSION", "undecided": "undecided"}


def headline(check: Check) -> str:
    """Count the outcomes on one line."""
    fallen, open_ones = len(check.named("regression")), len(check.named("undecided"))
    passed = len(check.cases) - fallen - open_ones
    counts = [f"{passed} of {counted(len(check.cases), 'case')} passed"]
    counts += [f"{fallen} fell"] if fallen else []
    counts += [f"{open_ones} undecided"] if open_ones else []
    counts += [f"{len(check.unchecked)} not checked"] if check.unchecked else []
    return ", ".join(counts)


def unchecked(check: Check) -> str | None:
    """Name the baseline's cases that were not checked; None: all were."""
    if not check.unchecked:
        return None
    names = ", ".join(one_line(name) for name in check.unchecked)
    return f"Not checked, though in the baseline: {names}"


def one_line(name: str) -> str:
    """Replace characters that can't be printed by blanks; a baseline's names may hold some."""
    return "".join(char if char.isprintable() else " " for char in name)


def outcome(case: CheckedCase) -> str:
    """Name a case's outcome; say where nothing differs, or where the accuracy rose."""
    verdict = case.verdict
    if verdict.outcome == "passed" and verdict.drop.differing == 0:
        return "passed (same hits)"
    if verdict.improved:
        return f"{MARKS[verdict.outcome]} (improved)"
    return MARKS[verdict.outcome]


def sentence(case: CheckedCase, check: Check) -> str:
    """Say in one sentence why a case has its outcome."""
    verdict, drop = case.verdict, case.verdict.drop
    moved = (
        f"{accuracy(case.before.accuracy)} -> {accuracy(case.after.accuracy)}; "
        f"{counted(drop.worse, 'image')} worse, {drop.better:,} better, of {drop.images:,} on "
        f"{counted(drop.chips, 'chip')}"
    )
    if drop.differing == 0:
        return f"every hit is the same: {moved}"
    least = points(verdict.smallest)
    if verdict.outcome == "passed":
        return f"a drop of {least} points or more is ruled out: {moved}"
    if verdict.outcome == "regression":
        fallen = case.fallen_rung
        where = f"; the first rung that falls is {fallen}" if fallen else ""
        return (
            f"the accuracy fell by {points(drop.mean)} points (p = {verdict.p:.2g}, level "
            f"{check.level:g}) and {least} or more are possible: {moved}{where}"
        )
    return f"neither a drop nor its absence is proven: {moved}; {_needed(case)}"


def _needed(case: CheckedCase) -> str:
    """Say what would decide."""
    needed = case.verdict.needed
    if needed is None:
        return "no number of images decides at this level: give a larger smallest_drop"
    count, images = needed
    more = counted(images, "image")
    if count != case.verdict.drop.chips:
        more += f" on {counted(count, 'chip')} ({'trial' if count == 1 else 'trials'})"
    return f"about {more} would decide, or a larger smallest_drop"


def change(case: CheckedCase) -> str:
    """Write the change of the accuracy in points."""
    return points(-case.verdict.drop.mean)


def interval(case: CheckedCase) -> str:
    """Write the one-sided bounds of the change in points, the lower bound first; "-" for same hits.

    Those bounds are what the number of images alone could rule out; where nothing was seen to change
    the verdict does not stand on them.
    """
    drop = case.verdict.drop
    if drop.differing == 0:
        return "-"
    return f"{points(-drop.high)} .. {points(-drop.low)}"


def interval_title(check: Check) -> str:
    """Name the interval: both of its ends have the stated level."""
    return f"{100 * (1 - 2 * check.level):g} % interval"


def points(share: float) -> str:
    """Write a share in points with two digits after the point."""
    text = f"{100 * share:.2f}"
    return "0.00" if text == "-0.00" else text


def accuracy(share: float) -> str:
    """Write an accuracy."""
    return f"{share:.4f}"


def ladder(case: CheckedCase) -> str:
    """Write the accuracy of every rung before and after."""
    rungs = zip(case.before.rungs().items(), case.after.rungs().items(), strict=True)
    return ", ".join(
        f"{old if old == new else f'{old} -> {new}'} {accuracy(before)} -> {accuracy(after)}"
        for (old, before), (new, after) in rungs
    )
