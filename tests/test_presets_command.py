"""`rxsim presets NAME [--plot FILE]`: tables and charts against formulas, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from rxsim.cli import root
from rxsim.config import named_preset, preset_names
from rxsim.devices import Chart, preset_charts
from rxsim.errors import RxsimError

ROOT = Path(__file__).parents[1]
MAGIC = {"pdf": b"%PDF-", "png": b"\x89PNG", "svg": b"<?xml"}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(root, ["presets", *map(str, arguments)])


def charts_of(name: str, *, fine: bool = False) -> dict[str, Chart]:
    return {chart.title: chart for chart in preset_charts(name, fine=fine)}


def test_the_charts_of_a_phase_change_memory_are_its_formulas() -> None:
    charts = charts_of("pcm-nandakumar", fine=True)
    chart = charts["write error"]
    g = chart.x / 25
    assert chart.lines[0].y == pytest.approx(0.26348 + 1.965 * g - 1.1731 * g**2, rel=1e-9)
    mean, sd = charts["exponent of the drift"].lines
    inner = g[1:]
    assert mean.y[0] == 0.1
    assert mean.y[1:] == pytest.approx(np.clip(-0.0155 * np.log(inner) + 0.0244, 0.049, 0.1))
    assert sd.y[1:] == pytest.approx(np.clip(-0.0125 * np.log(inner) - 0.0059, 0.008, 0.045))
    noise = charts["read noise of a cell at its target"]
    for seconds, line in zip((0, 86400, 365 * 86400), noise.lines, strict=True):
        part = np.sqrt(np.log((seconds + 20 + 250e-9) / 500e-9))
        expected = chart.x[1:] * np.minimum(0.0088 / inner**0.65, 0.2) * part
        assert line.y[1:] == pytest.approx(expected, rel=1e-9)
        assert line.y[0] == 0


def test_the_drawn_conductances_are_those_of_the_law() -> None:
    """25 uS with an exponent of 0.049 and a deviation of 0.008 from cell to cell."""
    chart = charts_of("pcm-nandakumar")["conductance, mean and sd of 10,000 drawn cells"]
    line = chart.lines[-1]
    assert line.label == "25 uS"
    assert line.spread is not None
    folds = np.log1p(chart.x / 20)
    mean = 25 * np.exp(-0.049 * folds + (0.008 * folds) ** 2 / 2)  # of a log-normal number
    assert line.y == pytest.approx(mean, abs=4.5 * line.spread.max() / 100)
    write = (0.26348 + 1.965 - 1.1731) / 25
    relative = np.sqrt((1 + write**2) * np.exp((0.008 * folds) ** 2) - 1)
    assert line.spread == pytest.approx(mean * relative, rel=4.5 * 0.0075)


def test_a_share_of_the_read_noise_is_fresh_as_the_time_of_a_run_says() -> None:
    chart = charts_of("pcm-nandakumar")[
        "share of the read noise's variance that is fresh, over device.run_time"
    ]
    for seconds, line in zip((0, 365 * 86400), chart.lines, strict=True):
        whole, fresh = (
            np.log((t + 250e-9) / 500e-9) for t in (np.array(seconds + 20), np.array(chart.x))
        )
        assert line.y == pytest.approx(100 * np.minimum(fresh / whole, 1), rel=1e-9)


def test_a_measured_current_is_that_of_its_source() -> None:
    """Milo et al.: I = G V + N2 V^2 + N3 V^3 with polynomials in log10 G."""
    (chart,) = charts_of("rram-milo-iv").values()
    for g, line in zip((62.5e-6, 86.25e-6, 110e-6), chart.lines, strict=True):
        level = np.log10(g)
        n2 = 1.388e-4 * level**3 + 1.541e-3 * level**2 + 5.711e-3 * level + 7.063e-3
        n3 = 8.871e-5 * level**2 + 6.7919e-4 * level + 1.2968e-3
        current = g * chart.x + n2 * chart.x**2 + n3 * chart.x**3
        assert line.y == pytest.approx(current * 1e6, rel=1e-9)


def test_a_device_known_at_single_times_has_a_curve_for_each() -> None:
    chart = charts_of("rram-wan")["write error"]
    assert [line.label for line in chart.lines] == ["sigma, 1 s", "sigma, 1 d", "sigma, 2 d"]
    aged = charts_of("sonos-agrawal-aged")["write error"]
    assert [line.label for line in aged.lines] == [
        "sigma, 0 s",
        *(f"sigma, {day} d" for day in range(1, 6)),
    ]


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_prints_its_range_times_and_charts(name: str) -> None:
    preset, output = named_preset(name), run(name).output
    for chart in preset_charts(name, fine=False):
        assert f"\n{chart.title}:\n" in output
        assert all(np.isfinite(line.y).all() for line in chart.lines)
    assert ("times after programming: " in output) == preset.knows_time
    if "write_error" in preset.laws:
        assert "\nwrite error:\n" in output
    assert re.search(r"\bnan\b|\binf\b", output) is None


def test_a_table_has_the_numbers_of_its_chart() -> None:
    lines = run("pcm-joshi").output.splitlines()
    start = lines.index("write error:")
    assert lines[start + 1].split() == ["G", "(uS)", "sigma", "(uS)"]
    for line in lines[start + 2 : start + 8]:
        g, sigma = map(float, line.split())
        assert sigma == pytest.approx(
            -0.00178767 * g**2 + 0.07585724 * g + 0.28638599, rel=0.006, abs=0
        )


@pytest.mark.parametrize("form", MAGIC)
def test_a_figure_is_written_with_the_same_bytes_each_time(form: str, tmp_path: Path) -> None:
    first, second = tmp_path / f"a.{form}", tmp_path / f"b.{form}"
    for path in (first, second):
        result = run("rram-falcone-2pct", "--plot", path)
        assert result.exit_code == 0, result.output
        assert result.output == f"{path}: 2 charts of rram-falcone-2pct\n"
    assert first.read_bytes().startswith(MAGIC[form])
    assert first.read_bytes() == second.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {first.name, second.name}


def test_a_users_file_is_drawn_as_well(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    text = (ROOT / "rxsim/devices/presets/pcm-hermes.yaml").read_text()
    mine.write_text(text.replace("device: {n_bits: null}", "device: {n_bits: 3}"))
    result = run(mine, "--plot", tmp_path / "mine.svg")
    assert result.output == f"{tmp_path / 'mine.svg'}: 6 charts of {mine}\n"
    mine_shown, shown = (run(name).output.split("write error:")[1] for name in (mine, "pcm-hermes"))
    assert mine_shown == shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--plot", "a.pdf"], "--plot: found no NAME, expected a preset to draw"),
        (["pcm-joshi", "--plot", "a.gif"], "ends in '.gif', expected .pdf, .svg or .png"),
        (["pcm-joshi", "--plot", "a"], "ends in '', expected .pdf, .svg or .png"),
        (["pcm-josh", "--plot", "a.pdf"], "did you mean pcm-joshi"),
        (["ideal", "--plot", "a.pdf"], "found ideal, which has no law and a linear cell"),
        (["pcm-joshi", "--plot", "none/a.pdf"], "lies in a folder that does not exist"),
        (["pcm-joshi", "--plot", "."], "is a folder, expected a file name"),
        (["mine.yaml", "--plot", "mine.yaml"], "is another file of this command as well"),
        (["broken.yaml", "--plot", "a.pdf"], "preset file broken.yaml: laws.write_error: coeff"),
    ],
)
def test_a_figure_that_can_not_be_drawn_is_refused_in_one_sentence(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "rxsim/devices/presets/pcm-joshi.yaml").read_text()
    Path("mine.yaml").write_text(text)
    Path("broken.yaml").write_text(text.replace("coefficients", "coeffs"))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    result = run(*arguments)
    assert isinstance(result.exception, RxsimError)
    assert result.exception.exit_code == 2
    assert words in str(result.exception)
    assert "\n" not in str(result.exception)
    assert result.output == ""
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pcm-nandakumar", "device.time: counts from the first read, 20 s after programming"),
        ("pcm-hermes", "device.time: counts from the first read, 5 min after programming"),
        ("rram-wan", "device.time: 0 means the same as 1 s"),
        ("sonos-agrawal-aged", None),  # it has a row for time 0
        ("pcm-joshi", None),
    ],
)
def test_a_preset_says_what_time_0_is(name: str, words: str | None) -> None:
    text = CliRunner().invoke(root, ["presets", name]).output
    assert ("device.time: " in text) == (words is not None)
    assert (words or "") in text
