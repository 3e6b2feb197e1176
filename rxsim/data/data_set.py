"""The interface of every data set, and data sets that lie in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from PIL import Image

Layout = Literal["NCHW", "NHWC", "NHW"]
Truth = Literal["classes", "values", "none", "any"]
"""What a data set must hold besides samples.

classes: whole-number labels; values: float targets; none: nothing; any: whatever is there, for samples
that only calibrate.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An opened image file; its pixels may not be decoded yet."""

    name: str
    image: Image.Image


class DataSet(Protocol):
    """Stored samples, fetched by index from any thread."""

    @property
    def name(self) -> str:
        """Name of its source, for reports."""

    @property
    def identity(self) -> str:
        """SHA-256 that changes with the content."""

    @property
    def labels(self) -> np.ndarray | None:
        """int64 (n,), or float32 targets (n, ...), or None."""

    @property
    def layout(self) -> Layout | None:
        """Axes of the samples where the file format fixes them, else None."""

    @property
    def extra(self) -> Mapping[str, np.ndarray]:
        """Further network inputs by name, first axis the sample."""

    def __len__(self) -> int:
        """Return how many samples there are."""

    def fetch(self, indices: np.ndarray) -> np.ndarray | Iterator[Picture]:
        """Return stored samples: an array, or image files one by one."""

    def place(self, index: int) -> str:
        """Name a sample's place in the data set, for messages."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StoredArrays:
    """A data set that lies in memory.

    Attributes:
        name: name of its source, for reports.
        identity: SHA-256 of its file or files.
        x: samples as stored, first axis the sample.
        labels: int64 (n,), or float32 targets (n, ...), or None.
        layout: axes of the samples where the file format fixes them.
        extra: further network inputs by name, first axis the sample.
        whole: further network inputs by name that all samples share.
    """

    name: str
    identity: str
    x: np.ndarray
    labels: np.ndarray | None
    layout: Layout | None = None
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)
    whole: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)

    def fetch(self, indices: np.ndarray) -> np.ndarray:
        """Return stored samples by index."""
        chosen: np.ndarray = self.x[indices]
        return chosen

    def place(self, index: int) -> str:
        """Name a sample by its number, from 0."""
        return f"{self.name}, sample {index}"


def listing_identity(entries: Iterable[tuple[str, int, int | None]]) -> str:
    """Hash a list of image files without reading them all.

    Args:
        entries: for every sample its relative name, its file's size in bytes and its label.

    Returns:
        Hex SHA-256 of the sorted list; it does not change with an image that keeps its size.
    """
    digest = hashlib.sha256()
    for name, size, label in sorted(entries, key=lambda entry: (entry[0], entry[2] or 0)):
        digest.update(
            f"{name}\0{size}\0{'' if label is None else label}\n".encode(errors="surrogateescape")
        )
    return digest.hexdigest()
