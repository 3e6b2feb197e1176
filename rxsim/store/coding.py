"""Points and trials as rows of the tables, and back."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rxsim.counted import counted
from rxsim.errors import InputError
from rxsim.store.rows import Point, Trial

_DECODER = json.JSONDecoder()


def point_row(point: Point, details: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """Return the columns of `tables.POINT_COLUMNS`, and the details."""
    settings = _as_text(point.settings)
    packed = None if details is None else zlib.compress(_as_text(_finite(details)).encode())
    return (
        *(point.key, point.model, point.model_sha256, point.data, point.data_sha256, point.metric),
        *(settings, packed),
    )


def point_of(row: tuple[Any, ...]) -> Point:
    """Build a point from what `point_row` returns.

    Raises:
        InputError: its settings or its details can't be read.
    """
    key, model, model_sha256, data, data_sha256, metric, settings, packed = row
    details = None if packed is None else details_of(packed, key)
    plain = settings_of(settings, key)
    return Point(
        key=key,
        model=model,
        model_sha256=model_sha256,
        data=data,
        data_sha256=data_sha256,
        settings=plain,
        metric=metric,
        details=details,
    )


def settings_of(text: str, key: str) -> dict[str, Any]:
    """Read a point's settings.

    Raises:
        InputError: they are not what was written.
    """
    return _mapping(text, key, "settings")


class SettingsReader:
    """Reads the settings of many points of a file, which are alike: each section is decoded once.

    Sections of the same text are the same object, so what is read must not be changed.
    """

    def __init__(self) -> None:
        # Text of a member, as '"seed":0', to its name and value; kept as the decoder took it.
        self._members: dict[str, tuple[str, Any]] = {}
        # How the second member began in the text before, the third ..: where to expect an end.
        self._expected: list[str] = []

    def read(self, text: str, key: str) -> dict[str, Any]:
        """Read a point's settings.

        Raises:
            InputError: they are not what was written.
        """
        try:
            values = self._read(text)
        except (TypeError, ValueError, IndexError, RecursionError):
            values = None
        return _mapping(text, key, "settings") if values is None else values

    def _read(self, text: str) -> dict[str, Any] | None:
        """Read what `_as_text` wrote; None for JSON of another form.

        A known member up to a comma or to the last brace needs no decoder, which would stop there as
        it did before. So a wrong guess of an end costs time and nothing else.
        """
        last = len(text) - 1
        if text[0] != "{" or text[last] != "}":
            return None
        values: dict[str, Any] = {}
        start, place = 1, 0
        while True:
            expected = self._expected
            end = text.find(expected[place], start) if place < len(expected) else last
            end = last if end < 0 else end
            member = self._members.get(text[start:end])
            if member is None:
                member, end = self._decode(text, start, place)
            values[member[0]] = member[1]
            if end == last:
                return values
            if text[end] != ",":
                return None
            start, place = end + 1, place + 1

    def _decode(self, text: str, start: int, place: int) -> tuple[tuple[str, Any], int]:
        """Decode and remember a member (the first begins at place 0); return its end."""
        name, colon = _DECODER.raw_decode(text, start)
        if not isinstance(name, str) or text[colon] != ":":
            raise ValueError("not a member")
        value, end = _DECODER.raw_decode(text, colon + 1)
        if text[end] in ",}":
            self._members[text[start:end]] = name, value
        if place:
            self._expected[place - 1 : place] = [f",{text[start : colon + 1]}"]
        return (name, value), end


def details_of(packed: bytes, key: str) -> dict[str, Any]:
    """Read a point's details.

    Raises:
        InputError: they are not what was written.
    """
    try:
        text = _unpacked(packed, key).decode()
    except ValueError as error:
        raise _unreadable(key, "details", error) from None
    return _mapping(text, key, "details")


def images_in(packed: bytes, key: str) -> int | None:
    """Return how many inputs were evaluated, as a point's details tell; None where they don't.

    The text is searched first: to decode the details of many points takes long.

    Raises:
        InputError: the details are not what was written.
    """
    text = _unpacked(packed, key)
    for name in (b"images", b"evaluated"):
        counts = set(re.findall(rb'"%s":(\d+)[,}]' % name, text))
        if len(counts) == 1:
            return int(counts.pop())
        if counts:
            break
    else:
        return None
    images = details_of(packed, key).get("images")
    return images if isinstance(images, int) and not isinstance(images, bool) else None


def axes_text(values: Mapping[str, Any]) -> str | None:
    """Write what axes set for a point; None for nothing."""
    return _as_text(dict(values)) if values else None


def axes_of(text: str | None, key: str) -> dict[str, Any]:
    """Read what `axes_text` wrote.

    Raises:
        InputError: it is something else.
    """
    return {} if text is None else _mapping(text, key, "axes")


def trial_row(trial: Trial, metrics: Sequence[str]) -> tuple[Any, ...]:
    """Return a trial's key, its point's key and the columns of `tables.trial_columns`.

    Raises:
        ValueError: the trial has a metric that the file has no column for.
    """
    unknown = [name for name in trial.values if name not in metrics]
    if unknown:
        raise ValueError(f"no column for {', '.join(unknown)}, expected some of {metrics}")
    hits = None if trial.hits is None else np.packbits(trial.hits.astype(bool)).tobytes()
    values = [trial.values.get(name) for name in metrics]
    return (
        *(trial.key, trial.point, trial.trial, trial.status),
        *(None if value is None else float(value) for value in values),
        *(trial.error, float(trial.seconds), trial.finished),
        *(None if trial.hits is None else len(trial.hits), hits),
    )


def trial_of(row: tuple[Any, ...], metrics: Sequence[str]) -> Trial:
    """Build a trial from what `trial_row` returns."""
    key, point, trial, status = row[:4]
    error, seconds, finished, images, packed = row[4 + len(metrics) :]
    return Trial(
        key=key,
        point=point,
        trial=trial,
        status=status,
        values=dict(zip(metrics, row[4:], strict=False)),
        hits=None if packed is None else hits_of(packed, images, key),
        error=error,
        seconds=seconds,
        finished=finished,
    )


def hits_of(packed: bytes, images: int, key: str) -> np.ndarray:
    """Unpack a bit for each image, bool (images,).

    Raises:
        InputError: there are not as many bits as images.
    """
    bits = np.frombuffer(packed, dtype=np.uint8)
    if images is None or len(bits) != -(-images // 8):
        raise _unreadable(
            key, "hits", f"{counted(len(bits), 'byte')} for {counted(images or 0, 'image')}"
        )
    return np.unpackbits(bits, count=images).astype(bool)


def _as_text(values: Any) -> str:
    return json.dumps(
        values, separators=(",", ":"), allow_nan=False, ensure_ascii=False, default=np.generic.item
    )


def _finite(value: Any) -> Any:
    """Write numbers that JSON does not know as null, as `rxsim eval --json` does."""
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float | np.floating) and not math.isfinite(value):
        return None
    return value


def _unpacked(packed: bytes, key: str) -> bytes:
    try:
        return zlib.decompress(packed)
    except (zlib.error, TypeError, ValueError) as error:
        raise _unreadable(key, "details", error) from None


def _mapping(text: str, key: str, what: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise _unreadable(key, what, error) from None
    if not isinstance(values, dict):
        raise _unreadable(key, what, "not a mapping")
    return values


def _unreadable(key: str, what: str, why: object) -> InputError:
    return InputError(
        f"the {what} of {key} can't be read ({why}), expected what rxsim wrote; the results file was "
        "changed: copy it again"
    )
