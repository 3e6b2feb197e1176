"""Names of layers short enough for a chart, and still apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rxsim.report.labels import shortened


def short_names(names: Sequence[str], most: int) -> list[str]:
    """Shorten names of layers.

    Exporters write the path of a module with each part repeated in the next one and the operator at the
    end: of /features/features.3/conv/conv.1/Conv this leaves features.3/conv.1, where all names stay
    apart by that.

    Args:
        names: of the layers.
        most: letters of a name; longer ones are cut in the middle.
    """
    briefs = [_brief(name) for name in names]
    apart = len(set(briefs)) == len(set(names))
    return [shortened(name, most) for name in (briefs if apart else names)]


def _brief(name: str) -> str:
    parts = [part for part in name.split("/") if part]
    if len(parts) > 1:
        parts.pop()
    kept = [part for part, after in pairwise(parts) if not after.startswith(part)]
    return "/".join([*kept, *parts[-1:]]) or name
