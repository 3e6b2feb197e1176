"""`rxsim results` from outside: read back with the csv, json, sqlite3 and pyarrow modules."""

import csv
import importlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from stored import failed_of, key_of, plain_rows, point_of, trial_of

from rxsim import cli
from rxsim.report.results_table import print_summary
from rxsim.store import open_results, summarise

Outcome = tuple[int, str, str]


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli._COMMANDS, "results", ("rxsim.commands.results", ""))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Three points with three chips, one of them failed twice for a reason with markup in it."""
    path = tmp_path / "r.db"
    with open_results(path, write=True) as results:
        for bits in (10, 4, 6):
            plain = {
                "adc": {"n_bits": bits, "range": "=1+1"},
                "device": {"g_on": 1 / (3e5 * bits), "iv": {"v": [0.0, 0.1]}, "on": bits > 4},
                "seed": 2**60,
            }
            point = point_of(bits, settings=plain, model="=HYPERLINK(1).onnx")
            for number in range(3):
                results.add(point, trial_of(point, number, seconds=1 / bits, mse=math.inf))
            if bits == 6:
                for number in (3, 4):
                    results.add(point, failed_of(point, number, "[red]layer[/red]\x1b[31m is out"))
        results.add_sweep("few", "axes: 1", [key_of(6), key_of(4)])
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Outcome:
    with pytest.raises(SystemExit) as stop:
        cli.main(["results", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert err.count("\n") == (stop.value.code != 0)
    assert isinstance(stop.value.code, int)
    return stop.value.code, out, err


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    return out


def means(path: Path) -> dict[int, float]:
    """Mean accuracy by bits, with plain SQL on the tables."""
    sql = (
        "SELECT json_extract(settings, '$.adc.n_bits'), avg(accuracy) FROM trials JOIN points "
        "ON points.id = trials.point WHERE status = 'done' GROUP BY 1"
    )
    return dict(plain_rows(path, sql))


def cells(out: str) -> list[list[str]]:
    lines = [line for line in out.splitlines() if line.startswith(("│", "┃"))]
    return [
        [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")] for line in lines
    ]


def test_show_prints_a_line_a_point(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = answer(capsys, "show", made)
    head, *rows = cells(out)
    assert head == [
        *("adc.n_bits", "device.g_on", "device.on", "done", "failed", "accuracy", "std"),
        *("95 %", "s/trial"),
    ]
    assert [row[0] for row in rows] == ["4", "6", "10"]
    assert [row[3:5] for row in rows] == [["3", "-"], ["3", "2"], ["3", "-"]]
    expected = means(made)
    assert [row[5] for row in rows] == [f"{expected[bits]:.4f}" for bits in (4, 6, 10)]
    assert "3 points, 9 trials done, 2 failed; =HYPERLINK(1).onnx on test" in out
    assert r"Failed, 2 trials: [red]layer[/red]\x1b[31m is out" in out
    assert "\x1b" not in out
    few = cells(answer(capsys, "show", made, "--sweep", "few"))
    assert [row[0] for row in few[1:]] == ["6", "4"]


def test_show_sorts_and_takes_the_best(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def bits(*options: str) -> list[int]:
        document = json.loads(answer(capsys, "show", made, "--json", *options))
        return [point["values"]["adc.n_bits"] for point in document["points"]]

    by_mean = sorted(means(made), key=lambda n: -means(made)[n])
    assert bits("--top", "2") == by_mean[:2]
    assert bits("--sort", "mean") == by_mean
    assert bits("--sort=-mean") == by_mean[::-1]
    assert bits("--sort", "adc.n_bits") == [4, 6, 10]
    assert bits("--sort=-adc.n_bits", "--top=1") == [10]
    assert bits("--sort=seconds") == [10, 6, 4]
    code, _, err = run(capsys, "show", made, "--sort", "adc.bits")
    assert (code, "did you mean adc.n_bits" in err) == (2, True)
    assert run(capsys, "show", made, "--quantity", "snr")[0] == 2
    assert run(capsys, "show", made, "--sweep", "fewer")[0] == 2


def test_show_never_cuts_results_and_names_the_settings_that_it_drops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wide.db"
    names = [f"a_setting_{number:02d}" for number in range(9)]
    with open_results(path, write=True) as results:
        for bits in (4, 6):
            point = point_of(bits, settings={"some": dict.fromkeys(names, bits)})
            for number in range(3):
                results.add(point, trial_of(point, number))
    out = answer(capsys, "show", path)
    assert max(map(len, out.splitlines()[1:-1])) <= 120
    head, *rows = cells(out)
    kept = [name for name in head if name.startswith("some.")]
    assert 0 < len(kept) < 9
    assert kept == [f"some.{name}" for name in names[-len(kept) :]]
    left = ", ".join(f"some.{name}" for name in names[: -len(kept)])
    assert f"Also vary: {left}; --json or a wider terminal shows them.\n" in out
    assert head[-6:] == ["done", "failed", "accuracy", "std", "95 %", "s/trial"]
    document = json.loads(answer(capsys, "show", path, "--json"))
    for row, point in zip(rows, document["points"], strict=True):
        low, high = point["interval"]
        assert row[-4] == f"{point['mean']:.4f}"
        assert row[-2] == f"{low:.4f} .. {high:.4f}"
        assert len(point["values"]) == 9
    with open_results(path) as results:
        summary = summarise(results)
    console = Console(width=30, file=io.StringIO())
    print_summary(summary, summary.points, [], console=console)
    narrow = console.file.getvalue()  # type: ignore[attr-defined]
    assert cells(narrow) == [line[-6:] for line in (head, *rows)]


def test_show_sorts_by_what_is_tied_to_an_axis(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tied.db"
    points = [point_of(n, settings={"adc": {"n_bits": n}}) for n in (4, 6)]
    with open_results(path, write=True) as results:
        for point in points:
            results.add(point, trial_of(point, 0))
        axes = [{"config": "z"}, {"config": "a"}]
        results.add_sweep("s", "x: 1", [point.key for point in points], axes)
    assert cells(answer(capsys, "show", path))[0][0] == "config"
    document = json.loads(answer(capsys, "show", path, "--json", "--sort=-adc.n_bits"))
    assert (document["names"], document["more"]) == (["config"], ["adc.n_bits"])
    assert [point["values"]["config"] for point in document["points"]] == ["a", "z"]


def test_show_as_json_has_the_numbers(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(answer(capsys, "show", made, "--json"))
    expected = means(made)
    for point in document["points"]:
        assert point["mean"] == pytest.approx(expected[point["values"]["adc.n_bits"]], rel=1e-12)
        low, high = point["interval"]
        assert low < point["mean"] < high
    assert document["failures"] == [{"error": "[red]layer[/red]\x1b[31m is out", "trials": 2}]
    infinite = json.loads(answer(capsys, "show", made, "--json", "--quantity", "mse"))
    assert {point["mean"] for point in infinite["points"]} == {None}


def test_show_leaves_out_what_nobody_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.db"
    with open_results(path, write=True) as results:
        assert "No trials yet." in answer(capsys, "show", path)
        for bits in range(45):
            point = point_of(bits)
            results.add(point, trial_of(point, 0) if bits < 37 else failed_of(point, 0, f"e{bits}"))
    out = answer(capsys, "show", path)
    assert len(cells(out)) == 1 + 40
    assert "5 more points; --all shows them" in out
    assert "Failed, 1 trial: e41" in out
    assert "e42" not in out
    assert "Failed for 3 other reasons: 3 trials" in out
    assert len(cells(answer(capsys, "show", path, "--all"))) == 1 + 45
    assert len(cells(answer(capsys, "show", path, "--top", "42"))) == 1 + 42


def test_query_reads_the_view(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = (
        "SELECT json_extract(settings, '$.adc.n_bits') AS bits, avg(accuracy) AS mean, "
        "count(*) AS trials FROM results WHERE status = 'done' GROUP BY bits"
    )
    lines = answer(capsys, "query", made, sql, "--json").splitlines()
    expected = [{"bits": bits, "mean": mean, "trials": 3} for bits, mean in means(made).items()]
    assert [json.loads(line) for line in lines] == expected
    table = cells(answer(capsys, "query", made, sql))
    assert table[0] == ["bits", "mean", "trials"]
    assert [row[0] for row in table[1:]] == ["4", "6", "10"]
    (line,) = answer(
        capsys, "query", made, "SELECT x'00ff' AS b, 9e999 AS i", "--json"
    ).splitlines()
    assert json.loads(line) == {"b": "00ff", "i": None}
    assert "0 rows." in answer(capsys, "query", made, "SELECT * FROM results WHERE 0")
    many = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1500) SELECT i FROM n"
    out = answer(capsys, "query", made, many)
    assert (len(cells(out)), "The first 1,000 rows" in out) == (1001, True)
    assert len(answer(capsys, "query", made, many, "--json").splitlines()) == 1500


@pytest.mark.parametrize(
    "sql",
    [
        *("DELETE FROM trials", "DROP TABLE trials", "UPDATE trials SET accuracy = 1"),
        *("PRAGMA user_version = 9", "PRAGMA query_only = OFF", "VACUUM", "VACUUM INTO 'copy.db'"),
        *(
            "ATTACH 'new.db' AS n",
            "CREATE TEMP TABLE t (x)",
            "BEGIN",
            "SELECT 1; DELETE FROM trials",
        ),
        *(
            "INSERT INTO results VALUES (1)",
            "nonsense",
            "SELECT nothing FROM results",
            "",
            "-- none",
        ),
        *("SELECT load_extension('x')", "SELECT json_extract('{', '$')", "SELECT '\ud800'"),
    ],
)
def test_query_refuses_what_it_can_not_answer(
    made: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    monkeypatch.chdir(made.parent)
    before = made.read_bytes()
    code, out, err = run(capsys, "query", made, sql)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "Traceback" not in err
    assert "internal error" not in err
    assert made.read_bytes() == before
    assert [path.name for path in made.parent.iterdir()] == ["r.db"]


def expected_rows(path: Path) -> list[dict[str, Any]]:
    """Every trial with plain SQL, settings by hand."""
    names = (
        "key",
        "trial",
        "status",
        "accuracy",
        "snr_db",
        "seconds",
        "error",
        "images",
        "settings",
    )
    sql = (
        "SELECT trials.key, trial, status, accuracy, snr_db, seconds, error, images, settings "
        "FROM trials JOIN points ON points.id = trials.point ORDER BY points.key, trial"
    )
    rows = [dict(zip(names, row, strict=True)) for row in plain_rows(path, sql)]
    for row in rows:
        plain = json.loads(row.pop("settings"))
        row.update({"adc.n_bits": plain["adc"]["n_bits"], "adc.range": plain["adc"]["range"]})
        row.update({"device.g_on": plain["device"]["g_on"], "device.on": plain["device"]["on"]})
        row.update({"device.iv.v": plain["device"]["iv"]["v"], "seed": plain["seed"]})
    return rows


def test_export_writes_every_trial_with_all_digits(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = expected_rows(made)
    assert len(expected) == 11
    out = made.with_name("out.csv")
    assert "11 trials" in answer(capsys, "export", made, "-o", out)
    found = list(csv.DictReader(io.StringIO(out.read_bytes().decode(), newline="")))
    for row, want in zip(found, expected, strict=True):
        for name in ("accuracy", "snr_db", "device.g_on", "seconds"):
            assert (float(row[name]) if row[name] else None) == want[name]
        assert (int(row["adc.n_bits"]), int(row["seed"])) == (want["adc.n_bits"], 2**60)
        assert (row["key"], row["status"]) == (want["key"], want["status"])
        assert json.loads(row["device.iv.v"]) == want["device.iv.v"]
        assert row["device.on"] == ("true" if want["device.on"] else "false")
        # Nothing that a spreadsheet would run; numbers keep their sign.
        assert (row["model"], row["adc.range"]) == ("'=HYPERLINK(1).onnx", "'=1+1")
        assert (row["data"], row["data_sha256"], row["metric"]) == ("test", "b" * 64, "top1")
    out = made.with_name("out.jsonl")
    answer(capsys, "export", made, "-o", out)
    for line, want in zip(out.read_text().splitlines(), expected, strict=True):
        row = json.loads(line)
        assert {name: row[name] for name in want} == want
        assert (row["model"], row["mse"]) == ("=HYPERLINK(1).onnx", None)


def test_export_writes_parquet_with_types(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = made.with_name("out.parquet")
    answer(capsys, "export", made, "-o", out)
    table = parquet.read_table(out)
    for row, want in zip(table.to_pylist(), expected_rows(made), strict=True):
        want["device.iv.v"] = json.dumps(want["device.iv.v"])
        assert {name: row[name] for name in want} == want
        assert row["mse"] == (math.inf if want["status"] == "done" else None)
    kinds = {name: str(table.schema.field(name).type) for name in table.schema.names}
    wanted = {
        "adc.n_bits": "int64",
        "device.g_on": "double",
        "device.on": "bool",
        "model": "string",
    }
    assert {name: kinds[name] for name in wanted} == wanted


def test_export_says_what_is_missing(
    made: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made.parent
    before = made.read_bytes()
    for output, words in (
        (folder / "out.xlsx", "expected .csv, .jsonl, .parquet"),
        (folder / "no" / "out.csv", "does not exist"),
    ):
        code, _, err = run(capsys, "export", made, "-o", output)
        assert (code, words in err) == (2, True)
    odd = made.rename(folder / "r.csv")
    assert run(capsys, "export", odd, "-o", odd)[0] == 2
    assert odd.read_bytes() == before
    real = importlib.import_module

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    code, _, err = run(capsys, "export", odd, "-o", folder / "out.parquet")
    assert (code, "pip install pyarrow" in err) == (2, True)
    assert [path.name for path in folder.iterdir()] == ["r.csv"]


def test_merge_tells_what_it_did(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    into = made.with_name("all.db")
    assert "new: 3 points and 11 trials;" in answer(capsys, "merge", into, made)
    out = answer(capsys, "merge", into, made, made)
    assert "new: 0 points and 0 trials; replaced: 0 failed trials; there already: 22 trials" in out
    assert means(into) == means(made)
    other = made.with_name("other.db")
    point = point_of(6)
    with open_results(other, write=True) as results:
        results.add(point, trial_of(point, 0, accuracy=float(np.nextafter(0.5, 1))))
    code, _, err = run(capsys, "merge", into, other)
    assert (code, key_of(point.key, 0) in err) == (2, True)
    assert len(plain_rows(into, "SELECT * FROM trials")) == 11
    assert run(capsys, "merge", into)[0] == 2
    assert run(capsys, "merge", into, made.with_name("none.db"))[0] == 2
