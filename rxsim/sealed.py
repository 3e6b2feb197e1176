"""JSON files that say what they are and carry their own hash: calibrations and baselines."""

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
    """Tell whether values are what they were when they were sealed."""
    return bool(values.get("sha256") == hash_of({k: v for k, v in values.items() if k != "sha256"}))


def check_kind(values: Any, what: str, kind: str, version: int, writer: str, again: str) -> None:
    """Refuse other files and other versions.

    Args:
        values: what a file holds.
        what: what messages call it.
        kind: what it must say it is.
        version: the schema_version that can be read.
        writer: the command that writes it.
        again: what to do to have it anew.

    Raises:
        InputError: it is something else, or of another version.
    """
    if not isinstance(values, dict) or values.get("kind") != kind:
        found = values.get("kind") if isinstance(values, dict) else values
        raise InputError(
            f"{what} is something else: found kind {in_yaml(found)}, expected {kind}; give a file that "
            f"'{writer}' wrote"
        )
    found = values.get("schema_version")
    if found != version or isinstance(found, bool):
        newer = isinstance(found, int) and found > version
        raise InputError(
            f"{what}, written by rxsim {in_yaml(values.get('rxsim'))}, has the schema_version "
            f"{in_yaml(found)}, expected {version}; "
            f"{'install a newer rxsim, or ' if newer else ''}{again}"
        )
