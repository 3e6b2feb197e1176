"""Nested settings by dotted names, such as adc.n_bits: taken apart and put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value by its dotted name, in the mapping's own order."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def nested(parts: Sequence[str], value: Any) -> dict[str, Any]:
    """Return a value below the parts of its name, one mapping in the other.

    Args:
        parts: of the name, at least one.
        value: the value.
    """
    found = value
    for part in reversed(parts):
        found = {part: found}
    assert isinstance(found, dict)
    return found


def at(values: Any, name: str) -> Any:
    """Return what stands at a dotted name of nested objects, such as adc.n_bits of settings."""
    for part in name.split("."):
        values = getattr(values, part)
    return values
