"""CIFAR-10's binary batches: records of one label byte and 3 planes of 32 x 32 bytes.

Source of the format: A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html ("Binary version").
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rxsim.data.data_set import StoredArrays, Truth
from rxsim.data.raw import read_raw
from rxsim.errors import DataError

_SIDE, _CHANNELS, _CLASSES = 32, 3, 10
_RECORD = 1 + _CHANNELS * _SIDE * _SIDE


def cifar_files(folder: Path, truth: Truth) -> list[Path]:
    """Choose the batches of a folder: the test batch to evaluate, the training batches to calibrate.

    Where a folder holds only one of the two, that one is taken.
    """
    test = [path for path in (folder / "test_batch.bin",) if path.is_file()]
    train = sorted(folder.glob("data_batch_*.bin"))
    return (train or test) if truth == "any" else (test or train)


def pickled_batches(folder: Path) -> list[Path]:
    """List the files of CIFAR's Python version in a folder."""
    names = ["test_batch", *(f"data_batch_{number}" for number in range(1, 6))]
    return [folder / name for name in names if (folder / name).is_file()]


def refuse_pickle(path: Path) -> DataError:
    """Return the error that says why a pickled file is not read."""
    return DataError(
        f"data file {path} looks like a Python pickle, which could run any program while it is read "
        "and is never loaded, expected CIFAR-10's binary version (test_batch.bin) or an npz; take "
        "cifar-10-binary.tar.gz, or convert the file yourself"
    )


def read_cifar(paths: Sequence[Path], truth: Truth) -> StoredArrays:
    """Read CIFAR-10 batches.

    Raises:
        DataError: unreadable, not a whole number of records, or a label above 9.
    """
    digest = hashlib.sha256()
    parts = []
    for path in paths:
        raw = read_raw(path)
        digest.update(raw)
        parts.append(_records(raw, path))
    records = np.concatenate(parts)
    planes = records[:, 1:].reshape(-1, _CHANNELS, _SIDE, _SIDE)
    first = paths[0]
    name = first.name if len(paths) == 1 else f"{first.parent.name} ({len(paths)} batches)"
    labels = None if truth == "none" else records[:, 0].astype(np.int64)
    return StoredArrays(
        name=name,
        identity=digest.hexdigest(),
        x=planes.transpose(0, 2, 3, 1),
        labels=labels,
        layout="NHWC",
    )


def _records(raw: bytes, path: Path) -> np.ndarray:
    if not raw or len(raw) % _RECORD:
        raise DataError(
            f"data file {path} has {len(raw)} bytes, expected a multiple of {_RECORD} (CIFAR-10's "
            "binary version: one label and 3072 pixel values a record); check that it is whole and of "
            "that kind"
        )
    records = np.frombuffer(raw, dtype=np.uint8).reshape(-1, _RECORD)
    wrong = records[:, 0] >= _CLASSES
    if wrong.any():
        index = int(wrong.argmax())
        raise DataError(
            f"data file {path}, record {index}: found the label {int(records[index, 0])}, expected 0 "
            "to 9; check that it is CIFAR-10's binary version"
        )
    return records
