"""A sweep's pool within the tests' own process: no worker to start, the same jobs."""

from __future__ import annotations

from concurrent.futures import Future

from rxsim.sweep.job import Job, Outcome, run_job


class HerePool:
    """Runs jobs in this process, one by one."""

    slots = 1

    def submit(self, job: Job) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        future.set_result(run_job(job))
        return future

    def restart(self, slots: int | None = None) -> None:
        raise AssertionError("nothing broke")

    def close(self, *, kill: bool = False) -> None:
        pass
