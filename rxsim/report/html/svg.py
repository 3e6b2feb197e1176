"""A matplotlib figure as SVG inside a page: themed colours, unique ids, a text alternative."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from rxsim.report.style import GRID, INK, MUTED, PAPER, SERIES

# What the page's style sheet defines for light and for dark; the fallback serves a copy elsewhere.
_VARIABLES = {
    **{colour: f"--s{number}" for number, colour in enumerate(SERIES)},
    **{INK: "--ink", MUTED: "--muted", GRID: "--grid", PAPER: "--paper"},
}
_COLOUR = re.compile("|".join(map(re.escape, _VARIABLES)))
_REFERENCE = re.compile(r"url\(#([^)]*)\)")
_FONT_FAMILY = re.compile(r"font-family:[^;]*;?\s*")
# Letters that tell nothing at this size; they are a third of the bytes.
_DECIMALS = re.compile(r"(\.\d\d)\d+")


@dataclass(slots=True)
class SvgMaker:
    """Turns figures into inline SVG; numbers them, so that no id stands twice in a page.

    Attributes:
        count: figures made so far.
    """

    count: int = field(default=0)

    def markup(self, figure: Figure, title: str, description: str) -> Markup:
        """Write a figure as an `svg` element.

        Args:
            figure: drawn within `figure_style`.
            title: what it is, for readers that can't see it.
            description: what it says.
        """
        self.count += 1
        canvas: Any = FigureCanvasSVG(figure)
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
            figure.set_layout_engine("none")
        buffer = io.BytesIO()
        # Figure.savefig would draw everything twice, the first time for the layout alone.
        canvas.print_svg(buffer, metadata={"Date": None})
        root = ElementTree.fromstring(buffer.getvalue())
        _tidy(root, f"f{self.count}-")
        _describe(root, f"f{self.count}", title, description)
        return Markup(ElementTree.tostring(root, encoding="unicode"))


def _tidy(root: ElementTree.Element, prefix: str) -> None:
    """Drop metadata and name spaces, prefix ids, and let the page choose colours and the font."""
    for parent in root.iter():
        parent.tag = _local(parent.tag)
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style"):
                parent.remove(child)
        for name in list(parent.attrib):
            value = parent.attrib.pop(name)
            local = _local(name)
            if local == "id":
                if parent.tag == "g":
                    continue  # matplotlib's own names of groups: nothing refers to them
                value = prefix + value
            elif local == "href" and value.startswith("#"):
                value = f"#{prefix}{value[1:]}"
            elif local in ("style", "clip-path"):
                value = _REFERENCE.sub(rf"url(#{prefix}\1)", value)
                value = _FONT_FAMILY.sub("", value)
                value = _COLOUR.sub(lambda m: f"var({_VARIABLES[m[0]]},{m[0]})", value)
            elif local == "d":
                value = _DECIMALS.sub(r"\1", " ".join(value.split()))
            parent.attrib[local] = value


def _describe(root: ElementTree.Element, name: str, title: str, description: str) -> None:
    for local in ("width", "height", "version"):
        root.attrib.pop(local, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-text")
    for place, (tag, part, text) in enumerate(
        (("title", "title", title), ("desc", "text", description))
    ):
        element = ElementTree.Element(tag, {"id": f"{name}-{part}"})
        element.text = text
        root.insert(place, element)


def _local(name: str) -> str:
    return name.rpartition("}")[2]
