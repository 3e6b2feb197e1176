"""A number of things in words: 1 layer, 2 layers, 1,200 layers."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Write a count with its noun.

    Args:
        count: how many.
        noun: what one of them is called; words before it may stand there too, such as "made-up input".
        plural: what several are called, where an s does not make it.
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
