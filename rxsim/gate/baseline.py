"""The baseline: the last accepted hits of every case, in a JSON file to keep in git."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rxsim.counted import counted
from rxsim.errors import InputError, SettingError
from rxsim.files import read_json
from rxsim.metrics import hit_options
from rxsim.schema import Choice, in_yaml, validated
from rxsim.sealed import check_kind, is_whole, sealed
from rxsim.version import __version__

KIND = "rxsim baseline"
SCHEMA_VERSION = 1
AGAIN = "run 'rxsim check' with --update"
LOWER_RUNGS = ("float32", "weights", "ideal")
"""Rungs of the ladder that are the same for all chips."""

# Assumption: 1,000 cases of 100 chips on 5,000 images take 80 MB.
_LARGEST_FILE = 256 * 2**20
_LARGEST_TABLE = 2**31

_Count = Annotated[int, Field(ge=1, le=_LARGEST_TABLE)]


class _Part(BaseModel):
    """Base of the file's parts: values must have the right types; unknown keys are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class NamedHash(_Part):
    """A file or data set: its name for messages, and its SHA-256."""

    name: str
    sha256: str


class Sources(_Part):
    """The network, data and libraries of an evaluated case.

    Attributes:
        model: the network.
        data: the evaluated data, labels included.
        images_sha256: hash of the indices of the evaluated images, in order.
        calibration: the data that converter ranges were calibrated with.
        inputs: input, output, preprocessing, and the rule from labels to outputs.
        versions: versions of rxsim, Python and the numerical libraries; the kind of processor.
    """

    model: NamedHash
    data: NamedHash
    images_sha256: str
    calibration: NamedHash
    inputs: dict[str, Any]
    versions: dict[str, str]


class _CasePart(_Part):
    name: str
    metric: Annotated[str, Choice(hit_options)]
    accuracy: float
    chips: _Count
    images: _Count
    hits: str
    ladder: dict[str, str]
    sources: Sources
    settings_sha256: str
    settings: dict[str, Any]


class _File(_Part):
    cases: list[_CasePart]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Record:
    """The hits of a case, and the sources and settings that gave them.

    Attributes:
        name: name of the case.
        metric: the metric of `--metric`: top1, top5 or another that counts hits.
        hits: bool (chips, images); a single row where all chips are the same.
        ladder: hits of the rungs before the chips, by name, bool (images,).
        sources: network, data, versions.
        settings: resolved settings as plain values.
        settings_sha256: identity of the settings.
    """

    name: str
    metric: str
    hits: np.ndarray
    ladder: Mapping[str, np.ndarray]
    sources: Sources
    settings: Mapping[str, Any]
    settings_sha256: str

    @property
    def built(self) -> str:
        """Name of the rung of the chips: compensated where the settings have steps."""
        return "compensated" if self.settings.get("compensate") else "nonideal"

    @property
    def accuracy(self) -> float:
        """Share of hits over all chips."""
        return float(self.hits.mean())

    def rungs(self) -> dict[str, float]:
        """Return the accuracy of every rung of the ladder, by name, float32 first."""
        lower = {name: float(self.ladder[name].mean()) for name in LOWER_RUNGS}
        return {**lower, self.built: self.accuracy}

    def _as_json(self) -> dict[str, Any]:
        chips, images = self.hits.shape
        return {
            "name": self.name,
            "metric": self.metric,
            "accuracy": self.accuracy,
            "chips": chips,
            "images": images,
            "hits": _packed(self.hits),
            "ladder": {name: _packed(self.ladder[name]) for name in LOWER_RUNGS},
            "sources": self.sources.model_dump(),
            "settings_sha256": self.settings_sha256,
            "settings": dict(self.settings),
        }


def to_json(records: Sequence[Record]) -> str:
    """Return the file's text: the same for the same records, with a value per line for `git diff`."""
    values = {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "rxsim": __version__,
        "cases": [record._as_json() for record in records],
    }
    return json.dumps(sealed(values), indent=1, allow_nan=False) + "\n"


def read_baseline(path: Path) -> dict[str, Record]:
    """Read the baseline that `rxsim check --update` wrote, by the names of the cases.

    Raises:
        InputError: it is missing, unreadable, no baseline, damaged, or from another version.
    """
    what = f"the baseline {path}"
    if not path.exists():
        raise InputError(
            f"{what} does not exist, expected what the cases are compared with; {AGAIN} to write it"
        )
    values = read_json(path, what, _LARGEST_FILE)
    _check_head(values, what)
    try:
        file = validated(_File, values, what)
    except SettingError as error:
        raise InputError(f"{str(error).removesuffix('; add it')}; it is damaged: {AGAIN}") from None
    records = {case.name: _record(case, what) for case in file.cases}
    if len(records) < len(file.cases):
        raise InputError(f"{what} holds a case twice, expected each once; {AGAIN}")
    return records


def is_baseline(path: Path) -> bool:
    """Tell whether a file is a baseline of any version, damaged or not, that `--update` may replace."""
    try:
        values = read_json(path, f"the baseline {path}", _LARGEST_FILE)
    except InputError:
        return False
    return isinstance(values, dict) and values.get("kind") == KIND


def _check_head(values: Any, what: str) -> None:
    """Refuse other files, other versions and changed content."""
    check_kind(values, what, KIND, SCHEMA_VERSION, "rxsim check --update", AGAIN)
    if not is_whole(values):
        raise InputError(
            f"{what} is damaged (a merge by hand?): its content has another SHA-256 than it states; "
            f"{AGAIN}"
        )


def _record(case: _CasePart, what: str) -> Record:
    where = f"{what}: case {in_yaml(case.name)}"
    if case.chips * case.images > _LARGEST_TABLE or set(case.ladder) != set(LOWER_RUNGS):
        raise InputError(
            f"{where}: found {counted(case.chips, 'chip')} on {counted(case.images, 'image')} "
            "and the rungs "
            f"{in_yaml(sorted(case.ladder))}, expected fewer, and {', '.join(LOWER_RUNGS)}; {AGAIN}"
        )
    return Record(
        name=case.name,
        metric=case.metric,
        hits=_unpacked(case.hits, (case.chips, case.images), where),
        ladder={name: _unpacked(text, (case.images,), where) for name, text in case.ladder.items()},
        sources=case.sources,
        settings=case.settings,
        settings_sha256=case.settings_sha256,
    )


def _packed(hits: np.ndarray) -> str:
    """Write hits as base64, eight per byte, chip after chip, first image first."""
    return base64.b64encode(np.packbits(hits.ravel()).tobytes()).decode()


def _unpacked(text: str, shape: tuple[int, ...], where: str) -> np.ndarray:
    count = int(np.prod(shape))
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if len(content) != -(-count // 8):
        raise InputError(
            f"{where}: found hits of {counted(len(content), 'byte')}, expected "
            f"{-(-count // 8)}; {AGAIN}"
        )
    bits = np.unpackbits(np.frombuffer(content, dtype=np.uint8), count=count)
    return bits.astype(bool).reshape(shape)
