"""A worker process on this machine: single-threaded, of bounded memory, ending with its parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait

from rxsim.circuit import when_compiling

_POOLS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS"),
)


@contextmanager
def single_thread_pools() -> Iterator[None]:
    """Limit the thread pools of libraries to a single thread in processes started in the block."""
    before = {name: os.environ.get(name) for name in _POOLS}
    os.environ.update(dict.fromkeys(_POOLS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def start_worker(memory: int | None) -> None:
    """Set up a worker process.

    Args:
        memory: bound of its memory in bytes; None: no bound.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles interrupts
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    if memory is not None:
        _bound_memory(memory)
    notice = when_compiling(
        lambda: print("compiling the circuit kernels (once, up to a minute) ..", file=sys.stderr)
    )
    notice.__enter__()  # for the life of the process


def _end_with(sentinel: int) -> None:
    """End this process at once when its parent is gone, killed or not."""
    wait([sentinel])
    os._exit(1)


def _bound_memory(memory: int) -> None:
    """Bound private memory where the system can; a job that needs more fails."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (memory, hard))


def memory_for(workers: int) -> int | None:
    """Return each worker's share of the free memory in bytes; None where it is unknown."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        with open("/proc/meminfo", encoding="ascii") as lines:
            free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
        bytes_free = min([1024 * free, *_limits_of_group()])
        return max(int(0.9 * bytes_free / workers), 2**30)
    return None


def _limits_of_group() -> Iterator[int]:
    """Yield the memory bounds of this process's control group (containers, SLURM)."""
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError), open(name, encoding="ascii") as text:
            yield int(text.read())
