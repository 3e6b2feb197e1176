"""Pools that run the jobs of a sweep: processes of this machine, or a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import active_children, get_context
from typing import Any, Protocol

from rxsim.errors import InputError
from rxsim.sweep.job import Job, Outcome, run_job
from rxsim.sweep.worker import single_thread_pools, start_worker

ANSWER_SECONDS = 10
"""Time limit for the answer of a scheduler."""


class Pool(Protocol):
    """The interface of a pool: it runs the jobs of a sweep."""

    @property
    def slots(self) -> int:
        """How many jobs may be handed over at once."""

    def submit(self, job: Job) -> Future[Outcome]:
        """Start a job."""

    def restart(self, slots: int | None = None) -> None:
        """Start new workers after one died; `slots` bounds their number."""

    def close(self, *, kill: bool = False) -> None:
        """End the workers; `kill` ends running jobs too."""


@contextmanager
def ending(pool: Pool) -> Iterator[Pool]:
    """Close a pool at the end of a block; where the block fails, kill its workers."""
    done = False
    try:
        yield pool
        done = True
    finally:
        pool.close(kill=not done)


class LocalPool:
    """Spawned processes on this machine, one thread each.

    Attributes:
        slots: processes.
    """

    def __init__(self, workers: int, memory: int | None) -> None:
        """Start without any process; they come with the first jobs.

        Args:
            workers: processes.
            memory: bytes that each may take; None: no bound.
        """
        self.slots = workers
        self._workers, self._memory = workers, memory
        self._earlier_children = set(active_children())
        self._executor = self._new(workers)

    def _new(self, workers: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            workers,
            mp_context=get_context("spawn"),
            initializer=start_worker,
            initargs=(self._memory,),
        )

    def submit(self, job: Job) -> Future[Outcome]:
        """Start a job."""
        with single_thread_pools():
            return self._executor.submit(run_job, job)

    def restart(self, slots: int | None = None) -> None:
        """Start new workers after one died; `slots` bounds their number."""
        self.close(kill=True)
        self.slots = slots or self._workers
        self._executor = self._new(self.slots)

    def close(self, *, kill: bool = False) -> None:
        """End the workers; `kill` ends running jobs too."""
        if kill:
            for process in set(active_children()) - self._earlier_children:
                process.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)


def _client(kind: Any, address: str) -> Any:
    """Connect; the library has no types."""
    return kind(address, timeout=ANSWER_SECONDS)


class DaskPool:
    """The workers of a Dask cluster.

    Attributes:
        slots: twice the threads of all workers, so that a finished worker finds its next job there.
    """

    def __init__(self, address: str) -> None:
        """Connect to a scheduler.

        Args:
            address: such as tcp://scheduler:8786.

        Raises:
            InputError: distributed is not installed, or there is no scheduler.
        """
        try:
            from distributed import Client
        except ImportError:
            raise InputError(
                "--dask needs the package distributed, which is not installed; run "
                "'pip install distributed'"
            ) from None
        self._stack = ExitStack()
        try:
            self._client: Any = self._stack.enter_context(_client(Client, address))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"--dask: no scheduler answers at {address} ({type(error).__name__}), expected an "
                "address such as tcp://scheduler:8786; start one with 'dask scheduler'"
            ) from None
        self._executor: Executor = self._client.get_executor(pure=False)

    @property
    def slots(self) -> int:
        """How many jobs may be handed over at once."""
        threads: int = sum(self._client.nthreads().values())
        return 2 * max(threads, 1)

    def submit(self, job: Job) -> Future[Outcome]:
        """Start a job."""
        return self._executor.submit(run_job, job)

    def restart(self, slots: int | None = None) -> None:
        """Do nothing: the cluster replaces its workers itself."""

    def close(self, *, kill: bool = False) -> None:
        """Leave the cluster; `kill` cancels its running jobs."""
        self._executor.shutdown(wait=not kill)  # without waiting it cancels
        self._stack.close()
