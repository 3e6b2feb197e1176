"""What kind of JSON a file holds, told before anything large is imported or parsed."""

from __future__ import annotations

import re
from pathlib import Path

from rxsim.files import read_json
from rxsim.report.json_values import at

LARGEST_JSON = 500_000_000
_AT_ONCE = 1 << 20
_LONGEST = 256  # bytes of the entry that is looked for, with all space in it


def json_of_kind(path: Path, kind: str, what: str) -> object | None:
    """Return the JSON of a file whose entry `kind` is the wanted one.

    Args:
        path: of any file.
        kind: such as explanation.
        what: the file in messages, such as "the explanation x.json".

    Returns:
        Its content; None where the file holds something else, or can't be read: whoever reads it as
        something else says so.

    Raises:
        InputError: it seems to be one, and is not valid JSON.
    """
    if not _is_worth_parsing(path, kind):
        return None
    content = read_json(path, what, LARGEST_JSON)
    return content if at(content, "kind") == kind else None


def begins_as_object(path: Path) -> bool:
    """Tell whether a file begins as a JSON object does; not where it can't be read."""
    try:
        with path.open("rb") as handle:
            return handle.read(_AT_ONCE).lstrip()[:1] == b"{"
    except OSError:
        return False


def _is_worth_parsing(path: Path, kind: str) -> bool:
    """Tell whether a file begins as a JSON object does, and holds the entry."""
    entry = re.compile(rb'"kind"\s*:\s*"' + re.escape(kind.encode()) + rb'"')
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_JSON:
            return False
        with path.open("rb") as handle:
            part = handle.read(_AT_ONCE)
            if part.lstrip()[:1] != b"{":
                return False
            tail = b""
            while part:
                if entry.search(tail + part):
                    return True
                tail = part[-_LONGEST:]
                part = handle.read(_AT_ONCE)
    except OSError:
        return False
    return False
