"""`rxsim solve` beyond the plain array: settings, line ends, gated and non-linear cells, first use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import nonlinear, sparse
from oracles.ends import Ends

from rxsim.cli import main
from rxsim.config import IV, Crossbar
from rxsim.devices import curve_of

G = np.random.default_rng(4).uniform(1e-6, 1e-4, (6, 5))
V = np.array([0.2, 0.0, 0.1, 0.2, 0.0, 0.15])
WIRES = (2.5, 2.5, 100.0, 100.0)


def solve(
    folder: Path, capsys: pytest.CaptureFixture[str], *options: str, v: np.ndarray | None = None
) -> tuple[int, dict[str, np.ndarray], str]:
    """Run the command; return its exit code, what it wrote, and what it said."""
    np.save(folder / "g.npy", G)
    given = []
    if v is not None:
        np.save(folder / "v.npy", v)
        given = ["--v-in", str(folder / "v.npy")]
    out = folder / "out.npz"
    with pytest.raises(SystemExit) as stop:
        main(["solve", str(folder / "g.npy"), "-o", str(out), *given, *options])
    said = capsys.readouterr()
    arrays: dict[str, Any] = {}
    if out.exists():
        with np.load(out) as found:
            arrays = dict(found)
    return int(stop.value.code or 0), arrays, said.out + said.err


def test_line_ends_come_from_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "s.yaml"
    config.write_text("crossbar: {sense_side: alternate, r_driver_far: 0}\n")
    code, found, _ = solve(
        tmp_path, capsys, f"--config={config}", "--set", "crossbar.r_sense_far=7"
    )
    top, bottom = np.full(5, 7.0), np.full(5, 100.0)
    top[1::2], bottom[1::2] = 100.0, 7.0
    ends = Ends(np.full(6, 100.0), np.zeros(6), top, bottom)
    assert code == 0
    np.testing.assert_allclose(found["g_eff"], sparse.g_eff(G, *WIRES, ends=ends), rtol=1e-9)


def test_an_option_wins_over_a_settings_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "s.yaml"
    config.write_text("crossbar: {r_driver: 5}\nadc: {n_bits: 8}\n")
    code, found, _ = solve(tmp_path, capsys, f"--config={config}", "--r-driver=40")
    wanted = sparse.g_eff(G, 2.5, 2.5, 40.0, 100.0)
    assert code == 0
    np.testing.assert_allclose(found["g_eff"], wanted, rtol=1e-9)


REFUSED = {
    "twice": (
        ["--r-driver=40", "--set", "crossbar.r_driver=5"],
        "found both --r-driver and --set crossbar.r_driver, expected one",
    ),
    "twice in a section": (
        ["--r-wire-wl=4", "--set", "crossbar={r_sense: 1, r_wire_wl: 2}"],
        "found both --r-wire-wl and --set crossbar.r_wire_wl",
    ),
    "a converter": (["--set", "adc.n_bits=8"], "--set adc.n_bits: found a setting that one array"),
    "a level": (["--set", "device.n_bits=4"], "--set device.n_bits: found a setting that one"),
    "the seed": (["--set", "seed=4"], "expected crossbar.*, device.iv.* or input.v_read"),
    "a size": (["--set", "crossbar.rows=9"], "the array's size is that of its conductances"),
    "a picture of another kind": (["--plot=p.jpg"], "found the ending .jpg, expected .png"),
    "a picture of no kind": (["--plot=p"], "found no ending, expected .png"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_contradicts_or_has_no_use_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options, words = REFUSED[name]
    code, found, said = solve(tmp_path, capsys, *options)
    assert (code, found, said.count("\n")) == (2, {}, 1)
    assert words in said
    assert not list(tmp_path.glob("p*"))


def test_every_setting_of_the_circuit_may_be_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--set", "input.v_read=0.1", "--set", "device={iv: {form: sinh, v0: 0.1}}"]
    assert solve(tmp_path, capsys, *options, "--r-sense=3", "--set", "crossbar.r_access=2")[0] == 0


def test_gated_rows_are_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found, _ = solve(tmp_path, capsys, "--set", "crossbar.topology=input_gated", v=V)
    wanted = sparse.g_eff(np.where(V[:, None] > 0, G, 0.0), *WIRES)
    assert code == 0
    np.testing.assert_allclose(found["i_out"], V @ wanted, rtol=1e-9)


@pytest.mark.parametrize("given", [True, False])
def test_non_linear_cells_are_solved_for_an_input(
    given: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found, said = solve(
        tmp_path, capsys, "--set", "device.iv={form: sinh, v0: 0.1}", v=V if given else None
    )
    curve = curve_of(IV(form="sinh", v0=0.1), 0.2)
    driven = V if given else np.full(6, 0.2)
    assert code == 0
    assert set(found) == {"i_out", "v_wl", "v_bl", "device_currents"}
    by_oracle = nonlinear.solve(G, curve.current, curve.slope, Crossbar(), driven)
    np.testing.assert_allclose(found["i_out"], by_oracle[0], rtol=1e-8)
    assert "Newton's method" in said
    assert ("the given voltages" if given else "every row at 0.2 V") in said


def test_a_plot_of_non_linear_cells_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "p.png"
    code, found, said = solve(
        tmp_path, capsys, "--set", "device.iv.form=cubic", f"--plot={plot}", v=V
    )
    assert (code, found, plot.exists()) == (2, {}, False)
    assert "no g_eff to draw" in said


@pytest.mark.slow
def test_the_first_run_says_that_it_compiles_and_the_second_does_not(tmp_path: Path) -> None:
    np.save(tmp_path / "g.npy", G)
    command = [sys.executable, "-m", "rxsim", "solve", "g.npy", "-o", "out.npz"]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    runs = [
        subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]
    assert runs[0].stderr.count("compiling the circuit kernels") == 1
    assert runs[1].stderr == ""


def test_voltages_that_a_curve_is_not_known_for_are_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found, said = solve(
        tmp_path, capsys, "--set", "device.iv.form=cubic", v=np.array([1e5, 0, 0, 0, 0, 0])
    )
    assert (code, found) == (2, {})
    assert "found a cell voltage" in said
