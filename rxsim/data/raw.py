"""Read a data file whole."""

from __future__ import annotations

from pathlib import Path

from rxsim.errors import DataError


def read_raw(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        DataError: it can't be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"data file {path} can't be read: {error.strerror}; check the path"
        ) from None
