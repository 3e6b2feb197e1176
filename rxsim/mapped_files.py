"""Parts of files as arrays, mapped: values are read when they are looked at, and not held.

The kernel keeps pages of mapped files in memory while there is room, and takes them back where there is
none. Pages that were read count as resident until `let_go` hands them back.
"""

from __future__ import annotations

import mmap
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from rxsim.errors import ModelError

_PIECE = 16 * 2**20


@dataclass(frozen=True, slots=True)
class FilePart:
    """A part of a file that holds the values of an array.

    Attributes:
        path: the file, absolute.
        offset: of its first byte.
        length: its bytes.
        state: of the file when the part was described, as `state_of` gives it; or as `identity_of`
            does, where what is written to it later is written behind the part.
    """

    path: str
    offset: int
    length: int
    state: str


def identity_of(status: os.stat_result) -> str:
    """Return what tells a file from others."""
    return f"{status.st_dev}:{status.st_ino}:"


def state_of(status: os.stat_result) -> str:
    """Return what changes when a file's content does: its identity, size and time."""
    return f"{identity_of(status)}{status.st_size}:{status.st_mtime_ns}"


_mapped: weakref.WeakValueDictionary[str, mmap.mmap] = weakref.WeakValueDictionary()


def values_in(part: FilePart, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Return a part of a file as an array that can't be written to; its bytes are little-endian.

    Raises:
        ModelError: the file was changed or is gone since the part was described.
    """
    dtype = dtype.newbyteorder("<")
    if not part.length:
        return np.empty(shape, dtype)
    with _opened(part) as file:
        # One mapping for all parts of a file: each takes a file descriptor.
        key = state_of(os.fstat(file.fileno()))
        content = _mapped.get(key)
        if content is None:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            _mapped[key] = content
    return np.frombuffer(content, dtype, part.length // dtype.itemsize, part.offset).reshape(shape)


def pieces_in(part: FilePart) -> Iterator[bytes]:
    """Read a part of a file piece by piece.

    Raises:
        ModelError: the file was changed or is gone since the part was described.
    """
    with _opened(part) as file:
        file.seek(part.offset)
        left = part.length
        while left:
            piece = file.read(min(left, _PIECE))
            if not piece:
                raise _changed(part)
            left -= len(piece)
            yield piece


def check_unchanged(part: FilePart) -> None:
    """Refuse a part of a file that was changed since it was described.

    Raises:
        ModelError: it was.
    """
    _opened(part).close()


def _opened(part: FilePart) -> BinaryIO:
    try:
        file = Path(part.path).open("rb")  # noqa: SIM115
    except OSError as error:
        raise ModelError(
            f"the weights in {part.path} can't be read any more: {error.strerror or error}; put that "
            "file back and start again"
        ) from None
    if not state_of(os.fstat(file.fileno())).startswith(part.state):
        file.close()
        raise _changed(part)
    return file


def _changed(part: FilePart) -> ModelError:
    return ModelError(
        f"{part.path} holds weights of the network and was changed while they were in use, expected "
        "the file as it was; start again, and leave it as it is until the end"
    )


def let_go(*arrays: np.ndarray) -> None:
    """Hand back the memory of mapped arrays; their values are read again when they are looked at.

    Args:
        arrays: nothing happens to those that are not mapped.
    """
    if not hasattr(mmap, "MADV_DONTNEED"):
        return
    for array in arrays:
        base: Any = array
        while isinstance(base, np.ndarray):
            base = base.base
        content = base.obj if isinstance(base, memoryview) else base
        if not isinstance(content, mmap.mmap):
            continue
        if array.size:
            _hand_back(array, content)


def _hand_back(array: np.ndarray, content: mmap.mmap) -> None:
    """Hand back the pages between an array's first and last value."""
    steps = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)]
    before, behind = sum(min(step, 0) for step in steps), sum(max(step, 0) for step in steps)
    start = array.ctypes.data - np.frombuffer(content, np.uint8, 1).ctypes.data
    first = (start + before) // mmap.PAGESIZE * mmap.PAGESIZE
    content.madvise(mmap.MADV_DONTNEED, first, start + behind + array.itemsize - first)
