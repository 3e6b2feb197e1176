"""The blocks of a page: text, tables, charts. The template writes each kind as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text.

    Attributes:
        text: of any source; the template escapes it.
        note: whether it only explains.
    """

    text: str
    note: bool = False
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True, slots=True)
class Box:
    """A warning that stands out.

    Attributes:
        title: what it is about.
        text: the warning.
    """

    title: str
    text: str
    kind: ClassVar[str] = "box"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with a caption; the first cell of each row names it.

    Attributes:
        caption: above it.
        head: column titles.
        rows: cells as text.
        text_columns: columns that hold no numbers, by index.
        folded: shown after a press on the caption.
        marked: rows that stand out, by index.
    """

    caption: str
    head: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    text_columns: frozenset[int] = frozenset({0})
    folded: bool = False
    marked: frozenset[int] = frozenset()
    kind: ClassVar[str] = "table"


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with its caption, and its numbers beneath.

    Attributes:
        svg: ready markup.
        caption: beneath it.
        table: its numbers.
    """

    svg: Markup
    caption: str
    table: Table | None = None
    kind: ClassVar[str] = "chart"


@dataclass(frozen=True, slots=True)
class Terms:
    """Names with values.

    Attributes:
        pairs: each name and its value.
        large: as figures at the top of a page.
    """

    pairs: Sequence[tuple[str, str]]
    large: bool = False
    kind: ClassVar[str] = "terms"


@dataclass(frozen=True, slots=True)
class Code:
    """Text as it stands in a file.

    Attributes:
        caption: text to press to unfold it; empty: it is always shown.
        text: the file's.
    """

    caption: str
    text: str
    kind: ClassVar[str] = "code"


@dataclass(frozen=True, slots=True)
class Reference:
    """A work to cite.

    Attributes:
        text: authors, title, place.
        address: its web address; empty for none.
    """

    text: str
    address: str = ""
    kind: ClassVar[str] = "reference"


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading within a section.

    Attributes:
        text: the heading.
    """

    text: str
    kind: ClassVar[str] = "heading"


@dataclass(frozen=True, slots=True)
class Group:
    """Blocks beside each other where the page is wide.

    Attributes:
        blocks: what is in it.
    """

    blocks: Sequence[Block]
    kind: ClassVar[str] = "group"


Block = Paragraph | Box | Table | Chart | Terms | Code | Reference | Heading | Group


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with a heading and an entry in the contents.

    Attributes:
        name: its anchor.
        title: its heading.
        blocks: what is in it.
    """

    name: str
    title: str
    blocks: Sequence[Block]
