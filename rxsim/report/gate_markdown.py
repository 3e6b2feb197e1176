"""A gate's verdicts as Markdown, for a pull request or a job's summary."""

from __future__ import annotations

import re

from rxsim.gate import Check, CheckedCase
from rxsim.report import gate_text as text

_SIGNS = {"passed": ":white_check_mark:", "regression": ":x:", "undecided": ":grey_question:"}
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "#": "&#35;", ":": "&#58;"}
_MARKUP = re.compile(r"([\\`*_{}\[\]()|~!$])")


def markdown(check: Check) -> str:
    """Write a heading, one row a case, and what changed where hits or inputs did."""
    lines = [
        f"### rxsim check: {text.headline(check)}",
        "",
        f"| case | before | after | change, points | {text.interval_title(check)} | verdict |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for case in check.cases:
        cells = (
            escaped(case.name),
            text.accuracy(case.before.accuracy),
            text.accuracy(case.after.accuracy),
            text.change(case),
            text.interval(case),
            f"{_SIGNS[case.verdict.outcome]} {text.outcome(case)}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    unchecked = text.unchecked(check)
    if unchecked is not None:
        lines += [f":warning: {escaped(unchecked)}.", ""]
    for case in check.cases:
        lines += _details(case, check)
    lines.append(
        f"Chips and images are samples; noise alone fails this check with a chance of at most "
        f"{100 * check.level:g} % over all cases."
    )
    return "\n".join(lines) + "\n"


def _details(case: CheckedCase, check: Check) -> list[str]:
    if case.verdict.drop.differing == 0 and not case.changes:
        return []
    lines = [f"**{escaped(case.name)}**: {escaped(text.sentence(case, check))}.", ""]
    lines += [f"- ladder: {escaped(text.ladder(case))}"] if case.verdict.drop.differing else []
    lines += [f"- {escaped(line)}" for line in case.changes]
    return [*lines, ""] if lines[-1] else lines


def escaped(value: str) -> str:
    """Write text so that Markdown, GitHub's mentions and links, and HTML leave it as it is."""
    line = _MARKUP.sub(r"\\\1", text.one_line(value))
    line = "".join(_HTML.get(char, char) for char in line)
    return re.sub("www[.]", "www&#46;", line, flags=re.IGNORECASE)
