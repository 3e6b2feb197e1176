"""Real sweeps that are killed, interrupted, doubled and starved: no finished trial is ever lost."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from here_pool import HerePool

from rxsim.cli import root
from rxsim.store import open_results
from rxsim.sweep import read_plan, run_sweep

MODEL = Path(__file__).parent.parent / "models" / "digits_mlp.onnx"
SWEEP = {
    "model": str(MODEL),
    "limit": 40,
    "settings": {"device": {"write_sigma": 0.1}},
    "axes": {"adc.n_bits": [4, 5], "crossbar.rows": [16, 32]},
    "trials": 4,
}


def write_sweep(folder: Path, **changes: Any) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({**SWEEP, **changes}))
    return path


def start(sweep: Path, results: Path, *more: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "rxsim", "sweep", str(sweep), "-o", str(results)),
            *("--workers", "2", "--cache", str(sweep.parent / "cache"), *more),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def interruptible() -> None:
    """Let Ctrl-C reach a child: a shell starts what runs in its background with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(sweep: Path, results: Path, *more: str) -> str:
    child = start(sweep, results, *more)
    out, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    return out


def rows(path: Path) -> list[tuple[Any, ...]]:
    """Everything in a results file but what is a time, read without rxsim's own words for it."""
    with open_results(path) as results:
        trials = [
            (
                t.key,
                t.point,
                t.trial,
                t.status,
                tuple(t.values.items()),
                t.hits.tobytes(),
            )
            for t in results.trials(hits=True)
            if t.hits is not None
        ]
        points = [
            (p.key, json.dumps([p.settings, p.details], sort_keys=True))
            for p in results.points(details=True)
        ]
        sweeps = [(sweep.name, sweep.text, sweep.points) for sweep in results.sweeps()]
    return [*trials, *points, *sweeps]


