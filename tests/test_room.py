"""Memory and time are known before: what does not fit is refused, what takes long is announced."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_networks import dense

import rxsim
from rxsim import memory
from rxsim.cli import main
from rxsim.config import Crossbar, Device, Mapping, Settings, load_settings
from rxsim.devices import Chip
from rxsim.errors import InputError
from rxsim.load import load_network
from rxsim.mapping import map_layer, tile_layer
from rxsim.memory import as_text, available_bytes
from rxsim.pipeline.chip import room
from rxsim.scenarios import perfect
from rxsim.tiles import array_bytes, layer_seconds, program_array, transfer_matrices
from rxsim.tiles.program import LayerProgramming

MODELS = Path(__file__).resolve().parents[1] / "models"
GIB = 2**30


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def machine(folder: Path, cgroup: str) -> Path:
    """Make a /proc of a machine with 8 GiB left."""
    text = f"MemTotal: 99 kB\nMemAvailable: {8 * GIB // 1024} kB\n"
    return written(folder / "proc", meminfo=text, self__cgroup=cgroup)


def test_free_memory_is_what_the_machine_has_left(tmp_path: Path) -> None:
    assert available_bytes(machine(tmp_path, "0::/a\n"), tmp_path / "none") == 8 * GIB


def test_a_container_has_what_its_groups_leave(tmp_path: Path) -> None:
    """The least of all groups above the process; what the kernel keeps of files is given back."""
    proc = machine(tmp_path, "0::/jobs/one\n")
    groups = written(
        tmp_path / "groups",
        **{
            "jobs__one__memory.max": "max\n",
            "jobs__one__memory.current": f"{GIB}\n",
            "jobs__memory.max": f"{4 * GIB}\n",
            "jobs__memory.current": f"{3 * GIB}\n",
            "jobs__memory.stat": f"anon 5\ninactive_file {GIB // 2}\n",
        },
    )
    assert available_bytes(proc, groups) == GIB + GIB // 2


def test_older_control_groups_are_read_too(tmp_path: Path) -> None:
    proc = machine(tmp_path, "5:cpu:/x\n4:memory:/inside\n0::/\n")
    groups = written(
        tmp_path / "groups",
        **{
            # Within a container the path that the process is told of is not there.
            "memory__memory.limit_in_bytes": f"{2 * GIB}\n",
            "memory__memory.usage_in_bytes": f"{GIB // 2}\n",
            "memory__memory.stat": "total_inactive_file 0\n",
        },
    )
    assert available_bytes(proc, groups) == GIB + GIB // 2


def test_where_nobody_tells_of_what_is_left_all_of_it_counts(tmp_path: Path) -> None:
    free = available_bytes(tmp_path, tmp_path)
    assert free is None or free > 0


@pytest.mark.parametrize(
    ("size", "text"),
    [(12, "12 bytes"), (1536, "1.5 KiB"), (58 * GIB, "58.0 GiB"), (2**62, "4096.0 PiB")],
)
def test_sizes_are_written_in_their_unit(size: int, text: str) -> None:
    assert as_text(size) == text


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    return int(stop.value.code or 0), capsys.readouterr().err


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave 1 GiB."""
    for module in (memory, room):
        monkeypatch.setattr(module, "available_bytes", lambda: GIB)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("command", ["eval", "calibrate", "patch", "verify"])
