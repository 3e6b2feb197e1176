"""`rxsim check` from outside: verdicts, exit codes, the files it writes, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from markdown_it import MarkdownIt

from rxsim.cli import _COMMANDS, main
from rxsim.gate import (
    changes,
    read_baseline,
    read_cases,
    to_json,
)
from rxsim.gate.baseline import NamedHash

ROOT = Path(__file__).resolve().parents[1]
MLP = ROOT / "models" / "digits_mlp.onnx"
QUICK = {"crossbar": {"rows": 32, "cols": 32}, "device": {"write_sigma": 0.02}}


@pytest.fixture(autouse=True)
def no_github(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(_COMMANDS, "check", ("rxsim.commands.check", "A gate."))


def write_cases(folder: Path, **values: Any) -> Path:
    """One case, the perceptron on small arrays, unless `cases` says otherwise."""
    path = folder / "regress.yaml"
    whole = {
        "smallest_drop": 0.02,
        "trials": 3,
        "settings": QUICK,
        "cases": [{"name": "mlp", "model": str(MLP)}],
        **values,
    }
    path.write_text(yaml.safe_dump(whole))
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["check", *map(str, arguments)])
    out, err = capsys.readouterr()
    code = stop.value.code
    assert isinstance(code, int)
    return code, out, err


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline of the one case."""
    folder = tmp_path_factory.mktemp("gate")
    path = folder / "baseline.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(_COMMANDS, "check", ("rxsim.commands.check", "A gate."))
        with pytest.raises(SystemExit) as stop:
            main(["check", str(write_cases(folder)), "--baseline", str(path), "--update"])
    assert stop.value.code == 0
    return path


def test_nothing_changed_passes(
    tmp_path: Path, accepted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, write_cases(tmp_path), "--baseline", accepted, "--strict")
    assert (code, err) == (0, "")
    assert "1 of 1 case passed" in out
    assert "passed (same hits)" in out
    assert " .. " not in out


