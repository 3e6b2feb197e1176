"""A gate's verdicts as workflow commands, which GitHub shows as annotations of a run."""

from __future__ import annotations

from pathlib import Path

from rxsim.gate import Check
from rxsim.report import gate_text as text

# Source: actions/toolkit, packages/core/src/command.ts (escapeData, escapeProperty).
_DATA = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_PROPERTY = (*_DATA, (":", "%3A"), (",", "%2C"))


def workflow_commands(check: Check, path: Path, *, strict: bool = False) -> list[str]:
    """Write a line for each case that fell or is undecided, and a line for all that were not checked.

    Args:
        check: the verdicts.
        path: the regression file, which the annotations are pinned to.
        strict: whether undecided and unchecked are errors as well.
    """
    lines = []
    place = _escaped(path.as_posix(), _PROPERTY)
    for case in check.cases:
        outcome = case.verdict.outcome
        if outcome == "passed":
            continue
        kind = "error" if outcome == "regression" or strict else "warning"
        title = _escaped(f"rxsim check: {case.name}: {outcome}", _PROPERTY)
        message = "\n".join([text.sentence(case, check), *case.changes])
        lines.append(f"::{kind} file={place},title={title}::{_escaped(message, _DATA)}")
    unchecked = text.unchecked(check)
    if unchecked is not None:  # a single line for all: GitHub shows ten of a kind a step
        kind = "error" if strict else "warning"
        title = _escaped("rxsim check: cases not checked", _PROPERTY)
        lines.append(f"::{kind} file={place},title={title}::{_escaped(unchecked, _DATA)}")
    return lines


def _escaped(value: str, table: tuple[tuple[str, str], ...]) -> str:
    for plain, code in table:
        value = value.replace(plain, code)
    return value
