"""JSON files that state their kind and hold their own hash: calibrations and baselines."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from rxsim.errors import InputError
from rxsim.schema import in_yaml


def hash_of(values: Any) -> str:
    """Hash plain values by their canonical JSON (hex SHA-256)."""
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def sealed(values: dict[str, Any]) -> dict[str, Any]:
    """Return a file's values with their hash."""
    return {**values, "sha256": hash_of(values)}


def is_whole(values: dict[str, Any]) -> bool:
    """Tell whether values are unchanged since they were sealed."""
    return bool(values.get("sha256") == hash_of({k: v for k, v in values.items() if k != "sha256"}))


def check_kind(values: Any, what: str, kind: str, version: int, writer: str, again: str) -> None:
    """Refuse a file of another kind or version.

    Args:
        values: the content of the file.
        what: name of the file in messages.
        kind: the kind that the file must state.
        version: the schema_version that can be read.
        writer: the command that writes it.
        again: advice on how to write the file anew.

    Raises:
        InputError: the file is of another kind or version.
    """
    if not isinstance(values, dict) or values.get("kind") != kind:
        stated = values.get("kind") if isinstance(values, dict) else values
        raise InputError(
            f"{what} is something else: found kind {in_yaml(stated)}, expected {kind}; give a file "
            f"that '{writer}' wrote"
        )
    stated = values.get("schema_version")
    if stated != version or isinstance(stated, bool):
        newer = isinstance(stated, int) and stated > version
        raise InputError(
            f"{what}, written by rxsim {in_yaml(values.get('rxsim'))}, has the schema_version "
            f"{in_yaml(stated)}, expected {version}; "
            f"{'install a newer rxsim, or ' if newer else ''}{again}"
        )
