"""How long an explanation will take: counted by hand from made-up times; what is told, and when."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import chain, combinations
from pathlib import Path

import pytest

from rxsim.cli import main
from rxsim.commands import progress
from rxsim.config import load_settings
from rxsim.deadline import Deadline
from rxsim.explain import Asked, explain, forecast
from rxsim.explain.forecast import Ahead, Forecast, SetSeconds
from rxsim.explain.remedies_together import MOST_COMBINATIONS
from rxsim.pipeline import DataOptions, Study, open_study
from rxsim.stages import Stages

MLP = Path(__file__).parents[1] / "models" / "digits_mlp.onnx"
AHEAD = Ahead(sets=30, programmed=10, needed=6, layers=4, remedies=12, chips=20, layer_chips=10)
BUILT = SetSeconds(opening=1.0, making=4.0, scoring=2.0, programmed=True)
PLAIN = SetSeconds(opening=0.0, making=0.5, scoring=0.5, programmed=True)


class Told:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.lefts: list[str] = []

    def begin(self, stage: str) -> None:
        pass

    def advance(self, stage: str, done: int, total: int) -> None:
        pass

    def end(self, stage: str, seconds: float) -> None:
        pass

    def tell(self, text: str) -> None:
        self.lines.append(text)

    def left(self, text: str) -> None:
        self.lefts.append(text)


def begun(told: Told | None = None, budget: float | None = None, ahead: Ahead = AHEAD) -> Forecast:
    made = Forecast(Stages(told), Deadline(budget))
    made.set_run(BUILT)
    made.set_run(PLAIN)
    made.plan(ahead)
    return made


def test_what_is_ahead_costs_what_was_timed() -> None:
    made = begun()
    # 10 sets as the mean of 7 and 1 s, 20 that share arrays as the scoring of the built chips; two runs
    # a layer on half the chips; a remedy as the built chips.
    assert made.seconds == pytest.approx(10 * 4 + 20 * 2 + 4 * 2 * 2 / 2 + 12 * 7)
    made.set_run(SetSeconds(opening=0.1, making=0.2, scoring=0.7, programmed=False))
    assert made.seconds == pytest.approx(10 * 4 + 19 * 1 + 4 * 2 + 12 * 7)
    made.sets_end()
    made.layer_run(5.0)
    assert made.seconds == pytest.approx(3 * 5 + 12 * 7)
    made.layers_end()
    made.remedy_run(3.0)
    made.remedy_run(None)
    assert made.seconds == pytest.approx(10 * 3)


def test_compilation_is_not_taken_for_the_time_of_every_set() -> None:
    made = Forecast(None, Deadline())
    made.set_run(replace(BUILT, opening=0.0))
    made.plan(replace(AHEAD, sets=10, layers=0, remedies=0))
    assert made.seconds == pytest.approx(10 * 6)


def test_a_budget_bounds_all_but_the_needed_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr("rxsim.deadline.time.monotonic", lambda: clock)
    made = begun(budget=50.0)
    assert made.seconds == pytest.approx(50)
    clock = 49.0
    assert made.seconds == pytest.approx((10 * 4 + 20 * 2) * 6 / 30)


def test_the_line_lists_what_is_ahead_once_and_is_renewed() -> None:
    told = Told()
    made = begun(told)
    wanted = (
        "about 3 minutes: 30 sets of effects on 20 chips, then 4 layers alone and left out, then up to "
        "12 remedies; --budget SECONDS bounds it"
    )
    assert told.lines == [wanted]
    made.sets_end()
    made.layer_run(2.0)
    assert told.lines == [wanted]
    assert told.lefts[-1] == "about 2 minutes left in all"  # 3 layers of 2 s, 12 remedies of 7 s


@pytest.mark.parametrize("remedies", [0, 1])
def test_what_is_short_is_not_told(remedies: int) -> None:
    told = Told()
    begun(told, ahead=replace(AHEAD, sets=0, programmed=0, layers=0, remedies=remedies))
    assert (told.lines, told.lefts) == ([], [])


def studied(*assignments: str) -> Study:
    settings = load_settings(None, xbar=None, assignments=assignments, overrides={})
    return open_study(MLP, settings, DataOptions(limit=20))


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Ahead]:
    """Every plan that an explanation makes."""
    made: list[Ahead] = []
    original = Forecast.plan

    def plan(self: Forecast, ahead: Ahead) -> None:
        made.append(ahead)
        original(self, ahead)

    monkeypatch.setattr(Forecast, "plan", plan)
    return made


def test_counts_of_what_is_ahead(plans: list[Ahead]) -> None:
    """All subsets of five effects but the two that were run; those that change arrays apart."""
    found = explain(studied("device.write_sigma=0.05", "trials=2", "adc.n_bits=2"))
    [ahead] = plans
    assert found.effects is not None
    assert found.layers is not None
    names = [row.name for row in found.effects.rows]
    subsets = list(chain.from_iterable(combinations(names, size) for size in range(len(names) + 1)))
    assert ahead.sets == len(subsets) - 2
    arrays = {frozenset(some) - {"dac", "adc"} for some in subsets}
    # Arrays of all effects, and of none, were programmed already.
    assert ahead.programmed == len(arrays) - 2
    assert (ahead.layers, ahead.chips, ahead.layer_chips) == (len(found.layers.rows), 2, 2)
    assert found.attempts is not None
    assert 0 < len(found.attempts) <= ahead.remedies
    single = [each for each in found.attempts if len(each.combined) == 1]
    assert len(single) <= ahead.remedies - MOST_COMBINATIONS


def test_what_is_not_asked_for_is_not_ahead(plans: list[Ahead]) -> None:
    explain(studied("adc.n_bits=2"), Asked(by="layers", remedies=False))
    explain(studied("adc.n_bits=2"), Asked(by="effects", remedies=False))
    explain(studied("adc.n_bits=9"), Asked(by="layers", quantity="agreement"))
    layers, effects, lossless = plans
    assert (layers.sets, layers.remedies) == (0, 0)
    assert layers.layers > 0
    assert (effects.layers, effects.remedies) == (0, 0)
    assert effects.sets > 0
    assert lossless.remedies == 0  # nothing to mend


def test_the_command_tells_on_standard_error_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["explain", str(MLP), "--limit=20", "--set=adc.n_bits=2", "--by=effects"]

    def run(*options: str) -> tuple[dict[str, object], str]:
        with pytest.raises(SystemExit) as ended:
            main([*command, "--no-remedies", "--json=-", *options])
        assert not ended.value.code
        said = capsys.readouterr()
        read = json.loads(said.out)
        del read["timing"]
        return read, said.err

    before, silent = run()
    assert "about" not in silent
    monkeypatch.setattr(forecast, "LONG_SECONDS", 0.0)
    after, told = run()
    assert after == before
    assert "sets of effects on 1 chip; --budget SECONDS bounds it" in told
    assert run("--quiet") == (before, "")


def test_lines_that_say_how_far_a_stage_is_say_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = 0.0
    now: Callable[[], float] = lambda: clock  # noqa: E731
    monkeypatch.setattr("rxsim.commands.progress.time.monotonic", now)
    with progress.watched(solves=False) as watcher:
        assert watcher is not None
        watcher.left("about 4 minutes left in all")
        watcher.left("about 3 minutes left in all")
        clock = 61.0
        watcher.advance("chips", 3, 9)
        assert capsys.readouterr().err == "chips: 3 of 9; about 3 minutes left in all\n"
