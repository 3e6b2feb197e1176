"""Whether a file holds an explanation, and options that it has no use for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rxsim.errors import InputError
from rxsim.report.json_kind import json_of_kind


def explanation_json(path: Path) -> object | None:
    """Return the JSON of an explanation; see `json_of_kind`.

    Raises:
        InputError: it seems to be one, and is not valid JSON.
    """
    return json_of_kind(path, "explanation", f"the explanation {path}")


def refuse_options(
    options: Mapping[str, object], path: Path, holds: str = "an explanation"
) -> None:
    """Refuse options that a file has no use for.

    Args:
        options: by name; None or empty where not given.
        path: of the file.
        holds: what it holds.

    Raises:
        InputError: one of them is given.
    """
    for name, value in options.items():
        if value:
            raise InputError(f"found {name} with {path}, which holds {holds}; leave the option out")
