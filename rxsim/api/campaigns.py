"""Functions about many evaluations: a sweep, and a gate against a baseline."""

from __future__ import annotations

from pathlib import Path

from rxsim.api.accepted import as_bytes
from rxsim.files import check_destination
from rxsim.gate import Check, check_cases, read_baseline, read_cases
from rxsim.given import as_count, as_path
from rxsim.session import default_threads
from rxsim.store import open_results
from rxsim.sweep import LocalPool, SweepEnd, ending, memory_for, read_plan
from rxsim.sweep import run_sweep as run_plan


def run_sweep(
    file: str | Path,
    output: str | Path,
    *,
    workers: int | None = None,
    memory: str | None = None,
    cache: str | Path | None = None,
) -> SweepEnd:
    """Do what `rxsim sweep` does: evaluate every trial of a sweep that the results do not hold yet.

    Workers are spawned: call it below `if __name__ == "__main__":`. `rxsim.store` reads the results.

    Args:
        file: the sweep's YAML.
        output: the results file; made, or gone on with.
        workers: processes, one thread each; the machine's processors by default.
        memory: of each worker at most, such as "3GB": a trial that needs more fails; their share
            of what is free where left out.
        cache: folder where solved arrays and ranges are kept; nothing is kept where left out.

    Returns:
        How many trials are new, known, failed and needless.

    Raises:
        InputError: the sweep, a network, the data or a point's settings can't be used.
        WriteError: the disk is full; earlier trials are safe.

    Example:
        >>> rxsim.run_sweep("configs/sweeps/adc.yaml", "adc.sqlite", workers=2)
    """
    sweep, results_file = as_path(file, "file"), as_path(output, "output")
    folder = None if cache is None else as_path(cache, "cache")
    count = default_threads() if workers is None else as_count(workers, "workers")
    room = as_bytes(memory)
    plan = read_plan(sweep)
    check_destination(results_file, [sweep, *(planned.model for planned in plan.points)])
    with (
        ending(LocalPool(count, room or memory_for(count))) as pool,
        open_results(results_file, write=True) as results,
    ):
        return run_plan(plan, results, pool, cache=folder)


def check(file: str | Path, baseline: str | Path, *, threads: int | None = None) -> Check:
    """Do what `rxsim check` does: compare accuracies with those of a baseline.

    A regression raises nothing: look at the verdicts.

    Args:
        file: the gate's YAML.
        baseline: what `rxsim check --update` wrote.
        threads: work done side by side; changes no result.

    Raises:
        InputError: a case can't be evaluated, or is not what the baseline was measured with.

    Example:
        >>> rxsim.check("regress.yaml", "baseline.json").named("regression")
    """
    side_by_side = None if threads is None else as_count(threads, "threads")
    cases = read_cases(as_path(file, "file"))
    return check_cases(cases, read_baseline(as_path(baseline, "baseline")), threads=side_by_side)