def test_an_array_beyond_memory_is_refused_before_anything_runs(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [] if command in ("eval", "verify") else ["-o", str(tmp_path / "out")]
    code, said = run(
        capsys, command, str(MODELS / "digits_mlp.onnx"), "--xbar=16384x16384", "--verbose", *out
    )
    assert code == 2
    (sentence,) = [line for line in said.splitlines() if line.startswith("rxsim:")]
    assert "16384x16384 (layer fc1)" in sentence
    assert "expected at most the 1.0 GiB that are free; use smaller arrays" in sentence
    assert "float32" not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("little_memory")
def test_a_single_array_beyond_memory_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    g = np.broadcast_to(np.float32(0), (3000, 3000))
    np.save(tmp_path / "g.npy", g)
    code, said = run(capsys, "solve", str(tmp_path / "g.npy"), "-o", str(tmp_path / "o.npz"))
    assert (code, said.count("\n")) == (2, 1)
    assert "an array of 3000x3000, which takes 1.8 GiB of memory to solve" in said
    with pytest.raises(InputError, match="3000x3000"):
        rxsim.solve(g)


def test_wires_of_nothing_need_no_more_than_the_used_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrays of 34 GB each are never made where no circuit and no draw asks for their unused cells."""
    for module in (memory, room):
        monkeypatch.setattr(module, "available_bytes", lambda: GIB)
    w = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    model = dense(w)
    wires = dict.fromkeys(("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"), 0.0)
    given = {"crossbar": {"rows": 65536, "cols": 65536, **wires}, "dac": {"n_bits": None}}
    given |= {"adc": {"n_bits": None}, "device": {"n_bits": None}}
    found = rxsim.evaluate(model, given, limit=8)
    assert (found.layers[0].snr_db or 0) > 100
    with pytest.raises(InputError, match="65536x65536"):
        rxsim.evaluate(model, {**given, "device": {"write_sigma": 0.1}}, limit=8)


def layer_of(folder: Path, w: np.ndarray) -> Any:
    import onnx

    path = folder / "m.onnx"
    onnx.save(dense(w), path)
    return load_network(path).layers[0]


CHOICES: list[dict[str, Any]] = [
    {},
    {"scheme": "offset"},
    {"scheme": "offset", "offset_removal": "reference_column"},
    {"layout": "adjacent", "weight_bits": 5, "bits_per_cell": 2},
    {"unused_cells": "open"},
    {"col_permutation": "reversed"},
]


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("sigma", [0.0, 0.05])
def test_leaving_out_unused_lines_changes_no_used_cell(
    choice: dict[str, Any], sigma: float, tmp_path: Path
) -> None:
    """Draws cover the whole array; a permuted array keeps its lines where they are."""
    w = np.random.default_rng(1).standard_normal((19, 5))
    mapping = Mapping(**choice)
    settings = Settings(crossbar=Crossbar(rows=12, cols=32), mapping=mapping)
    device = Device(write_sigma=sigma, n_bits=4)
    settings = settings.model_copy(update={"device": device})
    mapped = map_layer(layer_of(tmp_path, w), settings.crossbar, settings.device, mapping)
    chip = Chip(3, 1)
    lean = LayerProgramming(mapped, settings, chip, used_only=True)
    for index in range(mapped.n_arrays):
        whole, part = program_array(mapped, index, settings, chip), lean.array(index)
        rows = np.flatnonzero(whole.array.rows >= 0)
        cols = np.union1d(np.flatnonzero(whole.array.cols >= 0), whole.array.references)
        cols = cols[cols >= 0]
        np.testing.assert_array_equal(part.g[np.ix_(rows, cols)], whole.g[np.ix_(rows, cols)])
        is_lean = sigma == 0 and "col_permutation" not in choice
        assert part.g.shape == ((len(rows), len(cols)) if is_lean else (12, 32))


def test_transfer_without_wires_is_the_difference_of_the_pairs(tmp_path: Path) -> None:
    """Continuous cells: (g_plus - g_minus)/(g_on - g_off) is w/w_max; huge arrays cost nothing."""
    w = np.random.default_rng(2).standard_normal((30, 8)).astype(np.float32)
    settings = perfect(Settings(device=Device(g_on=1e-4, g_off=1e-6, n_bits=None)))
    bar = settings.crossbar.model_copy(update={"rows": 30000, "cols": 30000})
    settings = settings.model_copy(update={"crossbar": bar})
    mapped = map_layer(layer_of(tmp_path, w), bar, settings.device, settings.mapping)
    tracemalloc.start()
    (matrix,) = transfer_matrices(mapped, settings, Chip(0, 0)).matrices
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(matrix[0] / 99e-6, w / np.abs(w).max(), rtol=1e-6, atol=1e-12)
    assert most < 10 * 2**20


def test_the_estimate_of_bytes_covers_what_is_taken(tmp_path: Path) -> None:
    layer = layer_of(tmp_path, np.random.default_rng(2).standard_normal((30, 8)))
    settings = load_settings(None, assignments=["crossbar.rows=400", "crossbar.cols=500"])
    mapped = map_layer(layer, settings.crossbar, settings.device, settings.mapping)
    tracemalloc.start()
    transfer_matrices(mapped, settings, Chip(0, 0))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    estimate = array_bytes(mapped.tiling, settings)
    assert 0.5 * estimate < most < 1.05 * estimate + 2**20


def test_more_arrays_are_not_solved_at_once_than_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = layer_of(tmp_path, np.ones((30, 8)))
    settings = load_settings(None, assignments=["crossbar.rows=1000", "crossbar.cols=1000"])
    mapped = map_layer(layer, settings.crossbar, settings.device, settings.mapping)
    each = array_bytes(mapped.tiling, settings)
    for free, threads in ((3.5, 3), (0.5, 1), (99, 8)):
        monkeypatch.setattr(room, "available_bytes", lambda free=free: int(free * each))
        assert room.threads_that_fit(8, mapped, settings) == threads


def test_a_long_solution_is_announced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(room, "LONG_SECONDS", 0.0)
    model = str(MODELS / "digits_mlp.onnx")
    code, said = run(capsys, "eval", model, "--xbar=32x32", "--limit=5")
    assert code == 0
    assert said.count("solve: about") == 1
    assert "arrays of up to 32x32, by a rough estimate" in said
    code, said = run(capsys, "eval", model, "--xbar=32x32", "--limit=5", "--quiet")
    assert (code, said) == (0, "")


def test_seconds_grow_with_what_is_used_and_open_cells_cost_nothing(tmp_path: Path) -> None:
    layer = layer_of(tmp_path, np.ones((64, 32)))
    large = ["crossbar.rows=2048", "crossbar.cols=2048"]

    def seconds(*assignments: str, of: Any = layer) -> float:
        settings = load_settings(None, assignments=[*large, *assignments])
        tiling = tile_layer(of, settings.crossbar, settings.mapping)
        return layer_seconds(tiling, settings)

    partly, open_cells = seconds(), seconds("mapping.unused_cells=open")
    assert 1.0 < partly < 600.0
    assert open_cells < 0.01 * partly
    wires = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
    assert seconds(*wires) == 0.0
    assert seconds(of=layer_of(tmp_path, np.ones((1024, 512)))) > 10 * partly


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.2, "3 seconds"), (200, "3 minutes"), (7000, "2 hours"), (400_000, "5 days")],
)
def test_durations_are_rough(seconds: float, text: str) -> None:
    assert room.duration(seconds) == text
