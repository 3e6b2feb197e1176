"""The same sweep on a real Dask cluster of processes: one, and two in the slow suite."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from rxsim.commands.sweep import command
from rxsim.store import open_results
from rxsim.sweep import pools

distributed = pytest.importorskip("distributed", reason="the extra distributed is not installed")
MODEL = Path(__file__).parent.parent / "models" / "digits_mlp.onnx"


@pytest.fixture(scope="module", params=[1, pytest.param(2, marks=pytest.mark.slow)])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    with distributed.LocalCluster(
        n_workers=request.param, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


def sweep(folder: Path, *options: str) -> list[tuple[object, ...]]:
    path = folder / "sweep.yaml"
    axes = {"adc.n_bits": [4, 6]}
    settings = {"device": {"write_sigma": 0.1}}
    values = {"model": str(MODEL), "limit": 20, "axes": axes, "settings": settings}
    path.write_text(yaml.safe_dump({**values, "trials": 3}))
    results = folder / "r.sqlite"
    done = CliRunner().invoke(
        command, [str(path), "-o", str(results), "--cache", str(folder / "cache"), *options]
    )
    assert done.exit_code == 0, (done.output, done.exception)
    with open_results(results) as found:
        return [
            (
                t.key,
                t.trial,
                t.values,
                None if t.hits is None else t.hits.tobytes(),
            )
            for t in found.trials(hits=True)
        ]


@pytest.mark.usefixtures("sweeps_run_here")
def test_a_cluster_gives_the_rows_that_this_machine_gives(tmp_path: Path, address: str) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    assert sweep(there, "--dask", address) == sweep(here)


def test_no_scheduler_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "ANSWER_SECONDS", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump({"model": str(MODEL), "limit": 20}))
    for given, words in (
        (f"tcp://127.0.0.1:{port}", "no scheduler answers"),
        ("nonsense://", "no scheduler answers"),
    ):
        done = CliRunner().invoke(command, [str(path), "--dask", given])
        assert words in str(done.exception)
    done = CliRunner().invoke(command, [str(path), "--dask", "tcp://x:1", "--workers", "2"])
    assert "expected it alone" in str(done.exception)
