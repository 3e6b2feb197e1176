"""Whether a file holds an explanation, told before anything large is imported or parsed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rxsim.errors import InputError
from rxsim.files import read_json
from rxsim.report.json_values import at

LARGEST_JSON = 500_000_000
_WORD = b'"explanation"'
_AT_ONCE = 1 << 20


def explanation_json(path: Path) -> object | None:
    """Return the JSON of an explanation.

    Args:
        path: of any file.

    Returns:
        Its content; None where the file holds something else, or can't be read: whoever reads it as
        something else says so.

    Raises:
        InputError: it seems to be one, and is not valid JSON.
    """
    if not _is_worth_parsing(path):
        return None
    content = read_json(path, f"the explanation {path}", LARGEST_JSON)
    return content if at(content, "kind") == "explanation" else None


def _is_worth_parsing(path: Path) -> bool:
    """Tell whether a file begins as a JSON object does, and holds the word."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_JSON:
            return False
        with path.open("rb") as handle:
            part = handle.read(_AT_ONCE)
            if part.lstrip()[:1] != b"{":
                return False
            tail = b""
            while part:
                if _WORD in tail + part:
                    return True
                tail = part[-len(_WORD) :]
                part = handle.read(_AT_ONCE)
    except OSError:
        return False
    return False


def refuse_options(options: Mapping[str, object], path: Path) -> None:
    """Refuse options that an explanation has no use for.

    Args:
        options: by name; None or empty where not given.
        path: of the explanation.

    Raises:
        InputError: one of them is given.
    """
    for name, value in options.items():
        if value:
            raise InputError(
                f"found {name} with {path}, which holds an explanation; leave the option out"
            )
