"""A page of HTML, read strictly."""

from collections import Counter
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr", "col"}


class Page(HTMLParser):
    """A page read strictly: every tag closed in order; text, ids, links and tables kept."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.text: list[str] = []
        self.svg_text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes.append((tag, dict(attrs)))
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "svg" in self.open:
            self.svg_text.append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data
        self.text.append(data)

    def table(self, *head: str) -> list[list[str]]:
        """Return the rows of the first table whose head begins so."""
        for rows in self.tables:
            if rows[0][: len(head)] == list(head):
                return rows[1:]
        raise AssertionError(f"no table {head} among {[rows[0] for rows in self.tables]}")
