"""A cache of computed arrays in a folder, by a hash of everything that they depend on.

Any number of processes may share it: files appear whole or not at all, and an entry that was deleted
or damaged is simply computed anew. The oldest entries make room for new ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

DEFAULT_BYTES = 4 * 2**30
_SUFFIX = ".npz"
# The folder is listed again after this share of the limit was added, and emptied to this share.
_SHARE_UNSEEN, _SHARE_KEPT = 0.05, 0.75
_STALE = 3600.0  # seconds after which an unfinished file has no writer any more


def content_key(*parts: Any) -> str:
    """Hash everything that a result depends on: arrays, bytes and plain JSON values, in order.

    Every part is preceded by its kind and length, so that no two lists of parts hash alike.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            head = json.dumps([part.dtype.str, *part.shape]).encode()
            body = np.ascontiguousarray(part).tobytes()
        elif isinstance(part, bytes):
            head, body = b"bytes", part
        else:
            text = json.dumps(part, sort_keys=True, separators=(",", ":"), allow_nan=False)
            head, body = b"json", text.encode()
        digest.update(b"%d:%s:%d:" % (len(head), head, len(body)))
        digest.update(body)
    return digest.hexdigest()


@dataclass(slots=True)
class Cache:
    """Arrays by key, in a folder of bounded size.

    Attributes:
        folder: where the files lie; made with the first entry.
        limit: bytes that all files may take.
        hits: how often an entry was there.
        misses: how often it was not.
    """

    folder: Path
    limit: int = DEFAULT_BYTES
    hits: int = 0
    misses: int = 0
    _unseen: float = field(default=math.inf, repr=False)

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """Return the arrays of a key; None where the entry is missing or damaged."""
        path = self._path(key)
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except Exception:  # a damaged archive raises many types
            self.misses += 1
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # the least recently used ones go first
        self.hits += 1
        return arrays

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep arrays; where there is no room or no right to write, nothing is kept."""
        size = sum(array.nbytes for array in arrays.values())
        if size > _SHARE_UNSEEN * self.limit:
            return
        temporary: str | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._unseen += size
            if self._unseen > _SHARE_UNSEEN * self.limit:
                self._make_room()
                self._unseen = 0.0
            path = self._path(key)
            path.parent.mkdir(exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
            with os.fdopen(handle, "wb") as stream:
                np.savez(stream, **arrays)  # type: ignore[arg-type]
            os.replace(temporary, path)
        except OSError:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)

    def remember(
        self, key: str, compute: Callable[[], dict[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        """Return the arrays of a key; compute and keep them where the entry is missing."""
        known = self.get(key)
        if known is None:
            known = compute()
            self.put(key, known)
        return known

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}{_SUFFIX}"

    def _make_room(self) -> None:
        """Delete stale unfinished files, and the least recently used entries over the limit."""
        entries = []
        for path in self.folder.glob("??/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                if path.suffix == _SUFFIX:
                    entries.append((status.st_mtime_ns, status.st_size, path))
                elif path.suffix == ".tmp" and time.time() - status.st_mtime > _STALE:
                    path.unlink()
        total = sum(size for _, size, _ in entries)
        if total <= self.limit * (1 - 2 * _SHARE_UNSEEN):
            return
        for _, size, path in sorted(entries):
            with contextlib.suppress(OSError):
                path.unlink()
            total -= size
            if total <= self.limit * _SHARE_KEPT:
                return


def default_folder() -> Path:
    """Return the folder where arrays are kept by default."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "rxsim" / "arrays"
