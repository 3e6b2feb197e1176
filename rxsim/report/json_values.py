"""Read values of JSON that other versions may have written: None or empty for what does not fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def at(value: Any, *names: str) -> Any:
    """Walk into nested mappings; None where an entry is missing, as in files of other versions."""
    for name in names:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def as_number(value: Any) -> float | None:
    """Return a finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def as_text(value: Any) -> str | None:
    """Return text, or None for anything else."""
    return value if isinstance(value, str) else None


def as_list(value: Any) -> list[Any]:
    """Return a list, empty for anything else."""
    return value if isinstance(value, list) else []
