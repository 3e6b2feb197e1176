"""The option `--json FILE|-`: a file, or standard output in place of the tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rxsim.files import write_atomically

STANDARD_OUTPUT = "-"


def json_file(given: str | None) -> Path | None:
    """Return the file that `--json` names; None where it names none."""
    return None if given in (None, STANDARD_OUTPUT) else Path(given)


def write_json(values: Mapping[str, Any], given: str | None) -> bool:
    """Write a result in a line of JSON where `--json` asks for it.

    Args:
        values: plain values.
        given: what `--json` says.

    Returns:
        Whether it took the place of the tables, on standard output.
    """
    if given is None:
        return False
    text = json.dumps(values, separators=(",", ":"), allow_nan=False) + "\n"
    if given == STANDARD_OUTPUT:
        click.echo(text, nl=False)
        return True
    write_atomically(Path(given), text.encode())
    return False
