"""What a trap sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sight:
    """What a trap sees.

    Attributes:
        sentence: what was seen, in numbers, and what to do.
        advice: settings to try, by dotted name; each mapping is a remedy, none where none is known.
    """

    sentence: str
    advice: tuple[Mapping[str, object], ...] = ()
