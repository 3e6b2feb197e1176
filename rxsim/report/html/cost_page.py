"""What a network costs, as one HTML page."""

from __future__ import annotations

from rxsim.errors import InputError
from rxsim.report.cost_values import read_cost
from rxsim.report.html.cost_section import section_of
from rxsim.report.html.page import render
from rxsim.report.html.page_blocks import Code, Section
from rxsim.report.html.svg import SvgMaker
from rxsim.report.json_values import as_text, at
from rxsim.report.labels import clean, shortened


def build_cost_page(content: object, source: str, command: str = "rxsim report") -> str:
    """Write the page.

    Args:
        content: what `rxsim cost --json` wrote, parsed.
        source: name of the file that it comes from.
        command: how the page was made, as it is shown.

    Returns:
        The page; the same bytes for the same cost and command.

    Raises:
        InputError: there are no components in it.
    """
    cost = read_cost(content)
    if cost is None:
        raise InputError(
            f"{source}: found the JSON of a cost without components, expected some; write it anew with "
            "'rxsim cost --json'"
        )
    name = shortened(as_text(at(content, "model")) or "a network", 80)
    sections = [
        section_of(cost, SvgMaker()),
        Section("command", "Command", [Code("", clean(command))]),
    ]
    return render(f"What {name} costs on crossbars", source, sections)
