"""Settings of the best remedy as a file: comments say what changed and what it gained."""

from __future__ import annotations

from rxsim.config import as_yaml
from rxsim.counted import counted
from rxsim.explain.result import Explanation
from rxsim.report.explanation_words import (
    LONGEST_REMEDY,
    Wording,
    gain_to_quote,
    where_confirmed,
)
from rxsim.report.labels import flat, setting_text, shortened

_LONGEST_NAME = 120


def better_settings(explanation: Explanation) -> str | None:
    """Write the settings of the best remedy as YAML that loads as settings, comments ahead.

    Args:
        explanation: its first attempt is the best.

    Returns:
        None where no remedy is proven to help.
    """
    if explanation.better is None or not explanation.attempts:
        return None
    words, best = Wording(explanation.quantity), explanation.attempts[0]
    before, after = flat(explanation.settings), flat(best.changes)
    gain = gain_to_quote(best)
    numbers = words.change(gain.mean, unit=True)
    if gain.low is not None:
        numbers += f" (95 % {words.interval(gain)})"
    where = where_confirmed(best) or "on the inputs that it was chosen by"
    finalists = sum(attempt.confirmed is not None for attempt in explanation.attempts)
    if finalists:
        where += (
            f"; {counted(finalists, 'finalist')} of {len(explanation.attempts)} tries confirmed"
        )
    lines = [
        "written by rxsim explain",
        shortened(best.title, LONGEST_REMEDY),
        f"gain of {words.quantity.metric.label}: {numbers}, {where}",
        "what changed:",
        *(
            f"  {shortened(name, _LONGEST_NAME)}: {setting_text(name, value)}"
            + (f" (was {setting_text(name, before[name])})" if name in before else "")
            for name, value in after.items()
        ),
    ]
    return "".join(f"# {line}\n" for line in lines) + as_yaml(explanation.better)
