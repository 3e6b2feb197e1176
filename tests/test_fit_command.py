"""`rxsim fit`: tables as laboratories write them, files, and one sentence for what can't be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from measured_tables import drifting_table, normal_table, write_csv

import rxsim
from rxsim.cli import main
from rxsim.config import Device
from rxsim.fitting.columns import find_columns
from rxsim.fitting.units import conductance_unit, in_siemens, time_unit

LEVELS = np.linspace(2, 20, 5)
TABLE = normal_table(3, LEVELS, 20, [0.3, 0.02])
TARGET, ACHIEVED = TABLE["target_uS"], TABLE["achieved_uS"]


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "data.csv", TABLE)


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["fit", *map(str, words)])
    shown = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, shown.out, shown.err


def preset_of(path: Path) -> dict[str, Any]:
    values = yaml.safe_load(path.read_text())
    assert isinstance(values, dict)
    return values


def laws_of(path: Path) -> dict[str, Any]:
    laws = preset_of(path)["laws"]
    assert isinstance(laws, dict)
    return laws


# What it writes and prints


def test_it_writes_a_preset_a_figure_and_numbers_and_says_what_is_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = drifting_table(
        2, LEVELS, 60, nu=(0.05, 0.01), times=[10, 1e3, 1e5], t0=20, noise=0.02, reads=2
    )
    data = write_csv(tmp_path / "pcm.csv", table)
    output, plot, numbers = (tmp_path / name for name in ("pcm.yaml", "pcm.png", "pcm.json"))
    words = (data, "-o", output, "--plot", plot, "--json", numbers)
    code, out, err = run(capsys, *words)
    assert (code, err) == (0, "")
    assert f"Next, with your network: rxsim eval NETWORK.onnx --set device.model={output}" in out
    assert "300 programmed cells, 2 to 20 uS" in out
    assert plot.read_bytes().startswith(b"\x89PNG")
    values = json.loads(numbers.read_text())
    assert values["write_error"]["sigma"]["form"] in output.read_text() or values["source"]
    preset = preset_of(output)
    assert preset["status"] == "measured"
    assert preset["source"].startswith("pcm.csv, sha256 ")
    assert (preset["range"], preset["times"]) == (
        {"low": 2, "high": 20},
        {"low": 10, "high": 1e5},
    )
    assert set(preset["laws"]) == {"write_error", "drift", "read_noise"}
    text = output.read_text()
    assert "# +- [" in text
    assert "Anderson-Darling" in text
    assert "R2 of ln(G(t) / G)" in text
    assert Device(model=str(output), time=1e4).g_on == pytest.approx(20e-6)
    before = [path.read_bytes() for path in (output, plot, numbers)]
    assert run(capsys, *words)[0] == 0  # again: nothing in the files is of the moment
    assert [path.read_bytes() for path in (output, plot, numbers)] == before


def test_json_goes_to_standard_output_alone(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, csv, "-o", csv.with_suffix(".yaml"), "--json", "-")
    assert code == 0
    values = json.loads(out)
    assert values["range"] == {"low": 2, "high": 20}
    assert values["curves"]["conductances"] == LEVELS.tolist()
    assert values["drift"] is None


def test_python_does_the_same_and_prints_the_table(
    csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = csv.with_name("command.yaml"), csv.with_name("python.yaml")
    assert run(capsys, csv, "-o", first)[0] == 0
    fit = rxsim.fit(csv, second, plot=csv.with_name("python.svg"))
    assert second.read_text() == first.read_text() == fit.preset
    assert "sigma, uS" in repr(fit)
    assert "<table>" in fit._repr_html_()
    assert fit.as_json()["levels"] == 5
    memory = rxsim.fit({"target_uS": TARGET.tolist(), "achieved_uS": ACHIEVED})
    assert memory.as_json()["curves"] == fit.as_json()["curves"]


# Tables as they come


def as_text(
    header: str, *columns: np.ndarray, separator: str = ",", before: str = "", end: str = "\n"
) -> bytes:
    rows = [
        separator.join(map(repr, row)) for row in zip(*(c.tolist() for c in columns), strict=True)
    ]
    return (before + end.join([header, *rows]) + end).encode()


FORMS: dict[str, tuple[bytes, list[str]]] = {
    "units in brackets": (as_text("G_target [uS],G_achieved [uS]", TARGET, ACHIEVED), []),
    "units in parentheses": (as_text("Target (uS),Measured (µS)", TARGET, ACHIEVED), []),
    "siemens": (as_text("target S,achieved/S", TARGET * 1e-6, ACHIEVED * 1e-6), []),
    "mixed units": (as_text("target_nS,achieved_mS", TARGET * 1e3, ACHIEVED / 1e3), []),
    "kilohms": (as_text("target_kohm,achieved (kΩ)", 1e3 / TARGET, 1e3 / ACHIEVED), []),
    "a unit by option": (as_text("target,achieved", TARGET, ACHIEVED), ["--unit", "us"]),
    "other columns": (
        as_text("die,achieved_uS,note,target_uS", TARGET * 0, ACHIEVED, TARGET * 0, TARGET),
        [],
    ),
    "names by option": (
        as_text("wanted,got", TARGET, ACHIEVED),
        ["--target", "WANTED", "--achieved", "got", "--unit", "uS"],
    ),
    "numbers by option, no header": (
        as_text("7,2.0,2.1", TARGET * 0, TARGET, ACHIEVED),
        ["--target", "2", "--achieved", "3", "--unit", "uS"],
    ),
    "semicolons": (as_text("target_uS;achieved_uS", TARGET, ACHIEVED, separator=";"), []),
    "tabs": (as_text("target_uS\tachieved_uS", TARGET, ACHIEVED, separator="\t"), []),
    "a byte-order mark": (as_text("\ufefftarget_uS,achieved_uS", TARGET, ACHIEVED), []),
    "comments and empty lines": (
        as_text("target_uS,achieved_uS", TARGET, ACHIEVED, before="# wafer 3\n\n  # die 4\n"),
        [],
    ),
    "lines of Windows": (as_text("target_uS,achieved_uS", TARGET, ACHIEVED, end="\r\n"), []),
    "quoted fields": (as_text('"target, uS","achieved, uS"', TARGET, ACHIEVED), ["--target", "1",
        "--achieved", "2", "--unit", "uS"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Coefficients of the table in microsiemens, written plainly."""
    folder = tmp_path_factory.mktemp("plain")
    with pytest.raises(SystemExit) as end:
        main(["fit", str(write_csv(folder / "data.csv", TABLE)), "-o", str(folder / "plain.yaml")])
    assert end.value.code == 0
    return laws_of(folder / "plain.yaml")["write_error"]["coefficients"]


