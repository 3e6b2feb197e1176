"""Data sets of image files, which are opened when a batch needs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from rxsim.data.data_set import Layout, Picture, listing_identity
from rxsim.errors import DataError

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")
)
"""Suffixes of images in a folder, in small letters."""
# Only these: for a file that claims to be EPS Pillow would run Ghostscript.
# Assumption: a larger image is a mistake or an attack on memory. Pillow's own check would report it
# as damaged, and would warn on standard error below its limit.
_MOST_PIXELS = 150_000_000
Image.MAX_IMAGE_PIXELS = None
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ImageFiles:
    """A data set of image files; names and labels are held, pixels never.

    Attributes:
        name: name of its source, for reports.
        identity: SHA-256 of the sorted names, sizes and labels.
        folder: folder that the names are relative to.
        names: file name of each sample.
        labels: int64 (n,), or None.
        places: place of each sample in a list, for messages; empty: file names are used.
    """

    name: str
    identity: str
    folder: Path
    names: Sequence[str]
    labels: np.ndarray | None
    places: Sequence[str] = ()

    @property
    def layout(self) -> Layout:
        """Images are decoded to [height, width, channels]."""
        return "NHWC"

    @property
    def extra(self) -> Mapping[str, np.ndarray]:
        """Image files feed one input."""
        return {}

    def __len__(self) -> int:
        return len(self.names)

    def fetch(self, indices: np.ndarray) -> Iterator[Picture]:
        """Open image files one by one.

        Raises:
            DataError: a file is missing, or not an image.
        """
        for index in indices:
            path = self.folder / self.names[index]
            with open_image(path) as image:
                yield Picture(str(path), image)

    def place(self, index: int) -> str:
        """Name a sample by its line in a list, or by its file."""
        return self.places[index] if self.places else str(self.folder / self.names[index])


def list_images(
    name: str,
    folder: Path,
    names: Sequence[str],
    labels: Sequence[int] | None,
    places: Sequence[str] = (),
) -> ImageFiles:
    """Gather image files into a data set.

    Raises:
        DataError: a file does not exist; the message names its place.
    """
    Image.init()  # here, not in several threads at once
    entries: list[tuple[str, int, int | None]] = []
    for number, file in enumerate(names):
        path = folder / file
        try:
            size = path.stat().st_size if path.is_file() else None
        except OSError:
            size = None
        if size is None:
            place = f"{places[number]}: " if places else ""
            raise DataError(
                f"{place}the image {path} does not exist or is not a file, expected an image; correct "
                "the name, or say with --images where the files lie"
            )
        entries.append((file, size, None if labels is None else labels[number]))
    identity = listing_identity(entries)
    array = None if labels is None else np.asarray(labels, dtype=np.int64)
    return ImageFiles(
        name=name,
        identity=identity,
        folder=folder,
        names=tuple(names),
        labels=array,
        places=tuple(places),
    )


def open_image(path: Path) -> Image.Image:
    """Open an image file; its pixels are decoded later.

    Raises:
        DataError: it can't be read, or is no image of a known kind.
    """
    formats = [name for name in _FORMATS if name in Image.OPEN]  # Pillow can be built without some
    try:
        image = Image.open(path, formats=formats)
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises many types on damaged files
        reason = error.strerror if isinstance(error, OSError) and error.strerror else None
        raise DataError(
            f"image {path} can't be read: {reason or 'it is damaged or no image of a known kind'}, "
            "expected a JPEG, PNG, BMP, GIF, WebP, TIFF or PPM; replace or remove it"
        ) from None
    pixels = image.width * image.height
    if pixels > _MOST_PIXELS:
        image.close()
        raise DataError(
            f"image {path}: found {image.width}x{image.height} pixels, expected at most "
            f"{_MOST_PIXELS // 10**6} million; shrink it"
        )
    return image
