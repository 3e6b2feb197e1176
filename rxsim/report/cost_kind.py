"""Whether a file holds what a network costs: by itself, or as part of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rxsim.errors import InputError
from rxsim.files import read_json
from rxsim.report.json_kind import LARGEST_JSON, begins_as_object, json_of_kind
from rxsim.report.json_values import at

HOLDS_COST = "the cost of a network"
"""What such a file is called in messages."""


def cost_json(path: Path) -> object | None:
    """Return what `rxsim cost --json` wrote; see `json_of_kind`.

    Raises:
        InputError: it seems to be that, and is not valid JSON.
    """
    return json_of_kind(path, "cost", f"the cost {path}")


def cost_of_evaluation(path: Path) -> object | None:
    """Return the cost within what `rxsim eval --cost --json` wrote; None: the file is no JSON object.

    Raises:
        InputError: it can't be read, or holds none.
    """
    if not begins_as_object(path):
        return None
    part = at(read_json(path, f"the evaluation {path}", LARGEST_JSON), "cost")
    if not isinstance(part, Mapping):
        raise InputError(
            f"{path}: found no cost in it, expected one; write it with 'rxsim eval --cost --json'"
        )
    return part
