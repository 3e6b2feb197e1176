"""The report: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import jinja2

from rxsim.report.curves import Points
from rxsim.report.html.axes_section import axes_section
from rxsim.report.html.cost_section import cost_section
from rxsim.report.html.ladder_section import ladder_section
from rxsim.report.html.layers_section import layers_section
from rxsim.report.html.over_time_section import over_time_section
from rxsim.report.html.overview import overview, point_name, title_of
from rxsim.report.html.page_blocks import Paragraph, Section
from rxsim.report.html.pairs_section import pairs_section
from rxsim.report.html.pareto_section import pareto_section
from rxsim.report.html.points import failures_section, points_section, worst_arrays
from rxsim.report.html.settings_section import (
    citation_section,
    provenance_section,
    settings_section,
)
from rxsim.report.html.svg import SvgMaker
from rxsim.report.labels import clean
from rxsim.report.material import Material
from rxsim.version import __version__


def build_page(material: Material, command: str = "rxsim report") -> str:
    """Write the report.

    Args:
        material: the contents of the results.
        command: how the report was made, as it is shown.

    Returns:
        The page; the same bytes for the same results and command.
    """
    maker = SvgMaker()
    points = Points(material.rows)
    sections = [
        overview(material, points),
        _of_point(ladder_section(material, maker), material),
        _of_point(over_time_section(material, maker), material),
        _of_point(layers_section(material, maker), material),
        _of_point(worst_arrays(material), material),
        _of_point(cost_section(material, maker), material),
        axes_section(material, points, maker),
        pairs_section(material, points, maker),
        pareto_section(material, maker),
        points_section(material) if len(material.rows) > 1 else None,
        failures_section(material),
        settings_section(material),
        provenance_section(material, command),
        citation_section(material),
    ]
    return render(
        title_of(material), material.name, [section for section in sections if section is not None]
    )


def render(title: str, source: str, sections: Sequence[Section]) -> str:
    """Write sections as a page.

    Args:
        title: its heading; the template escapes it.
        source: name of the file that it reports on.
        sections: its parts.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rxsim.report.html", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        title=title, source=clean(source), version=__version__, sections=sections
    )


def _of_point(section: Section | None, material: Material) -> Section | None:
    """Say which point a section shows, where there are several."""
    if section is None or len(material.rows) < 2 or material.chosen is None:
        return section
    key = material.chosen.point.key
    row = next(row for row in material.rows if row.key == key)
    best = "Of the best point" if row is material.best() else "Of the point"
    said = Paragraph(f"{best}: {point_name(material, row)}.")
    return Section(section.name, section.title, [said, *section.blocks])
