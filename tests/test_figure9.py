"""scripts/figure9.py on shipped networks: its table against onnxruntime and stored hits; resuming."""

from __future__ import annotations

import csv
import importlib
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import onnxruntime
import pytest
from imported_scripts import imported
from scipy import stats

ROOT = Path(__file__).resolve().parents[1]
SIZES = (16, 64)
CHIPS = 2
QUICK = ("--quick", "--networks", "digits_mlp", "--limit", "540")


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """scripts/figure9.py, and the files beside it."""
    with imported("figure9") as scripts:
        yield scripts["figure9"]


@pytest.fixture(scope="module")
def folder(script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the MLP on all its test images, two chips of two sizes of arrays."""
    path: Path = tmp_path_factory.mktemp("figure9")
    script.main(["-o", str(path), *QUICK])
    return path


def table_of(folder: Path) -> list[Mapping[str, str]]:
    with (folder / "table.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def stored(folder: Path) -> list[tuple[int, int, float, bytes, str]]:
    """Return rows, chip, accuracy, hits and time of every stored chip."""
    with sqlite3.connect(folder / "figure9.sqlite") as results:
        return results.execute(
            "SELECT json_extract(points.settings, '$.crossbar.rows'), trial, accuracy, hits, finished "
            "FROM trials JOIN points ON points.id = trials.point ORDER BY 1, 2"
        ).fetchall()


def hits(packed: bytes, images: int) -> np.ndarray:
    return np.unpackbits(np.frombuffer(packed, np.uint8), count=images).astype(float)


def test_float32_is_onnxruntimes(folder: Path) -> None:
    with np.load(ROOT / "models" / "digits_test.npz") as data:
        images, labels = data["x"].astype(np.float32) * 0.0625, data["y"]
    session = onnxruntime.InferenceSession(ROOT / "models" / "digits_mlp.onnx")
    (name,) = [each.name for each in session.get_inputs()]
    (outputs,) = session.run(None, {name: images.reshape(len(images), 1, 8, 8)})
    wanted = float((np.asarray(outputs).argmax(1) == labels).mean())
    table = table_of(folder)
    assert [int(row["rows_and_cols"]) for row in table] == list(SIZES)
    for row in table:
        assert (int(row["images"]), int(row["chips"])) == (len(labels), CHIPS)
        assert float(row["float32"]) == pytest.approx(wanted, abs=1e-12)


def test_means_and_intervals_are_those_of_the_chips(folder: Path) -> None:
    chips = stored(folder)
    for row in table_of(folder):
        means = [value for size, _, value, _, _ in chips if size == int(row["rows_and_cols"])]
        assert len(means) == CHIPS
        half = stats.t.ppf(0.975, CHIPS - 1) * np.std(means, ddof=1) / np.sqrt(CHIPS)
        mean = float(np.mean(means))
        assert float(row["crossbars"]) == pytest.approx(mean, abs=1e-12)
        assert float(row["low_these_images"]) == pytest.approx(max(mean - half, 0), abs=1e-9)
        assert float(row["high_these_images"]) == pytest.approx(min(mean + half, 1), abs=1e-9)
        assert float(row["low_new_images"]) <= float(row["low_these_images"])
        assert float(row["processor_seconds"]) > 0
        assert float(row["megabytes"]) > 50  # no Python with numpy and onnxruntime takes less


def test_the_change_is_paired_over_the_same_images(folder: Path) -> None:
    table = {
        size: np.stack(
            [hits(packed, 540) for rows, _, _, packed, _ in stored(folder) if rows == size]
        )
        for size in SIZES
    }
    change = 100 * float((table[64] - table[16]).mean())
    line = (folder / "changes.md").read_text(encoding="utf-8").splitlines()[2]
    assert line.startswith(f"| digits MLP | 16x16 | 64x64 | {change:+.1f} | ")


def test_the_figure_is_a_picture(folder: Path) -> None:
    root = ElementTree.parse(folder / "figure9.svg").getroot()
    assert root.tag.endswith("svg")
    assert len((folder / "table.md").read_text(encoding="utf-8").splitlines()) == 2 + len(SIZES)


def test_what_is_there_is_not_computed_again(
    script: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, table = stored(folder), (folder / "table.csv").read_bytes()
    picture = (folder / "figure9.svg").read_bytes()
    monkeypatch.setattr(
        "figure9_record.measured", lambda command: pytest.fail(f"{command} was run")
    )
    script.main(["-o", str(folder), *QUICK])
    assert stored(folder) == before
    assert (folder / "table.csv").read_bytes() == table
    assert (folder / "figure9.svg").read_bytes() == picture


def test_a_missing_chip_is_seen(script: ModuleType, folder: Path, tmp_path: Path) -> None:
    copy = script.Record(tmp_path)
    copy.results.write_bytes((folder / "figure9.sqlite").read_bytes())
    rows = script.rows_wanted(script.arguments(["-o", str(tmp_path), *QUICK]))
    assert all(copy.is_whole(row) for row in rows)
    with sqlite3.connect(copy.results) as results:
        results.execute("DELETE FROM trials WHERE trial = 1 AND point = 1")
    assert [copy.is_whole(row) for row in rows].count(False) == 1


def test_a_row_is_what_was_asked_for_last(
    script: ModuleType, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other images give other rows; rows that a command does not name stay in the tables."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    words = ["-o", str(tmp_path), "--quick", "--networks", "digits_mlp", "--sizes", "16"]
    before = table_of(folder)

    script.main([*words, "--limit", "30"])
    other, same = table_of(tmp_path)
    assert (other["images"], other["rows_and_cols"]) == ("30", "16")
    assert same == before[1]
    changed = (tmp_path / "changes.md").read_text(encoding="utf-8").splitlines()
    assert len(changed) == 2  # rows of other images have no differences

    monkeypatch.setattr(
        "figure9_record.measured", lambda command: pytest.fail(f"{command} was run")
    )
    script.main([*words, "--limit", "540"])
    again = table_of(tmp_path)
    spent = ("processor_seconds", "megabytes")
    assert [{**row, **dict.fromkeys(spent)} for row in again] == [
        {**row, **dict.fromkeys(spent)} for row in before
    ]


def test_a_network_of_ones_own(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "hardware.yaml"
    config.write_text("device: {n_bits: 4}\nadc: {n_bits: null}\n", encoding="utf-8")
    models = ROOT / "models"
    script.main(
        [
            *("-o", str(tmp_path / "out"), "--config", str(config), "--sizes", "32"),
            *(
                "--model",
                str(models / "digits_mlp.onnx"),
                "--card",
                str(models / "digits_mlp.yaml"),
            ),
            *("--data", str(models / "digits_test.npz"), "--limit", "40"),
        ]
    )
    (row,) = table_of(tmp_path / "out")
    assert (row["network"], row["images"], row["variant"]) == ("digits_mlp (file)", "40", "plain")
    assert row["weights"] == row["ideal"]  # without converters these are alike
    assert "| digits_mlp | 40, 1 | 32x32 |" in capsys.readouterr().out


def test_no_change_is_no_proof(script: ModuleType) -> None:
    """Where all of n images are decided alike, p of new ones are not: (1 - p)^n = 0.025."""
    span = importlib.import_module("figure9_shown")._change_span
    low, high = map(float, span(np.zeros((3, 100))).split(" .. "))
    assert high == -low
    assert (1 - high / 100) ** 100 == pytest.approx(0.025, rel=0.06)  # one digit is shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--networks", "digits_mpl"], "digits_mpl, expected some of digits_mlp"),
        (["--networks", "resnet20"], "set RXSIM_ASSETS"),
        (["--sizes", "16,x"], "expected whole numbers"),
        (["--sizes", "16,,64"], "expected whole numbers"),
        (["--limit", "0"], "expected a whole number above 0"),
        (["--memory", "3 bananas"], "expected a size"),
        (["--retrained", "digits_mlp=x.onnx"], "NETWORK:SIZE=FILE"),
        (["--retrained", "digits_mlp:16=no.onnx"], "no.onnx"),
        (["--retrained", "digits_mlp:16=models/digits_cnn.onnx"], "found another network"),
        (["--retrained", "digits_mlp:16=README.md"], "expected an ONNX file"),
        (["--data", "models/digits_test.npz"], "--data: found no --model beside it"),
        (["--model", "no.onnx"], "--model: found nothing at no.onnx"),
        (["-o", "README.md"], "expected a folder"),
        (["-o", "/proc/nope"], "expected a folder"),
    ],
)
def test_what_cant_be_used_is_told(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    told: str,
) -> None:
    monkeypatch.delenv("RXSIM_ASSETS", raising=False)
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as end:
        script.main(["-o", str(tmp_path / "out"), "--quick", *words])
    assert end.value.code == 2
    assert told in capsys.readouterr().err


def test_a_damaged_list_of_rows_is_told(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.json").write_text('[{"row": 1}]', encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        script.main(["-o", str(tmp_path), "--show"])
    assert end.value.code == 2
    assert "rows.json" in capsys.readouterr().err


@pytest.mark.slow
def test_all_shipped_networks(script: ModuleType, tmp_path: Path) -> None:
    script.main(["-o", str(tmp_path), "--quick", "--compensate-at", "64"])
    table = table_of(tmp_path)
    assert len(table) == 5 * 3  # one network has two scopes of the largest weight
    for row in table:
        assert float(row["crossbars"]) > 0.9, row  # small networks hardly lose anything here
