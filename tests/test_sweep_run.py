"""Running a plan: the rows are the same whatever workers do, and nothing is done twice."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
import time
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from known import known

from rxsim.errors import WriteError
from rxsim.pipeline import DataOptions, evaluate, open_study
from rxsim.store import Results, Trial, open_results
from rxsim.sweep import LocalPool, run_sweep
from rxsim.sweep import job as job_room
from rxsim.sweep.estimate import START_SECONDS, estimate
from rxsim.sweep.job import Job, Outcome, failed, run_job
from rxsim.sweep.plan import Plan, read_plan

MODEL = Path(__file__).parent.parent / "models" / "digits_mlp.onnx"


def plan_of(folder: Path, **values: Any) -> Plan:
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({"model": str(MODEL), "limit": 20, **values}))
    return read_plan(path)


def made_up(job: Job) -> Outcome:
    """What a job might give: hits that follow from its key."""
    bits = np.frombuffer(hashlib.sha256(job.key.encode()).digest(), np.uint8)
    hits = np.unpackbits(bits)[:40].astype(bool)
    trial = Trial(
        key=job.key,
        point=job.point,
        trial=job.trial,
        status="done",
        values={"accuracy": float(hits.mean()), "agreement": 1.0},
        hits=hits,
    )
    return Outcome(trial, {"made_up": job.point} if job.trial == 0 else None)


class FakePool:
    """Gives each job back at once; lets some trials fail."""

    def __init__(self, slots: int = 1, fails: Any = (), run: Any = made_up) -> None:
        self.slots = slots
        self.submitted: list[Job] = []
        self._fails, self._run = set(fails), run

    def submit(self, job: Job) -> Future[Outcome]:
        self.submitted.append(job)
        future: Future[Outcome] = Future()
        fails = job.trial in self._fails
        future.set_result(failed(job, "it was to fail") if fails else self._run(job))
        return future

    def restart(self, slots: int | None = None) -> None:
        pass

    def close(self, *, kill: bool = False) -> None:
        pass


class UnrulyPool(FakePool):
    """Gives jobs back in any order, and breaks at some submissions as if a worker had died.

    No job breaks it twice: one that does so again and again is a job whose worker always dies.
    """

    def __init__(self, slots: int, breaks: set[int], seed: int) -> None:
        super().__init__(slots)
        self._most, self._breaks, self._broken = slots, breaks, set[str]()
        self._rng = np.random.default_rng(seed)
        self._threads = ThreadPoolExecutor(slots)

    def submit(self, job: Job) -> Future[Outcome]:
        self.submitted.append(job)
        if len(self.submitted) in self._breaks and job.key not in self._broken:
            self._broken.add(job.key)
            future: Future[Outcome] = Future()
            future.set_exception(BrokenExecutor("a worker died"))
            return future
        pause = float(self._rng.uniform(0, 0.002))

        def slowly() -> Outcome:
            time.sleep(pause)
            return made_up(job)

        return self._threads.submit(slowly)

    def restart(self, slots: int | None = None) -> None:
        self.slots = slots or self._most


def rows(path: Path) -> list[tuple[Any, ...]]:
    """All that a results file says, but for times."""
    with open_results(path) as results:
        trials = [
            (
                *(t.key, t.point, t.trial, t.status, tuple(t.values.items()), t.error),
                None if t.hits is None else tuple(t.hits.tolist()),
            )
            for t in results.trials(hits=True)
        ]
        points = [
            (p.key, p.model, str(p.settings), str(p.details)) for p in results.points(details=True)
        ]
    return [*trials, *points]


def run(plan: Plan, path: Path, pool: Any) -> Any:
    with open_results(path, write=True) as results:
        return run_sweep(plan, results, pool)


AXES = {"adc.n_bits": [4, 5, 6], "device.write_sigma": [0.05, 0.1]}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(tmp_path_factory.mktemp("plan"), axes=AXES, trials=4)


@pytest.fixture(scope="module")
def stopping_plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    stop = {"half_width": 0.12, "at_least": 3}
    return plan_of(tmp_path_factory.mktemp("plan"), axes=AXES, trials=9, stop=stop)


def test_every_trial_of_every_point_is_done_once(plan: Plan, tmp_path: Path) -> None:
    pool = FakePool(1)
    end = run(plan, tmp_path / "r.sqlite", pool)
    assert (end.new, end.known, end.failed, end.skipped) == (24, 0, 0, 0)
    wanted = {planned.trial_key(trial) for planned in plan.points for trial in range(4)}
    assert sorted(job.key for job in pool.submitted) == sorted(wanted)
    # The first trial of a point comes before its others, and these right after it.
    assert [job.trial for job in pool.submitted] == [0, 1, 2, 3] * 6


def test_a_second_run_does_nothing(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    run(plan, path, FakePool(1))
    before, pool = rows(path), FakePool(1)
    end = run(plan, path, pool)
    assert (pool.submitted, end.new, end.known) == ([], 0, 24)
    assert rows(path) == before


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(1, 4),
    st.sets(st.integers(1, 60), max_size=12),
    st.booleans(),
)
def test_rows_do_not_depend_on_order_or_dying_workers(
    plan: Plan, stopping_plan: Plan, seed: int, slots: int, breaks: set[int], stops: bool
) -> None:
    """Jobs come back in any order and pools break at any submission: the rows are the same."""
    chosen = stopping_plan if stops else plan
    with tempfile.TemporaryDirectory() as folder:
        plain, other = Path(folder) / "plain.sqlite", Path(folder) / "other.sqlite"
        run(chosen, plain, FakePool(1))
        end = run(chosen, other, UnrulyPool(slots, breaks, seed))
        assert end.failed == 0
        assert rows(other) == rows(plain)


def test_a_job_whose_worker_always_dies_fails_and_the_others_go_on(
    plan: Plan, tmp_path: Path
) -> None:
    deadly = plan.points[2].trial_key(1)

    class Deadly(FakePool):
        def submit(self, job: Job) -> Future[Outcome]:
            future: Future[Outcome] = Future()
            self.submitted.append(job)
            if job.key == deadly:
                future.set_exception(BrokenExecutor("killed"))
            else:
                future.set_result(made_up(job))
            return future

    pool = Deadly(2)
    end = run(plan, tmp_path / "r.sqlite", pool)
    assert (end.new, end.failed) == (23, 1)
    assert sum(job.key == deadly for job in pool.submitted) == 5
    with open_results(tmp_path / "r.sqlite") as results:
        (row,) = [trial for trial in results.trials() if trial.status == "failed"]
        assert row.key == deadly
        assert "worker process died" in (row.error or "")


def test_a_failed_trial_is_recorded_and_tried_again_next_time(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    end = run(plan, path, FakePool(1, fails={2}))
    assert (end.new, end.failed) == (18, 6)
    end = run(plan, path, FakePool(1))
    assert (end.new, end.known, end.failed) == (6, 18, 0)
    plain = tmp_path / "plain.sqlite"
    run(plan, plain, FakePool(1))
    assert rows(path) == rows(plain)


def test_where_the_first_chip_fails_the_others_are_not_tried(plan: Plan, tmp_path: Path) -> None:
    pool = FakePool(1, fails={0})
    end = run(plan, tmp_path / "r.sqlite", pool)
    assert (end.new, end.failed, end.skipped) == (0, 6, 18)
    assert len(pool.submitted) == 6


def test_sweeps_share_points(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    run(plan, path, FakePool(1))
    other = plan_of(
        tmp_path, axes={"adc.n_bits": [5, 7], "device.write_sigma": [0.1]}, trials=5, name="b"
    )
    end = run(other, path, FakePool(1))
    assert (end.known, end.new) == (4, 6)
    with open_results(path) as results:
        assert {sweep.name: len(sweep.points) for sweep in results.sweeps()} == {
            "sweep": 6,
            "b": 2,
        }


def test_chips_that_are_all_alike_are_evaluated_once(tmp_path: Path) -> None:
    alike = plan_of(tmp_path, axes={"adc.n_bits": [4, 5]}, trials=5)
    end = run(alike, tmp_path / "r.sqlite", FakePool(1))
    assert (end.new, end.skipped) == (2, 8)


def test_a_stopping_rule_saves_trials(stopping_plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    end = run(stopping_plan, path, FakePool(1))
    assert end.skipped > 0
    with open_results(path) as results:
        trials = results.trials()
    for planned in stopping_plan.points:
        values = [known(t.values["accuracy"]) for t in trials if t.point == planned.point.key]
        t975 = {3: 4.302653, 4: 3.182446, 5: 2.776445, 6: 2.570582, 7: 2.446912, 8: 2.364624}
        widths = {
            n: t975[n] * np.std(values[:n], ddof=1) / np.sqrt(n) for n in range(3, len(values))
        }
        assert all(width > 0.12 for width in widths.values())
        if len(values) < 9:
            assert t975[len(values)] * np.std(values, ddof=1) / np.sqrt(len(values)) <= 0.12


def test_what_another_sweep_on_the_file_finishes_meanwhile_is_taken_over(
    plan: Plan, tmp_path: Path
) -> None:
    path = tmp_path / "r.sqlite"

    class Overtaken(FakePool):
        def submit(self, job: Job) -> Future[Outcome]:
            if not self.submitted:
                run(plan, path, FakePool(1))
            return super().submit(job)

    pool = Overtaken(1)
    end = run(plan, path, pool)
    assert len(pool.submitted) == 1
    assert end.known == 23
    run(plan, tmp_path / "plain.sqlite", FakePool(1))
    assert rows(path) == rows(tmp_path / "plain.sqlite")


def test_a_full_disk_ends_the_sweep_and_keeps_what_is_there(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    with open_results(path, write=True) as results:
        pages = results.connection.execute("PRAGMA page_count").fetchone()[0]
        results.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(WriteError, match="earlier trials are safe"):
            run_sweep(plan, results, FakePool(1, run=_bulky))
    with sqlite3.connect(path) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    run(plan, path, FakePool(1, run=_bulky))
    run(plan, tmp_path / "plain.sqlite", FakePool(1, run=_bulky))
    assert rows(path) == rows(tmp_path / "plain.sqlite")


def _bulky(job: Job) -> Outcome:
    outcome = made_up(job)
    noise = hashlib.sha512(job.key.encode()).hexdigest() * 40
    return Outcome(outcome.trial, {"made_up": noise} if job.trial == 0 else None)


def test_a_sweep_gives_what_eval_gives_and_workers_change_nothing(tmp_path: Path) -> None:
    """Real jobs: in this process, and in two spawned ones with a cache; both equal `evaluate`."""
    values = {
        "settings": {"device": {"write_sigma": 0.1}},
        "axes": {"adc.n_bits": [4, 6]},
        "trials": 3,
    }
    real = plan_of(tmp_path, **values)
    here, there = tmp_path / "here.sqlite", tmp_path / "there.sqlite"
    run(real, here, FakePool(1, run=run_job))
    pool = LocalPool(2, None)
    try:
        with open_results(there, write=True) as results:
            end = run_sweep(real, results, pool, cache=tmp_path / "cache")
    finally:
        pool.close()
    assert end.cached[0] > 0
    assert rows(here) == rows(there)
    with open_results(there) as results:
        for planned in real.points:
            settings_3 = planned.settings.model_copy(update={"trials": 3})
            found = evaluate(open_study(MODEL, settings_3, DataOptions(limit=20)))
            trials = results.trials([planned.point.key], hits=True)
            nonideal = found.rung("nonideal")
            hits = nonideal.table("accuracy")
            assert hits is not None
            assert np.array_equal(np.stack([known(t.hits) for t in trials]), hits)
            snrs = [run.mean("snr_db") for run in nonideal.trials]
            assert [t.values["snr_db"] for t in trials] == snrs
            (point,) = results.points([planned.point.key], details=True)
            assert point.details is not None
            whole = found.as_json()
            for name in ("float32", "weights", "ideal"):
                assert point.details["ladder"][name] == whole["ladder"][name]
            for name in ("layers", "totals", "worst_arrays", "shares", "digital"):
                assert point.details[name] == whole[name]


def test_whatever_goes_wrong_in_a_worker_becomes_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = plan_of(tmp_path, trials=1)
    for error, words in (
        (MemoryError(), "out of memory"),
        (ZeroDivisionError("by zero"), "internal error: ZeroDivisionError: by zero"),
    ):

        def broken(*_: Any, error: Exception = error) -> Any:
            raise error

        monkeypatch.setattr(job_room, "run_trial", broken)
        path = tmp_path / f"{type(error).__name__}.sqlite"
        assert run(real, path, FakePool(1, run=run_job)).failed == 1
        with open_results(path) as results:
            (row,) = results.trials()
            assert row.status == "failed"
            assert words in (row.error or "")


def test_a_model_that_changes_under_a_sweep_is_noticed(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    for suffix in (".onnx", ".yaml"):
        content = MODEL.with_suffix(suffix).read_bytes()
        model.with_suffix(suffix).write_bytes(content.replace(b": digits", b": ./digits"))
    for name in ("digits_test.npz", "digits_train.npz"):
        (tmp_path / name).write_bytes(MODEL.with_name(name).read_bytes())
    real = plan_of(tmp_path, model=str(model), trials=1)
    model.write_bytes(MODEL.with_name("digits_resnet.onnx").read_bytes())
    path = tmp_path / "r.sqlite"
    assert run(real, path, FakePool(1, run=run_job)).failed == 1
    with open_results(path) as results:
        assert "changed while the sweep ran" in (results.trials()[0].error or "")


def test_the_estimate_is_the_mean_of_measured_trials(plan: Plan, tmp_path: Path) -> None:
    known = []
    for planned in plan.points[:2]:
        for trial in range(4):
            seconds = 10.0 if trial == 0 else 1.0
            known.append(
                Trial(
                    key=planned.trial_key(trial),
                    point=planned.point.key,
                    trial=trial,
                    status="done",
                    seconds=seconds,
                )
            )
    found = estimate(plan, known, FakePool(), 2, None)
    # Four points are left: four first trials and twelve others, on two workers.
    assert (found.trials, found.first, found.further) == (16, 10.0, 1.0)
    assert found.seconds == pytest.approx(START_SECONDS + (4 * 10 + 12 * 1) / 2)
    # The first and the last point, two chips each.
    assert estimate(plan, [], FakePool(run=run_job), 1, None).measured == 4


def test_a_best_value_and_the_time_left_are_told(plan: Plan, tmp_path: Path) -> None:
    told: list[Any] = []
    with open_results(tmp_path / "r.sqlite", write=True) as results:
        assert isinstance(results, Results)
        run_sweep(plan, results, FakePool(1), show=told.append)
        best = max(trial.values["accuracy"] or 0 for trial in results.trials())
    assert [now.done for now in told] == list(range(25))
    assert told[-1].best == best
    assert told[-1].best_values.keys() == AXES.keys()
    assert told[0].seconds_left is None
    assert told[-1].seconds_left == 0
