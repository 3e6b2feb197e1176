"""Temporary files for what a large network's arrays compute, where memory should not hold it.

Such a file has no name, or one that goes with it: nothing stays behind after an error or an interrupt.
What a process leaves that was killed is removed when another one needs such a file.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np

with contextlib.suppress(ImportError):  # Windows has none, and no such files
    import fcntl

from rxsim.errors import WriteError
from rxsim.mapped_files import FilePart, identity_of

HAS_FILES = os.name == "posix"
"""Whether files can be mapped, locked, and removed while they are open."""
MANY = 2**28
"""Values from which on they lie in temporary files: 2 GiB in float64. Smaller networks use none."""
_SMALL = 2**16  # values of an array below which it is not worth a place in a file
_PREFIX, _GIB = "rxsim-spilled-", 2**30
_NEW = 60.0  # seconds within which a file without a lock may be one that is just being made


def are_many(values: int) -> bool:
    """Tell whether so many values lie in temporary files."""
    return HAS_FILES and values > MANY


class Spill:
    """A temporary file that takes arrays, and is gone when nobody has it any more."""

    def __init__(self, *, named: bool = False) -> None:
        """Make an empty file.

        Args:
            named: keep its name, so that others can open it too; else it has none.

        Raises:
            WriteError: there is no place for it.
        """
        self.size = 0
        try:
            _remove_left_behind()
            self._fd, path = tempfile.mkstemp(prefix=_PREFIX)
            if not named:
                os.unlink(path)
            _is_locked(self._fd)
        except OSError as error:
            raise _refused(error) from None
        self.path = os.path.realpath(path)
        weakref.finalize(self, _close, self._fd, self.path if named else None, os.getpid())

    def append(self, values: np.ndarray) -> tuple[int, int]:
        """Write an array at the end of the file, little-endian, in the order of its axes.

        Returns:
            Where its bytes begin, and how many they are.

        Raises:
            WriteError: the disk is full.
        """
        stored = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
        start = -(-self.size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        content = stored.reshape(-1).view(np.uint8).data
        done = 0
        try:
            while done < len(content):
                done += os.pwrite(self._fd, content[done : done + _GIB], start + done)
        except OSError as error:
            raise _refused(error) from None
        self.size = start + len(content)
        return start, len(content)

    def part(self, start: int, length: int) -> FilePart:
        """Describe a part of a file that keeps its name."""
        return FilePart(self.path, start, length, identity_of(os.fstat(self._fd)))

    def mapped(self, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Write arrays; return them as they were, their values in the file and not to be written to.

        Raises:
            WriteError: the disk is full.
        """
        orders = [np.argsort([-step for step in each.strides], kind="stable") for each in arrays]
        stored = [each.transpose(order) for each, order in zip(arrays, orders, strict=True)]
        places = [self.append(each) for each in stored]
        first, end = places[0][0], self.size
        try:
            content = mmap.mmap(self._fd, end - first, access=mmap.ACCESS_READ, offset=first)
        except OSError as error:
            raise _refused(error) from None
        return tuple(
            np.frombuffer(content, each.dtype, each.size, start - first)
            .reshape(each.shape)
            .transpose(np.argsort(order))
            for each, order, (start, _) in zip(stored, orders, places, strict=True)
        )


def put_aside(arrays: Sequence[np.ndarray], into: Spill) -> tuple[np.ndarray, ...]:
    """Return arrays whose values lie in a file; few values stay where they are."""
    if sum(each.size for each in arrays) < _SMALL or any(not each.size for each in arrays):
        return tuple(arrays)
    return into.mapped(arrays)


_constants: ContextVar[Spill | None] = ContextVar("constants", default=None)


@contextmanager
def constants_aside(values: int) -> Iterator[Spill | None]:
    """Let large constants of models that are written in the block lie in a file.

    Args:
        values: how many there will be, about; with fewer than `MANY` they stay in memory.

    Yields:
        The file, which must be held as long as the models; None where they stay in memory.
    """
    spill = Spill(named=True) if are_many(values) else None
    token = _constants.set(spill)
    try:
        yield spill
    finally:
        _constants.reset(token)


def constants_spill() -> Spill | None:
    """Return the file that takes large constants here; None where they stay in memory."""
    return _constants.get()


def require_disk(n_bytes: int, what: str) -> None:
    """Refuse to begin what needs more temporary files than the disk has room for.

    Raises:
        WriteError: naming both numbers.
    """
    folder = tempfile.gettempdir()
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    if n_bytes > free:
        raise WriteError(
            f"{what} needs about {n_bytes / _GIB:.1f} GiB of temporary files and {folder} has "
            f"{free / _GIB:.1f} GiB free, expected as much; free some, or set TMPDIR to a folder on a "
            "larger disk"
        )


def _refused(error: OSError) -> WriteError:
    return WriteError(
        f"the temporary files of a large network can't be written in {tempfile.gettempdir()}: "
        f"{error.strerror or error}; free some room, or set TMPDIR to a folder on a larger disk"
    )


def _close(fd: int, path: str | None, owner: int) -> None:
    """Close a file and remove its name; a forked process leaves the name to the one that made it."""
    if path is not None and owner == os.getpid():
        with contextlib.suppress(OSError):
            os.unlink(path)
    with contextlib.suppress(OSError):
        os.close(fd)


def _remove_left_behind() -> None:
    """Remove files of processes that were killed: nobody holds their lock."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_ctime < _NEW or path.is_symlink():
                continue
            fd = os.open(path, os.O_RDONLY)
            try:
                if _is_locked(fd):
                    path.unlink()
            finally:
                os.close(fd)


def _is_locked(fd: int) -> bool:
    """Lock a file for this process; tell whether that went well: not where another one holds it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
