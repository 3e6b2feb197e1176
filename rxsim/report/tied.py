"""Settings that vary together, such as rows and columns of an array: labels name all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rxsim.report.curves import Points, as_points
from rxsim.report.labels import Label, label_of, within_text
from rxsim.report.material import Row
from rxsim.report.scales import Axis
from rxsim.store import level_key

_MOST_TIED = 2
"""An axis with more tied settings stands for a whole set of them, and is called by its name alone."""


def with_tied(axis: Axis, rows: Iterable[Row], more: Sequence[str]) -> Axis:
    """Return an axis whose label also names the settings that vary together with the axis's."""
    return replace(axis, label=tied_label(rows, axis.name, more))


def tied_label(rows: Iterable[Row], name: str, more: Sequence[str]) -> Label:
    """Return the label of a setting and of those that vary together with it.

    Args:
        rows: the points.
        name: the setting.
        more: settings that vary without being an axis, see `Material.more`.
    """
    label = label_of(name)
    points = as_points(rows)
    tied = tied_to(points, name, more)
    if not tied or len(tied) > _MOST_TIED:
        return label
    last_points = points.last_of_levels(name)
    same = [other for other in tied if _alike(last_points, name, other)]
    text = _joined([label.text, *(label_of(other).text for other in same)])
    others = [within_text(label_of(other).text) for other in tied if other not in same]
    if not others:
        return replace(label, text=text)
    full = replace(label, text=text).full
    return replace(label, text=f"{full}, with {' and '.join(others)}", unit="")


def tied_to(points: Points, name: str, more: Sequence[str]) -> list[str]:
    """List the settings that have a value of their own for each value of a given setting.

    Axes of a random design have a new value at each point, so only their being equal tells anything.

    Args:
        points: the points.
        name: the setting.
        more: settings that vary without being an axis.
    """
    if not points or "." not in name:  # a network or a settings file holds many settings
        return []
    last_points = points.last_of_levels(name)
    if len(last_points) < 2:
        return []
    return [
        other
        for other in points[0].settings
        if other != name
        and "." in other
        and len(points.last_of_levels(other)) == len(last_points)
        and (other in more or _alike(last_points, name, other))
        and len(set(points.combinations([name, other]).tolist())) == len(last_points)
    ]


def _alike(rows: Iterable[Row], name: str, other: str) -> bool:
    """Tell whether two settings have the same value in every point."""
    return all(
        level_key(row.settings.get(name)) == level_key(row.settings.get(other)) for row in rows
    )


def _joined(texts: Sequence[str]) -> str:
    """Join labels into a single text; words that all begin or end with stand once."""
    words = [text.split() for text in texts]
    most = min(map(len, words)) - 1
    head = _shared(words, most)
    tail = _shared([part[::-1] for part in words], most - head)
    parts = [" ".join(part[head : len(part) - tail]) for part in words]
    parts = [parts[0], *(part if head else within_text(part) for part in parts[1:])]
    middle = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    last = words[0][len(words[0]) - tail :]
    return " ".join([*words[0][:head], middle, *last])


def _shared(words: Sequence[Sequence[str]], most: int) -> int:
    """Count the words that all begin with."""
    count = 0
    while count < most and len({part[count] for part in words}) == 1:
        count += 1
    return count
