"""Labelled data in an npz file: `x` (samples) and `y` (labels). Pickled arrays are never loaded."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rxsim.errors import DataError
from rxsim.files import sha256_of


@dataclass(frozen=True, slots=True, eq=False)
class LabelledArrays:
    """A labelled data set that lies in memory.

    Attributes:
        name: where it came from, for reports.
        identity: SHA-256 of its file.
        x: samples as stored, first axis the sample.
        y: int64 labels, one a sample.
    """

    name: str
    identity: str
    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def fetch(self, indices: np.ndarray) -> np.ndarray:
        """Return stored samples by index."""
        chosen: np.ndarray = self.x[indices]
        return chosen


def read_npz(path: Path) -> LabelledArrays:
    """Read a labelled data set.

    Raises:
        DataError: not an npz, pickled, keys missing, or arrays of the wrong type or length.
    """
    x, y = _read_arrays(path)
    if x.dtype.kind not in "fiu" and x.dtype != np.bool_:
        raise DataError(f"{path}: found x of type {x.dtype}, expected real numbers; convert it")
    if x.ndim < 2 or len(x) == 0:
        raise DataError(
            f"{path}: found x of shape {list(x.shape)}, expected samples along a first axis and at "
            "least one axis of values"
        )
    if y.ndim != 1 or len(y) != len(x):
        raise DataError(
            f"{path}: found y of shape {list(y.shape)} for {len(x)} samples, expected one label "
            f"for each: shape [{len(x)}]"
        )
    if y.dtype.kind not in "iu":
        raise DataError(
            f"{path}: found y of type {y.dtype}, expected whole-number labels; convert them, e.g. "
            "with y.astype('int64')"
        )
    if int(y.min()) < 0:
        raise DataError(f"{path}: found the label {int(y.min())}, expected labels of 0 and above")
    if int(y.max()) > np.iinfo(np.int64).max:
        raise DataError(f"{path}: found the label {int(y.max())}, expected labels that fit int64")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise DataError(f"{path}: x holds NaN or infinity, expected finite numbers; clean the data")
    if x.dtype.kind == "f" and max(float(x.max()), -float(x.min())) > float(
        np.finfo(np.float32).max
    ):
        raise DataError(
            f"{path}: x holds numbers beyond the range of float32, expected numbers a network can "
            "take; scale the data"
        )
    return LabelledArrays(path.name, sha256_of(path), x, y.astype(np.int64))


def _read_arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        handle = path.open("rb")
    except IsADirectoryError:
        raise DataError(
            f"data file {path} is a folder, expected an npz file with x and y; check the path"
        ) from None
    except OSError as error:
        raise DataError(
            f"data file {path} can't be read: {error.strerror}; check the path"
        ) from None
    with handle:
        try:
            archive = np.load(handle, allow_pickle=False)
        except (OSError, zipfile.BadZipFile, EOFError):
            raise DataError(
                f"data file {path} can't be read: it is empty, damaged or cut short, expected an npz "
                "file with x and y; copy or write it again"
            ) from None
        except ValueError:
            raise DataError(
                f"data file {path} is not an npz of plain arrays (pickled data are never loaded), "
                "expected arrays x and y written by numpy.savez"
            ) from None
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(
                f"data file {path} holds a single array, expected an npz with x and y; write it "
                "with numpy.savez"
            )
        with archive:
            return _x_and_y(archive, path)


def _x_and_y(archive: np.lib.npyio.NpzFile, path: Path) -> tuple[np.ndarray, np.ndarray]:
    missing = [key for key in ("x", "y") if key not in archive.files]
    if missing:
        raise DataError(
            f"data file {path} has no {' and no '.join(missing)} (found: "
            f"{', '.join(sorted(archive.files)) or 'nothing'}), expected x (samples) and y "
            "(labels); without labels leave --data out to measure agreement and SNR only"
        )
    try:
        return archive["x"], archive["y"]
    except (ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        pickled = isinstance(error, ValueError) and "allow_pickle" in str(error)
        reason = "it holds pickled objects, which are never loaded" if pickled else "it is damaged"
        raise DataError(
            f"data file {path} can't be read: {reason}; expected plain arrays x and y; write it "
            "again with numpy.savez"
        ) from None
