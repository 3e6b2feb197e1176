"""`compensate: auto`: what is chosen, and what it may look at."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from click.testing import CliRunner

import rxsim
from rxsim.cli import root
from rxsim.config import StepEntry, load_settings, step_name
from rxsim.deadline import Deadline
from rxsim.errors import InputError, SettingError
from rxsim.pipeline import DataOptions, Study, evaluate, open_study, with_chosen_steps
from rxsim.pipeline.auto import choose
from rxsim.pipeline.auto.candidates import candidates
from rxsim.pipeline.auto.choose import choose_steps
from rxsim.pipeline.auto.judge import Judge

MODEL = Path("models/digits_mlp.onnx")
HARSH = ["compensate=auto", "crossbar.r_wire_wl=20", "crossbar.r_wire_bl=20", "adc.n_bits=5"]


def study_of(assignments: Sequence[str] = HARSH, limit: int = 40) -> Study:
    return open_study(
        MODEL, load_settings(assignments=list(assignments)), DataOptions(limit=limit), threads=1
    )


@dataclass
class MadeJudge:
    """Errors of lists by a formula, with a little noise over chips and inputs."""

    formula: Callable[[tuple[StepEntry, ...]], float]
    inputs: int = 40

    def errors(self, steps: Sequence[StepEntry]) -> np.ndarray:
        noise = np.random.default_rng(3).normal(0, 0.01, (2, self.inputs))
        return np.asarray(self.formula(tuple(steps)) + noise * (1 + 0.1 * len(steps)))


def chosen_by(
    monkeypatch: pytest.MonkeyPatch,
    formula: Callable[[tuple[StepEntry, ...]], float],
    names: list[StepEntry],
    seconds: float | None = None,
) -> choose.ChosenSteps:
    monkeypatch.setattr(choose, "Judge", lambda study: MadeJudge(formula))
    monkeypatch.setattr(choose, "candidates", lambda settings: names)
    return choose_steps(study_of(), Deadline(seconds))


def test_of_gains_that_add_up_all_good_steps_are_kept_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gains = {"pairs": 0.3, "order": 0.1, "spares": 0.0, "columns": -0.2, "ranges": 0.25}
    found = chosen_by(monkeypatch, lambda steps: 1 - sum(gains[str(s)] for s in steps), list(gains))
    assert found.steps == ("pairs", "ranges", "order")
    assert found.before == pytest.approx(1, abs=0.01)
    assert found.after == pytest.approx(0.35, abs=0.01)
    assert [each.steps for each in found.tried if each.kept][-1] == found.steps


def test_the_order_of_neighbours_is_tried_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def formula(steps: tuple[StepEntry, ...]) -> float:
        together = steps.index("spares") < steps.index("pairs") if len(steps) == 2 else False
        return 1 - 0.3 * ("pairs" in steps) - 0.1 * ("spares" in steps) - 0.2 * together

    found = chosen_by(monkeypatch, formula, ["pairs", "spares"])
    best = min(permutations(["pairs", "spares"]), key=formula)
    assert found.steps == best == ("spares", "pairs")


def test_a_gain_within_its_error_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    found = chosen_by(monkeypatch, lambda steps: 1 - 1e-6 * len(steps), ["pairs", "ranges"])
    assert (found.steps, found.after) == ((), found.before)
    assert "no step" in str(found)


def test_time_that_is_up_ends_the_search_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = chosen_by(monkeypatch, lambda steps: 1.0, ["pairs"], seconds=0)
    assert (found.steps, found.tried, found.complete) == ((), (), False)
    assert "time was up" in str(found)


def refuse(*given: Any) -> NoReturn:
    raise AssertionError("an evaluated input was looked at")


def test_no_evaluated_input_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_of()

    class Leaky:
        feeds = subset = refuse
        __len__ = refuse

    leaky: Any = Leaky()
    found = choose_steps(replace(study, inputs=leaky, labels=None), Deadline())
    assert found == choose_steps(study, Deadline())
    assert found.steps


def test_the_inputs_that_judge_are_not_those_that_measure() -> None:
    study = study_of()
    judge = Judge(study)
    halves: Any = judge._study
    measure, judging = set(halves.calibration.indices), set(halves.inputs.indices)
    whole: Any = study.calibration
    assert not measure & judging
    assert measure | judging == set(whole.indices)


def test_perfect_hardware_needs_no_step() -> None:
    perfect = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
    converters = ["adc.n_bits=null", "dac.n_bits=null", "device.n_bits=null", "compensate=auto"]
    assert choose_steps(study_of([*perfect, *converters]), Deadline()).steps == ()


def test_too_few_calibration_inputs_are_refused() -> None:
    with pytest.raises(InputError, match="auto with 7 calibration inputs, expected at least 8"):
        with_chosen_steps(study_of([*HARSH, "calibration.samples=7"]))


def test_what_does_not_choose_refuses_auto_in_a_sentence() -> None:
    with pytest.raises(SettingError, match="compensate: found auto, expected steps"):
        evaluate(study_of())


@pytest.mark.parametrize("command", ["sweep", "search", "check"])
def test_auto_is_refused_once_before_anything_runs(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: object, **options: object) -> NoReturn:
        raise AssertionError("something runs")

    for name in ("rxsim.sweep.plan.open_study", "rxsim.search.question.open_study"):
        monkeypatch.setattr(name, run)
    monkeypatch.setattr("rxsim.gate.run_cases.open_study", run)
    model, file, kept = MODEL.absolute(), tmp_path / "file.yaml", tmp_path / "kept"
    settings = {"compensate": "auto"}
    case = {"name": "mlp", "model": str(model), "settings": settings}
    words = {
        "sweep": [str(file), "-o", str(kept)],
        "search": [
            *(str(model), "--goal", "accuracy>=0.5", "--over", "adc.n_bits=4,5"),
            *("--results", str(kept), "--compensate", "auto"),
        ],
        "check": [str(file), "--baseline", str(kept), "--update"],
    }
    axes = {"adc.n_bits": [4, 5]}
    told = {"model": str(model), "settings": settings, "axes": axes}
    file.write_text(json.dumps({"cases": [case]} if command == "check" else told))
    ended = CliRunner().invoke(root, [command, *words[command]], standalone_mode=True)
    assert ended.exception is not None
    text = ended.stderr or str(ended.exception)
    assert text.count("compensate: found auto, expected steps") == 1
    assert "-o FILE" in text
    assert not kept.exists()


def test_eval_writes_what_it_chose_and_the_file_gives_the_same(tmp_path: Path) -> None:
    saved = tmp_path / "chosen.yaml"
    sets = [word for text in HARSH for word in ("--set", text)]
    given = ["--limit", "40", "--quiet", "--json", "-"]
    first = CliRunner().invoke(root, ["eval", str(MODEL), *sets, *given, "-o", str(saved)])
    assert first.exit_code == 0, first.output
    second = CliRunner().invoke(root, ["eval", str(MODEL), "--config", str(saved), *given])
    results = [json.loads(done.stdout) for done in (first, second)]
    assert results[0]["ladder"] == results[1]["ladder"]
    steps = results[0]["provenance"]["chosen_steps"]
    assert steps["steps"] == results[0]["settings"]["compensate"] != []
    assert steps["error_after"] < steps["error_before"]
    assert "chosen_steps" not in results[1]["provenance"]


def test_no_steps_are_chosen_for_a_calibration_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds what no step changes: the file with auto is that without steps."""

    def run(*arguments: object, **options: object) -> NoReturn:
        raise AssertionError("steps are chosen")

    monkeypatch.setattr("rxsim.pipeline.auto.choose.choose_steps", run)
    written = []
    for name, more in (("auto", ["--compensate", "auto"]), ("none", [])):
        file = tmp_path / name
        words = ["calibrate", str(MODEL), "--xbar", "32x32", "--quiet", *more, "-o", str(file)]
        assert CliRunner().invoke(root, words).exit_code == 0
        written.append(file.read_bytes())
    assert written[0] == written[1]
    settings = load_settings(xbar="32x32", assignments=["compensate=auto"])
    assert rxsim.calibration(MODEL, settings).to_json().encode() == written[1]