def count(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as file:
            return int(file.execute("SELECT count(*) FROM trials").fetchone()[0])
    except sqlite3.OperationalError:  # the tables are not there yet
        return 0


def whole(path: Path) -> bool:
    with sqlite3.connect(path) as file:
        return bool(file.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def workers_of(parent: int) -> list[int]:
    """Process ids of a sweep's spawned workers."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if int(status[1]) == parent and b"spawn_main" in command:
                found.append(int(entry.name))
    return found


def wait_until(condition: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """Rows of the sweep, all of its jobs done one by one in this process."""
    folder = tmp_path_factory.mktemp("plain")
    with open_results(folder / "r.sqlite", write=True) as results:
        run_sweep(read_plan(write_sweep(folder)), results, HerePool(), cache=folder / "cache")
    found = rows(folder / "r.sqlite")
    assert len(found) == 16 + 4 + 1
    return found


def kill_at_random(folder: Path, kills: int, seed: int, plain: list[tuple[Any, ...]]) -> None:
    """Kill workers and parents of sweeps at random moments until there were enough kills."""
    rng = np.random.default_rng(seed)
    sweep, done, number = write_sweep(folder), 0, 0
    while done < kills:
        number += 1
        results = folder / f"r{number}.sqlite"
        acknowledged = 0
        while True:
            child = start(sweep, results)
            parent_dies = False
            while child.poll() is None and not parent_dies:
                time.sleep(float(rng.uniform(0.0, 2.0)))
                workers = workers_of(child.pid)
                parent_dies = bool(rng.random() < 0.5) or not workers
                if done >= kills:
                    break
                victim = child.pid if parent_dies else int(rng.choice(workers))
                if child.poll() is None:
                    os.kill(victim, signal.SIGKILL)
                    done += 1
            _, err = child.communicate(timeout=300)
            if results.exists() and results.stat().st_size:
                assert whole(results)
                assert count(results) >= acknowledged
                acknowledged = count(results)
            for worker in workers:
                wait_until(lambda pid=worker: gone(pid))
            if child.returncode == 0:
                break
            assert child.returncode == -signal.SIGKILL, err
        assert rows(results) == plain
    assert not list(folder.glob("*.tmp"))


# Quicker: dying workers in test_sweep_run.py, killed writers in test_store_faults.py.
@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing(
    tmp_path: Path, uninterrupted: list[tuple[Any, ...]]
) -> None:
    kill_at_random(tmp_path, 2, 1, uninterrupted)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_sixty_kills_at_random_moments_lose_nothing(
    tmp_path: Path, uninterrupted: list[tuple[Any, ...]], seed: int
) -> None:
    kill_at_random(tmp_path, 10, 100 + seed, uninterrupted)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 130, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, -9, marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("sweeps_run_here")
def test_an_ended_sweep_leaves_no_workers_and_goes_on(
    tmp_path: Path, uninterrupted: list[tuple[Any, ...]], how: signal.Signals, code: int
) -> None:
    sweep, results = write_sweep(tmp_path), tmp_path / "r.sqlite"
    child = start(sweep, results, preexec_fn=interruptible)
    wait_until(lambda: count(results) >= 2)
    workers = workers_of(child.pid)
    assert len(workers) == 2
    child.send_signal(how)
    _, err = child.communicate(timeout=30)
    assert child.returncode == code
    if code == 130:
        assert f"finished trials are in {results}; the same command goes on with the rest" in err
        assert "Traceback" not in err
    for worker in workers:
        wait_until(lambda pid=worker: gone(pid), 10)
    before = count(results)
    words = ["sweep", str(sweep), "-o", str(results), "--cache", str(tmp_path / "cache")]
    done = CliRunner().invoke(root, words)
    assert done.exit_code == 0, done.output
    out = done.output
    assert f"{16 - before} trials in" in out
    assert f"{before} known before" in " ".join(out.split())
    assert rows(results) == uninterrupted


@pytest.mark.slow
def test_two_sweeps_on_one_file_work_together(
    tmp_path: Path, uninterrupted: list[tuple[Any, ...]]
) -> None:
    sweep, results = write_sweep(tmp_path), tmp_path / "r.sqlite"
    children = [start(sweep, results) for _ in range(2)]
    for child in children:
        _, err = child.communicate(timeout=300)
        assert child.returncode == 0, err
    assert rows(results) == uninterrupted


@pytest.mark.slow
def test_a_full_disk_stops_the_sweep_in_one_sentence(
    tmp_path: Path, uninterrupted: list[tuple[Any, ...]]
) -> None:
    """No file may grow beyond 60 kB, which is what a full disk looks like to its writer."""
    sweep, results = write_sweep(tmp_path), tmp_path / "r.sqlite"

    def bound() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    child = start(sweep, results, preexec_fn=bound)
    _, err = child.communicate(timeout=300)
    assert child.returncode == 4, err
    assert "earlier trials are safe" in err
    assert "Traceback" not in err
    assert whole(results)
    finish(sweep, results)
    assert rows(results) == uninterrupted


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """A sweep in which one value of an axis can't be evaluated."""
    axes = {"device.iv.v0": [0.001, 0.3]}
    settings = {"device": {"iv": {"form": "sinh"}}}
    return write_sweep(tmp_path, axes=axes, settings=settings, trials=1)


@pytest.mark.slow
def test_a_failing_point_is_recorded_and_the_rest_go_on(failing: Path) -> None:
    results = failing.parent / "r.sqlite"
    child = start(failing, results)
    _, err = child.communicate(timeout=300)
    assert child.returncode == 3, err
    assert "Traceback" not in err
    assert "1 of 2 trials failed" in " ".join(err.split())
    with open_results(results) as found:
        assert sorted(trial.status for trial in found.trials()) == ["done", "failed"]


@pytest.mark.slow
def test_no_resume_refuses_earlier_results_and_dry_run_writes_none(tmp_path: Path) -> None:
    sweep, results = write_sweep(tmp_path), tmp_path / "r.sqlite"
    out = finish(sweep, results, "--dry-run")
    assert "Left: at most 16 trials" in out
    assert not results.exists()
    results.write_bytes(b"")
    child = start(sweep, results, "--no-resume")
    _, err = child.communicate(timeout=60)
    assert child.returncode == 2
    assert "found earlier results" in err