@pytest.mark.parametrize("name", FORMS)
def test_a_table_in_any_form_gives_the_same_numbers(
    name: str, tmp_path: Path, expected: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    content, words = FORMS[name]
    other, made = tmp_path / "other.txt", tmp_path / "made.yaml"
    other.write_bytes(content)
    code, _, err = run(capsys, other, "-o", made, *words)
    assert (code, err) == (0, "")
    unit = {"microsiemens": 1.0, "nanosiemens": 1e-3}[preset_of(made)["unit"]]
    found = np.array(laws_of(made)["write_error"]["coefficients"]) * unit
    # A row more or less: the form without a header holds one more.
    assert found == pytest.approx(expected, rel=0.2 if "no header" in name else 1e-5)


def test_units_are_those_of_si() -> None:
    assert [conductance_unit(u) for u in ("us", "µS", "kOhm", "Mohm", "mohm", "V")] == [
        *("uS", "uS", "kohm", "Mohm"),
        *(None, None),
    ]
    assert in_siemens(np.array([200.0]), "kohm") == pytest.approx(5e-6)
    assert [time_unit(u) for u in ("s", "min", "H", "d", "hours", "parsec")] == [
        *(1, 60, 3600, 86400, 3600),
        None,
    ]


def test_columns_are_known_by_their_usual_names() -> None:
    header = ["Cell ID", "G_set (uS)", "G [uS]", "t (h)", "G_read_uS"]
    columns = find_columns(header, "data")
    assert [columns[role].place for role in ("cell", "target", "achieved", "time", "read")] == [
        *range(5)
    ]
    assert columns["time"].seconds == 3600


def test_more_names_are_known_and_give_way_to_the_usual_ones() -> None:
    columns = find_columns(["G_desired (uS)", "G_meas (uS)", "Cell no"], "data")
    assert [columns[role].place for role in ("target", "achieved", "cell")] == [0, 1, 2]
    columns = find_columns(["final_uS", "measured_uS", "nominal_uS", "goal_uS"], "data")
    assert [columns[role].place for role in ("target", "achieved")] == [3, 1]


# What can't be


def spoiled(place: int, value: float, column: str = "achieved_uS") -> bytes:
    table = {name: values.copy() for name, values in TABLE.items()}
    table[column][place] = value
    return as_text(",".join(table), *table.values())


def few_of_a_level() -> bytes:
    rows = np.concatenate([np.arange(80), [80]])
    return as_text("target_uS,achieved_uS", TARGET[rows], ACHIEVED[rows])


GOOD = as_text("target_uS,achieved_uS", TARGET, ACHIEVED)
NAMED = "target_uS,achieved_uS"
BAD: dict[str, tuple[bytes, list[str], str]] = {
    "empty": (b"", [], "is empty, expected a header with target and achieved"),
    "comments only": (b"# nothing\n", [], "is empty, expected a header"),
    "header only": (b"target_uS,achieved_uS\n", [], "holds a header and no row"),
    "one row": (b"target_uS,achieved_uS\n1,1.1\n", [], "found 1 row, expected at least 20"),
    "no text": (b"\xff\xfe\x00\x01", [], "is not UTF-8 text"),
    "zero bytes": (b"a\0b,c\n", [], "holds zero bytes"),
    "NaN": (spoiled(3, np.nan), [], "line 5: found nan in the column 'achieved_uS'"),
    "infinite": (
        spoiled(3, np.inf, "target_uS"),
        [],
        "line 5: found inf in the column 'target_uS'",
    ),
    "negative": (
        spoiled(7, -1.0),
        [],
        "line 9: found -1 in the column 'achieved_uS', expected a finite conductance of 0 or above; "
        "subtract the instrument's offset from all rows, and write 0 where",
    ),
    "words": (GOOD.replace(b"2.0,", b"two,", 1), [], "line 2: found 'two' in the column"),
    "decimal commas": (
        as_text(NAMED.replace(",", ";"), TARGET, ACHIEVED, separator=";").replace(b".", b","),
        [],
        "write a decimal point, not a comma",
    ),
    "a missing field": (GOOD + b"3.0\n", [], "line 102: found 1 field, expected 2"),
    "a field more": (GOOD + b"3.0,2.0,1.0\n", [], "line 102: found 3 fields, expected 2"),
    "an open quotation": (
        GOOD + b'"3.0,2.0\n',
        [],
        "line 102: found a quotation that does not end",
    ),
    "no header": (GOOD.split(b"\n", 1)[1], [], "line 1: found numbers in the first line"),
    "no unit": (as_text("target,achieved", TARGET, ACHIEVED), [], "found no unit in the header"),
    "an unknown unit": (GOOD, ["--unit", "mho"], "--unit: found 'mho', expected one of S, mS, uS"),
    "another unit": (GOOD, ["--unit", "nS"], "says uS, --unit says nS"),
    "an unknown time unit": (GOOD, ["--time-unit", "x"], "--time-unit: found 'x'"),
    "a missing column": (as_text("target_uS,other", TARGET, ACHIEVED), [], "one called achieved"),
    "an unknown name": (GOOD, ["--target", "G"], "--target G: "),
    "the same column twice": (
        GOOD,
        ["--target", "2", "--achieved", "2"],
        "as target and as achieved",
    ),
    "two that may be it": (
        as_text("target_uS,measured_uS,actual_uS", TARGET, ACHIEVED, ACHIEVED),
        [],
        "each of which may be the achieved; say which with --achieved NAME",
    ),
    "ohms beside siemens": (
        as_text("target_uS,achieved_ohm", TARGET, 1e6 / ACHIEVED),
        [],
        "found conductances beside resistances",
    ),
    "a resistance of 0": (
        as_text("target_kohm,achieved_kohm", 1e3 / TARGET, 0 * ACHIEVED),
        [],
        "expected a finite resistance above 0",
    ),
    "too large a unit": (
        as_text("target_S,achieved_S", TARGET, ACHIEVED),
        [],
        "all are above 1 S (2 S first), expected those of memory cells; the unit is probably wrong",
    ),
    "too small a unit": (
        as_text("target_pS,achieved_pS", TARGET * 1e-6, ACHIEVED * 1e-6),
        [],
        "all are below 1 pS",
    ),
    "a single conductance above 1 S": (
        spoiled(7, 2e6),
        [],
        "line 9: found 2e+06 in the column 'achieved_uS', expected a conductance of a memory cell",
    ),
    "columns of different magnitude": (
        as_text("target_uS,achieved_mS", TARGET, ACHIEVED),
        [],
        "found achieved conductances that are 1e+03 times target",
    ),
    "readings of another magnitude": (
        as_text(f"{NAMED},read_nS,time_s", TARGET, ACHIEVED, ACHIEVED, TARGET),
        [],
        "found read conductances that are 0.001 times achieved",
    ),
    "a unit of time that is none": (
        as_text(f"{NAMED},time [fortnights],read_uS", TARGET, ACHIEVED, TARGET, ACHIEVED),
        [],
        "found 'fortnights' as the unit of times in the header 'time [fortnights]', expected one of",
    ),
    "a negative resistance": (
        as_text(
            "target_kohm,achieved_kohm", 1e3 / TARGET, np.where(TARGET > 2, 1e3 / ACHIEVED, -1)
        ),
        [],
        "convert to siemens, and subtract the instrument's offset",
    ),
    "a negative target": (spoiled(7, -1.0, "target_uS"), [], "correct or remove the line"),
    "one target": (
        as_text(NAMED, TARGET * 0 + 5, ACHIEVED),
        [],
        "found 5 uS as the target of every row, expected two targets",
    ),
    "targets as achieved": (as_text(NAMED, TARGET, TARGET), [], "found achieved equal to target"),
    "few rows of a level": (
        few_of_a_level(),
        [],
        "found 1 row of the level 20 uS (line 82), expected at least 5 rows a level",
    ),
    "a negative time": (
        as_text(f"{NAMED},time,read_uS", TARGET, ACHIEVED, TARGET * 0 - 1, ACHIEVED),
        [],
        "line 2: found -1 in the column 'time' (and in 99 more lines), expected a time",
    ),
    "a reading without time": (
        as_text(f"{NAMED},read_uS", TARGET, ACHIEVED, ACHIEVED),
        [],
        "found a column read without a time",
    ),
    "a read time of 0": (
        GOOD,
        ["--read-time", "0"],
        "--read-time: found 0, expected a time above 0",
    ),
    "a read time that is none": (GOOD, ["--read-time", "short"], "--read-time: found 'short'"),
    "a t0 without readings": (GOOD, ["--t0", "20s"], "found --t0 with readings that are not later"),
    "a bound too low": (GOOD, ["--outlier-bound", "1"], "--outlier-bound: found 1, expected 3"),
    "a bound that is none": (GOOD, ["--outlier-bound", "nan"], "--outlier-bound: found nan"),
    "an unknown choice": (GOOD, ["--outliers", "keep"], "--outliers: 'keep' is not one of"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_writes_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, words, wanted = BAD[name]
    data, output = tmp_path / "data.csv", tmp_path / "made.yaml"
    data.write_bytes(content)
    code, out, err = run(capsys, data, "-o", output, *words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert wanted in err
    assert [path.name for path in tmp_path.iterdir()] == ["data.csv"]


PLACES: dict[str, tuple[Callable[[Path], list[object]], str]] = {
    "no yaml": (lambda d: [d / "data.csv", "-o", d / "made.json"], "found the ending .json"),
    "no ending": (lambda d: [d / "data.csv", "-o", d / "made"], "found no ending"),
    "a folder": (lambda d: [d / "data.csv", "-o", d / "sub.yaml"], "is a folder"),
    "no folder": (lambda d: [d / "data.csv", "-o", d / "none" / "made.yaml"], "does not exist"),
    "the input": (lambda d: [d / "data.yaml", "-o", d / "data.yaml"], "is another file of this"),
    "the figure": (
        lambda d: [d / "data.csv", "-o", d / "made.yaml", "--plot", d / "made.txt"],
        "expected .png or .pdf or .svg",
    ),
    "the numbers": (
        lambda d: [d / "data.csv", "-o", d / "made.yaml", "--json", d / "made.yaml"],
        "is another file of this command",
    ),
    "no file": (lambda d: [d / "gone.csv", "-o", d / "made.yaml"], "can't be read: No such file"),
    "a folder as input": (lambda d: [d / "sub.yaml", "-o", d / "made.yaml"], "is a folder or a"),
}


@pytest.mark.parametrize("name", PLACES)
def test_places_that_can_not_be_are_refused(
    name: str, csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (csv.parent / "sub.yaml").mkdir()
    (csv.parent / "data.yaml").write_bytes(csv.read_bytes())
    words, wanted = PLACES[name]
    code, _, err = run(capsys, *words(csv.parent))
    assert code == 2
    assert wanted in err
    assert (csv.parent / "data.yaml").read_bytes() == csv.read_bytes()
    assert not (csv.parent / "made.yaml").exists()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"data": 3}, "data: found 3, expected a path"),
        ({"data": {"target_uS": [1, 2], "achieved_uS": [1]}}, "columns of different lengths"),
        ({"data": {}}, "columns of different lengths or none"),
        ({"data": {"target_uS": [[1]], "achieved_uS": [[1]]}}, "columns of different lengths"),
        ({"data": dict(TABLE), "t0": "1 h"}, "t0: found '1 h', expected a number"),
        ({"data": dict(TABLE), "unit": 3}, "unit: found 3, expected a unit as text"),
        ({"data": dict(TABLE), "outliers": "x"}, "--outliers: found 'x'"),
        ({"data": dict(TABLE), "output": "made.txt"}, "output made.txt: found the ending .txt"),
    ],
)
def test_python_refuses_with_the_same_words(given: dict[str, Any], wanted: str) -> None:
    with pytest.raises(rxsim.RxsimError) as error:
        rxsim.fit(**given)
    assert wanted in str(error.value)