@pytest.mark.parametrize(
    ("more", "steps"),
    [
        ([], {"predistort", "order", "ranges", "columns", "statistics"}),
        (["device.stuck_hrs=0.01"], {"pairs", "digital_cells"}),
        (
            [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")],
            None,
        ),
    ],
)
def test_steps_against_what_is_not_there_are_not_tried(
    more: list[str], steps: set[str] | None
) -> None:
    settings = load_settings(assignments=[*HARSH, *more])
    names = {step_name(entry) for entry in candidates([settings])}
    always = {"ranges", "columns", "statistics"}
    if steps is None:
        assert names == always
    else:
        assert names >= always | steps
        assert ("pairs" in names) == ("pairs" in steps)


def test_what_helps_each_of_two_chips_is_kept_though_they_differ(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Student's t over two chips, 12.7, would prove nothing; one that is harmed is enough to refuse."""
    inputs = 40
    noise = np.random.default_rng(3).normal(0, 0.05, inputs)
    gains = {"statistics": [0.5, 0.3], "columns": [1.0, -0.1], "ranges": [0.0, 0.0]}

    class Made:
        def __init__(self, study: Study) -> None:
            self.inputs = inputs

        def errors(self, taken: Sequence[StepEntry]) -> np.ndarray:
            total = sum((np.array(gains[step_name(step)]) for step in taken), np.zeros(2))
            return 2 - total[:, None] + noise * (len(taken) > 0)

    monkeypatch.setattr(choose, "Judge", Made)
    monkeypatch.setattr(choose, "candidates", lambda settings: list(gains))
    assert choose_steps(study_of(), Deadline()).steps == ("statistics",)
