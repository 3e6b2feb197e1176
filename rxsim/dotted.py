"""Nested settings and dotted names such as adc.n_bits: each made from the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value with its dotted name, in the order of the mapping."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def nested(parts: Sequence[str], value: Any) -> dict[str, Any]:
    """Return nested mappings that hold a value at the parts of its name.

    Args:
        parts: parts of the name, at least one.
        value: the value.
    """
    tree = value
    for part in reversed(parts):
        tree = {part: tree}
    assert isinstance(tree, dict)
    return tree


def at(values: Any, name: str) -> Any:
    """Return the value at a dotted name of nested objects, such as adc.n_bits of settings."""
    for part in name.split("."):
        values = getattr(values, part)
    return values
