"""Memory that a thread uses again for every array.

The kernels' working arrays are large enough that the system maps them anew and takes them back for
every array, page by page, and two threads then wait for one another at its one table of pages.
"""

from __future__ import annotations

import math
import threading

import numpy as np

_of_thread = threading.local()
# Bytes of a line of the cache: a vector that lies across two of them takes two reads. numpy places
# large arrays 16 bytes behind the start of one.
_LINE = 64


def scratch(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Give an array of unset values that the thread's next call for the same name takes back.

    Args:
        name: whose it is; arrays of different names never overlap.
        shape: of the array, float64, contiguous.
    """
    size = math.prod(shape)
    held: dict[str, np.ndarray] = _of_thread.__dict__
    buffer = held.get(name)
    if buffer is None or buffer.size < size:
        buffer = held[name] = _aligned(size)
    return buffer[:size].reshape(shape)


def _aligned(size: int) -> np.ndarray:
    """Give an array of unset values, float64 (size,), that begins where a cache line does."""
    spare = np.empty(size + _LINE // 8)
    start = -spare.ctypes.data % _LINE // 8
    return spare[start : start + size]


def release() -> None:
    """Give back what the calling thread holds: arrays that are large beside the machine's memory."""
    _of_thread.__dict__.clear()
