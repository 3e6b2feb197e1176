"""What each step of compensation did, for the chosen point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rxsim.report.compensation_rows import CAPTION, head, notes, step_rows
from rxsim.report.html.page_blocks import Block, Paragraph, Table
from rxsim.report.json_values import as_list, as_text, at
from rxsim.report.labels import clean, shortened, value_text

_LONGEST = 200


def compensation_blocks(details: Any) -> list[Block]:
    """Return the table of steps and what has to be said of it; nothing where there are no steps."""
    block = at(details, "compensation")
    rows = step_rows(block)
    if not rows:
        return []
    table = Table(
        caption=CAPTION,
        head=tuple(map(clean, head(block))),
        rows=[tuple(map(clean, row.cells)) for row in rows],
        text_columns=frozenset({0, 1, 4, 5}),
    )
    said: list[Block] = [Paragraph(clean(text)) for text in notes(block)]
    return [table, *said, *_sources(block)]


def _sources(block: Any) -> list[Block]:
    """Say what each step does, with which options, and where it was published."""
    told = []
    for step in as_list(at(block, "steps")):
        parts = (as_text(at(step, name)) for name in ("name", "title", "source"))
        name, title, source = (shortened(part, _LONGEST) if part else "" for part in parts)
        if name and title:
            about = [*_options(at(step, "options")), *([source] if source else [])]
            told.append(f"{name}: {title}" + (f" ({'; '.join(about)})" if about else ""))
    return [Paragraph(f"{'; '.join(dict.fromkeys(told))}.", note=True)] if told else []


def _options(options: Any) -> list[str]:
    """Write a step's options on a line; nothing where it has none."""
    if not isinstance(options, Mapping) or not options:
        return []
    texts = (f"{name} {value_text(value)}" for name, value in options.items())
    return [shortened(", ".join(texts), _LONGEST)]