def test_the_same_baseline_is_written_again(
    tmp_path: Path, accepted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again.json"
    args = (write_cases(tmp_path), "--baseline", again, "--update", "--threads", 1)
    assert run(capsys, *args)[0] == 0
    assert again.read_bytes() == accepted.read_bytes()


def test_fewer_adc_bits_fail_and_every_report_says_so(
    tmp_path: Path,
    accepted: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    (tmp_path / "summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    cases = write_cases(tmp_path, settings={**QUICK, "adc": {"n_bits": 2}})
    junit, summary, whole = (tmp_path / name for name in ("j.xml", "s.md", "w.json"))
    code, out, err = run(
        capsys,
        *(cases, "--baseline", accepted, "--junit", junit),
        *("--markdown", summary, "--json", whole),
    )
    assert code == 1
    assert err.startswith("rxsim: found a lower accuracy in 1 of 1 case (mlp), expected none; ")
    assert err.count("\n") == 1
    assert "REGRESSION" in out
    assert "settings changed: adc.n_bits 6 -> 2" in out

    (suite,) = ElementTree.parse(junit).getroot()
    assert (suite.tag, suite.get("tests"), suite.get("failures")) == ("testsuite", "1", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("type") == "regression"
    assert "adc.n_bits 6 -> 2" in (failure.text or "")

    html = MarkdownIt("commonmark").enable("table").render(summary.read_text())
    assert html.count("<tr>") == 2  # the head and one case
    assert "settings changed: adc.n_bits 6 -&gt; 2" in html
    assert (tmp_path / "summary.md").read_text() == "before\n" + summary.read_text()

    (line,) = [line for line in out.splitlines() if line.startswith("::")]
    assert line.startswith("::error file=")
    assert "settings changed: adc.n_bits 6 -> 2" in line.split("%0A")

    (case,) = json.loads(whole.read_text())["cases"]
    assert (case["outcome"], case["fallen_rung"]) == ("regression", "ideal")
    drop = case["accuracy_before"] - case["accuracy_after"]
    assert drop == pytest.approx(case["drop"]["mean"], abs=1e-12)
    assert drop > 0.1


def test_other_chips_of_the_same_design_do_not_fail(
    tmp_path: Path, accepted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another seed programs other chips and draws other calibration images: real noise."""
    code, out, _ = run(capsys, write_cases(tmp_path, seed=1), "--baseline", accepted, "--json", "-")
    (case,) = json.loads(out)["cases"]
    assert code == 0
    assert case["outcome"] in ("passed", "undecided")
    assert case["drop"]["differing"] > 0
    assert "settings changed: seed 0 -> 1" in case["changes"]
    assert any(change.startswith("calibration data changed") for change in case["changes"])


def test_undecided_fails_only_with_strict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forty images and a slightly worse converter: neither can be proven."""
    baseline, junit = tmp_path / "b.json", tmp_path / "j.xml"
    few = {"limit": 40, "smallest_drop": 0.01}
    assert run(capsys, write_cases(tmp_path, **few), "--baseline", baseline, "--update")[0] == 0
    cases = write_cases(tmp_path, **few, settings={**QUICK, "adc": {"n_bits": 5}})
    code, out, err = run(capsys, cases, "--baseline", baseline, "--github", "--junit", junit)
    assert (code, err) == (0, "")
    assert "undecided" in out
    assert "would decide" in out
    assert "::warning file=" in out
    (suite,) = ElementTree.parse(junit).getroot()
    assert suite.find("testcase/skipped") is not None
    strictly = (cases, "--baseline", baseline, "--strict", "--junit", junit)
    code, _, err = run(capsys, *strictly)
    assert code == 1
    assert "undecided (mlp), expected none with --strict" in err
    (suite,) = ElementTree.parse(junit).getroot()
    assert suite.find("testcase/failure") is not None


def test_a_case_that_left_the_file_is_named_and_fails_with_strict(
    tmp_path: Path, accepted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (record,) = read_baseline(accepted).values()
    baseline = tmp_path / "b.json"
    baseline.write_text(to_json([replace(record, name="left out"), record]))
    junit, summary, whole = (tmp_path / name for name in ("j.xml", "s.md", "w.json"))
    given = (write_cases(tmp_path), "--baseline", baseline)
    outputs = ("--junit", junit, "--markdown", summary, "--json", whole, "--github")
    code, out, err = run(capsys, *given, *outputs)
    assert (code, err) == (0, "")
    said = "Not checked, though in the baseline: left out"
    assert "1 of 1 case passed, 1 not checked" in out
    assert f"{said}." in out.splitlines()
    (line,) = [line for line in out.splitlines() if line.startswith("::")]
    assert line.startswith("::warning file=")
    assert line.endswith(f"::{said}")
    assert f"{said}.</p>" in MarkdownIt("commonmark").render(summary.read_text())
    assert json.loads(whole.read_text())["unchecked"] == ["left out"]
    (suite,) = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("skipped")) == ("2", "1")
    assert suite.find("testcase[@name='left out']/skipped") is not None

    code, out, err = run(capsys, *given, "--strict", "--github")
    assert (code, err.count("\n")) == (1, 1)
    assert "found 1 case of the baseline that was not checked (left out), expected none" in err
    assert "::error file=" in out


def test_without_anything_random_one_chip_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = tmp_path / "b.json"
    plain = write_cases(tmp_path, settings={"crossbar": QUICK["crossbar"]})
    assert run(capsys, plain, "--baseline", baseline, "--update")[0] == 0
    (record,) = read_baseline(baseline).values()
    assert record.hits.shape == (1, 540)
    code, out, _ = run(capsys, write_cases(tmp_path), "--baseline", baseline)  # now random
    assert code == 0
    assert "device.write_sigma 0 -> 0.02" in out


def test_update_shows_old_and_new(
    tmp_path: Path, accepted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = tmp_path / "b.json"
    baseline.write_bytes(accepted.read_bytes())
    cases = write_cases(
        tmp_path, cases=[{"name": "two bits", "model": str(MLP)}], settings={"adc": {"n_bits": 2}}
    )
    code, out, _ = run(capsys, cases, "--baseline", baseline, "--update")
    assert code == 0
    assert "No longer in it: mlp" in out
    assert list(read_baseline(baseline)) == ["two bits"]
    baseline.write_text('{"kind": "rxsim baseline", "schema_version": 1}')
    code, _, err = run(capsys, cases, "--baseline", baseline, "--update")
    assert code == 0
    assert err.startswith("the old baseline is replaced unread: ")
    assert list(read_baseline(baseline)) == ["two bits"]


# What is refused: (change of the YAML, words of the sentence).
BAD_CASES: list[tuple[dict[str, Any], str]] = [
    ({"cases": []}, "cases"),
    ({"cases": {"name": "x"}}, "a list"),
    ({"cases": [{"name": "x"}]}, "case 1: model is missing"),
    ({"cases": [{"model": str(MLP)}]}, "case 1: name is missing"),
    ({"cases": ["x"]}, "cases.0"),
    ({"cases": [{"name": "x", "model": str(MLP), "modle": 1}]}, "'modle' is no key of a case"),
    ({"cases": [{"name": "x", "model": str(MLP)}] * 2}, "the name 'x' a second time"),
    ({"cases": [{"name": "a\nb", "model": str(MLP)}]}, "printable"),
    ({"cases": [{"name": "x", "model": str(MLP), "level": 0.1}]}, "'level' is no key"),
    ({"cases": [{"name": "mlp", "model": "nowhere.onnx"}]}, "case mlp: "),
    ({"lavel": 0.1}, "'lavel' is no key"),
    ({"level": 0}, "level: found 0, expected a number above 0"),
    ({"level": 0.5}, "below 0.5"),
    ({"level": "high"}, "level"),
    ({"smallest_drop": 1}, "below 1"),
    ({"smallest_drop": True}, "expected a number"),
    ({"smallest_drop": float("nan")}, "a finite number"),
    ({"trials": 0}, "trials: found 0"),
    ({"trials": 1}, "trials: found 1, expected 2 or more"),
    ({"trials": 4}, "found 4 chips, expected 3 as in the baseline"),
    ({"limit": 100}, "the number of images 100, expected 540"),
    ({"limit": 0}, "limit: found 0"),
    ({"metric": "mse"}, "metric"),
    ({"metric": "top5"}, "found the metric top5, expected top1"),
    ({"settings": {"adc": {"n_bitz": 5}}}, "adc.n_bitz is not a setting"),
    ({"settings": {"adc.n_bits": "five"}}, "adc.n_bits: found 'five'"),
    ({"settings": [1]}, "settings: found [1], expected a mapping"),
    ({"config": "nowhere.yaml"}, "nowhere.yaml can't be read"),
    ({"card": "nowhere.yaml"}, "nowhere.yaml can't be read"),
    ({"data": "nowhere.npz"}, "case mlp: "),
    ({"cases": [{"name": "new", "model": str(MLP)}]}, "case new is not in the baseline"),
]


@pytest.mark.parametrize(("change", "words"), BAD_CASES, ids=[words for _, words in BAD_CASES])
def test_a_bad_regression_file_is_one_sentence(
    tmp_path: Path,
    accepted: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    words: str,
) -> None:
    code, out, err = run(capsys, write_cases(tmp_path, **change), "--baseline", accepted)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert ", expected " in err or "missing" in err or "can't be read" in err or "mean" in err


def test_data_without_labels_have_no_hits(
    tmp_path: Path, accepted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bare.yaml").write_text("metric: none\n")
    cases = write_cases(tmp_path, card="bare.yaml")
    code, _, err = run(capsys, cases, "--baseline", accepted)
    assert code == 2
    assert "case mlp: found the metric none, expected top1 or top5" in err


def test_other_images_of_the_same_data_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = tmp_path / "b.json"
    assert run(capsys, write_cases(tmp_path, limit=40), "--baseline", baseline, "--update")[0] == 0
    code, _, err = run(capsys, write_cases(tmp_path, limit=40, seed=3), "--baseline", baseline)
    assert code == 2
    assert "other images of the data than the baseline's" in err
    record = read_baseline(baseline)["mlp"]
    other = NamedHash(name="x.npz", sha256="0" * 64)
    changed = replace(record, sources=record.sources.model_copy(update={"data": other}))
    baseline.write_text(to_json([changed]))
    code, _, err = run(capsys, write_cases(tmp_path, limit=40), "--baseline", baseline)
    assert code == 2
    assert "expected x.npz (00000000) as in the baseline" in err


def test_what_changed_is_told_by_name(accepted: Path) -> None:
    """Settings, libraries and inputs by dotted name; what one side lacks counts as null."""
    (record,) = read_baseline(accepted).values()
    assert changes(record, record) == ()
    sources = record.sources.model_copy(
        update={
            "model": NamedHash(name="new.onnx", sha256="f" * 64),
            "versions": {**record.sources.versions, "onnxruntime": "9.9", "processor": "arm64"},
            "inputs": {**record.sources.inputs, "output": "other", "later": None},
        }
    )
    settings = {**record.settings, "seed": 5, "layers": {"fc*": {"digital": True}}}
    other = replace(record, sources=sources, settings=settings)
    versions = record.sources.versions
    model = record.sources.model
    assert set(changes(record, other)) == {
        f"model changed: {model.name} ({model.sha256[:8]}) -> new.onnx (ffffffff)",
        "settings changed: seed 0 -> 5",
        "settings changed: layers.fc*.digital null -> true",
        "inputs changed: output logits -> other",
        f"onnxruntime {versions['onnxruntime']} -> 9.9",
        f"processor {versions['processor']} -> arm64",
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--baseline", "{tmp}/none.json"], "does not exist, expected what"),
        (["--baseline", "{tmp}/none.json"], "run 'rxsim check' with --update"),
        ([], "--baseline is missing"),
        (["--baseline", "{tmp}/other.json"], "is something else"),
        (["--baseline", "{tmp}/other.json", "--update"], "is some other file"),
        (["--baseline", "{tmp}/regress.yaml", "--update"], "another file of this command"),
        (["--baseline", str(MLP), "--update"], "another file of this command"),
        (["--baseline", "{ok}", "--update", "--junit", "{tmp}/j.xml"], "expected it alone"),
        (["--baseline", "{ok}", "--junit", "{ok}"], "another file of this command"),
        (["--baseline", "{ok}", "--junit", "{tmp}/a", "--markdown", "{tmp}/a"], "another file"),
        (["--baseline", "{ok}", "--json", "{tmp}/no/x.json"], "a folder that does not exist"),
        (["--baseline", "{ok}", "--threads", "0"], "--threads"),
    ],
)
def test_bad_arguments_are_one_sentence(
    tmp_path: Path,
    accepted: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    (tmp_path / "other.json").write_text('{"a": 1}')
    cases = write_cases(tmp_path)
    before = {path: path.read_bytes() for path in (cases, accepted, MLP, tmp_path / "other.json")}
    given = [part.format(tmp=tmp_path, ok=accepted) for part in arguments]
    code, out, err = run(capsys, cases, *given)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert {path: path.read_bytes() for path in before} == before


def test_a_summary_that_cant_be_written_is_told(
    tmp_path: Path,
    accepted: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "s.md"))
    code, _, err = run(capsys, write_cases(tmp_path), "--baseline", accepted, "--github")
    assert (code, err.count("\n")) == (4, 1)
    assert "GITHUB_STEP_SUMMARY names" in err


def test_the_shipped_baseline_is_that_of_the_shipped_cases() -> None:
    cases = read_cases(ROOT / "configs" / "regress" / "digits.yaml")
    baseline = read_baseline(ROOT / "configs" / "regress" / "digits.baseline.json")
    assert [case.name for case in cases.cases] == list(baseline)
    for case in cases.cases:
        assert case.settings.trials == len(baseline[case.name].hits)


@pytest.mark.slow
def test_the_shipped_gate_passes(capsys: pytest.CaptureFixture[str]) -> None:
    configs = ROOT / "configs"
    code, out, _ = run(
        capsys,
        configs / "regress" / "digits.yaml",
        "--baseline",
        configs / "regress" / "digits.baseline.json",
    )
    assert code == 0, out
