"""MNIST-style IDX files: `..images-idx3-ubyte[.gz]` and the labels beside them.

Source of the format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits":
big-endian, two zero bytes, the type (8: unsigned byte), the number of axes, each length as four bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np

from rxsim.counted import counted
from rxsim.data.data_set import StoredArrays, Truth
from rxsim.data.raw import read_raw
from rxsim.errors import DataError

_GZIP = b"\x1f\x8b"
_UNSIGNED_BYTE = b"\0\0\x08"


def is_idx(path: Path) -> bool:
    """Tell an IDX file by its name."""
    return any(mark in path.name.lower() for mark in ("idx1", "idx3", "-ubyte"))


def find_idx_images(folder: Path) -> list[Path]:
    """List the IDX image files of a folder."""
    return sorted(path for path in folder.iterdir() if "idx3" in path.name.lower())


def read_idx(path: Path, label_file: Path | None, truth: Truth) -> StoredArrays:
    """Read a pair of IDX files.

    Args:
        path: the images, plain or gzipped.
        label_file: the labels; None: the file beside the images with the usual name.
        truth: what the data must hold.

    Raises:
        DataError: not IDX, cut short, without labels, or with another number of labels than images.
    """
    images, digest = _read(path, 3, "images")
    if len(images) == 0 or images.size == 0:
        raise DataError(f"{path}: found no images, expected at least one; check the file")
    if truth == "none":
        return StoredArrays(name=path.name, identity=digest, x=images, labels=None, layout="NHW")
    beside = label_file or _labels_beside(path)
    if beside is None:
        if truth == "any":
            return StoredArrays(
                name=path.name, identity=digest, x=images, labels=None, layout="NHW"
            )
        wanted = _label_name(path.name)
        raise DataError(
            f"data file {path} holds images without labels, expected {wanted or 'a label file'} beside "
            "it; name it with --labels FILE, or give --metric none"
        )
    labels, label_digest = _read(beside, 1, "labels")
    if len(labels) != len(images):
        raise DataError(
            f"{beside}: found {counted(len(labels), 'label')} for "
            f"{counted(len(images), 'image')} of {path.name}, "
            "expected one for each; check that the files belong together"
        )
    identity = hashlib.sha256((digest + label_digest).encode()).hexdigest()
    return StoredArrays(
        name=path.name, identity=identity, x=images, labels=labels.astype(np.int64), layout="NHW"
    )


def _label_name(name: str) -> str | None:
    renamed = name.replace("images", "labels").replace("idx3", "idx1")
    return renamed if renamed != name else None


def _labels_beside(path: Path) -> Path | None:
    """Find the label file of an image file by the usual naming, gzipped or not."""
    name = _label_name(path.name)
    if name is None:
        return None
    plain = name.removesuffix(".gz")
    variant = plain if name.endswith(".gz") else f"{name}.gz"
    return next((p for p in (path.with_name(name), path.with_name(variant)) if p.is_file()), None)


def _read(path: Path, n_axes: int, what: str) -> tuple[np.ndarray, str]:
    """Return the values of an IDX file, uint8, and the SHA-256 of the file."""
    raw = read_raw(path)
    digest = hashlib.sha256(raw).hexdigest()
    if raw[:2] == _GZIP:
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error):
            raise DataError(
                f"data file {path} is damaged or cut short: it can't be unpacked as gzip, expected "
                f"IDX {what}; copy it again"
            ) from None
    start = 4 + 4 * n_axes
    if raw[:4] != _UNSIGNED_BYTE + bytes([n_axes]):
        raise DataError(
            f"data file {path} begins with the bytes 0x{raw[:4].hex()}, expected "
            f"0x000008{n_axes:02x} (IDX {what}: unsigned bytes, "
            f"{counted(n_axes, 'axis', 'axes')}); check that it is the "
            "right file"
        )
    shape = tuple(int.from_bytes(raw[4 * k : 4 * k + 4], "big") for k in range(1, n_axes + 1))
    size = math.prod(shape)
    if len(raw) != start + size:
        raise DataError(
            f"data file {path} holds {counted(max(len(raw) - start, 0), 'value')} after its "
            "header, expected "
            f"{size} for the shape {list(shape)}; it is cut short or damaged: copy it again"
        )
    return np.frombuffer(raw, dtype=np.uint8, offset=start).reshape(shape), digest
