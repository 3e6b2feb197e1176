"""Chips until the mean is known, yield, and names of intervals: against scipy and plain numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known import known
from scipy import stats

import rxsim
from rxsim.cli import main
from rxsim.pipeline.ladder.chip_yield import chip_yield
from rxsim.pipeline.ladder.rung import Rung
from rxsim.run import Scores
from rxsim.statistics import fewest_for, rank_that_bounds, share_at_least, share_interval
from rxsim.stopping import half_width_of

MODEL = Path(__file__).parents[1] / "models" / "digits_mlp.onnx"
RANDOM = {"crossbar.rows": 32, "crossbar.cols": 32, "device.write_sigma": 0.02}


def evaluated(capsys: pytest.CaptureFixture[str], *options: str) -> Any:
    size = ["--xbar=32x32", "--limit=60", "-q"]
    with pytest.raises(SystemExit) as end:
        main(["eval", str(MODEL), *size, *options, "--json", "-"])
    assert end.value.code == 0
    return json.loads(capsys.readouterr().out)


def rung_of(name: str, accuracies: list[float]) -> Rung:
    """A rung of chips that hit so many of 1,000 images."""
    hits = [np.arange(1000) < round(1000 * accuracy) for accuracy in accuracies]
    values = {"top5": None, "mse": None, "agreement": None, "snr_db": None}
    runs = (Scores(row.astype(int), {"accuracy": row, **values}) for row in hits)
    return Rung(name, tuple(runs))


@pytest.mark.parametrize(("count", "total"), [(0, 7), (3, 7), (7, 7), (199, 200), (1, 1)])
def test_the_interval_of_a_share_is_scipys(count: int, total: int) -> None:
    wanted = stats.binomtest(count, total).proportion_ci(0.95, "exact")
    found = share_interval(count, total)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), rel=1e-9, abs=1e-12)
    one_sided = stats.binomtest(count, total, alternative="greater").proportion_ci(0.95, "exact")
    assert share_at_least(count, total) == pytest.approx(one_sided.low, rel=1e-9, abs=1e-12)


def test_the_worst_of_59_chips_bounds_95_percent() -> None:
    """Textbook: 0.95^58 > 0.05 >= 0.95^59."""
    assert fewest_for(0.95) == 59
    assert rank_that_bounds(0.95, 58) is None
    assert rank_that_bounds(0.95, 59) == 59
    assert share_at_least(59, 59) == pytest.approx(0.05 ** (1 / 59), rel=1e-12)
    # The second largest serves from 93 on: 0.95^n + n 0.95^(n-1) 0.05 <= 0.05.
    assert rank_that_bounds(0.95, 92) == 92
    assert rank_that_bounds(0.95, 93) == 92


def test_the_yield_counts_losses_against_float() -> None:
    clean = rung_of("float32", [0.95])
    told = known(chip_yield(rung_of("nonideal", [0.94, 0.93, 0.95, 0.90]), clean, "top1", 1.0))
    within = known(told.within)
    assert within.chips == 2  # 0.95 - 0.94 is above 0.01 in binary: the chip counts all the same
    assert within.share.mean == 0.5
    assert told.worst.loss == pytest.approx(5.0)
    assert told.bound.share == pytest.approx(0.05**0.25)
    assert told.chips == 4
    assert chip_yield(rung_of("nonideal", [0.9]), clean, "top1", 1.0) is None


def test_of_many_chips_an_ordered_loss_bounds_95_percent() -> None:
    accuracies = [0.95 - 0.001 * place for place in range(93)]
    told = known(chip_yield(rung_of("nonideal", accuracies), rung_of("float32", [0.95]), "top1"))
    assert told.bound.rank == 92
    assert told.bound.loss == pytest.approx(9.1)
    assert told.bound.share >= 0.95
    assert told.within is None


def test_half_widths_that_are_unknown_stop_nothing() -> None:
    assert half_width_of([1.0]) is None
    assert half_width_of([1.0, None]) is None
    assert half_width_of([1.0, float("inf")]) is None
    assert half_width_of([0.9] * 10) is None  # drawn chips that came out alike: unknown, not nil
    values = [0.9, 0.92, 0.95]
    wanted = stats.t.ppf(0.975, 2) * stats.sem(values)
    assert half_width_of(values) == pytest.approx(wanted, rel=1e-12)


def test_chips_are_added_until_the_mean_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--set=device.write_sigma=0.02", "--only=write_error"]
    found = evaluated(capsys, *options, "--until-ci=1.2", "--trials=25", "--yield-at=3")
    told = found["statistics"]["until_ci"]
    each = found["ladder"]["nonideal"]["accuracy"]["per_trial"]
    assert told["chips"] == len(each) == found["settings"]["trials"]
    # By definition: the first number of chips from 10 on whose half width is at most 1.2 points.
    halves = {
        count: 100 * stats.t.ppf(0.975, count - 1) * stats.sem(each[:count])
        for count in range(10, len(each) + 1)
    }
    assert min(count for count, half in halves.items() if half <= 1.2) == len(each)
    assert 10 < len(each) < 25
    assert told["half_width"] == pytest.approx(halves[len(each)], rel=1e-9)
    assert told["reached"]
    assert len(found["ladder"]["only write_error"]["accuracy"]["per_trial"]) == len(each)
    # All but what names the rule is what so many trials give.
    fixed = evaluated(capsys, *options, f"--trials={len(each)}", "--yield-at=3")
    del found["timing"], fixed["timing"], found["statistics"]["until_ci"]
    assert found == fixed


def test_a_goal_out_of_reach_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    result = rxsim.evaluate(MODEL, RANDOM, limit=60, until_ci=0.01, trials=10)
    assert not known(result.chips_needed).reached
    assert "NOT reached with 10 chips" in repr(result)


def test_one_chip_suffices_where_nothing_is_random() -> None:
    result = rxsim.evaluate(MODEL, "32x32", limit=30, until_ci=0.5, yield_at=1)
    needed = known(result.chips_needed)
    assert (needed.chips, needed.reached) == (1, True)
    assert result.settings["trials"] == 1
    assert result.chip_yield is None
    assert "nothing in these settings is random" in repr(result)
    methods = result.as_json()["statistics"]["interval_method"]
    assert methods["nonideal"] == {"these_images": None, "new_images": "wilson"}


def test_intervals_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(capsys, "--set=device.write_sigma=0.02", "--trials=2")
    methods = found["statistics"]["interval_method"]
    assert methods["ideal"] == {"these_images": None, "new_images": "wilson"}
    assert methods["nonideal"] == {
        "these_images": "student-t-over-chips",
        "new_images": "chips-and-images-satterthwaite",
    }
    assert found["statistics"]["yield"]["chips"] == 2


def test_the_yield_of_several_times_names_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    drift = ["--set=device.model=pcm-hermes"]
    times = ["--time=1h,1d", "--trials=2", "--yield-at=3", "--limit=20", "--xbar=32x32"]
    with pytest.raises(SystemExit) as end:
        main(["eval", str(MODEL), *drift, *times])
    out, err = capsys.readouterr()
    assert end.value.code == 0, err
    assert out.count("Yield at 1 h: ") == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--until-ci=0"], "until-ci: found 0, expected a number above 0"),
        (["--until-ci=nan"], "until-ci: found nan"),
        (["--until-ci=1", "--trials=9"], "trials: found 9, expected 10 or more"),
        (["--yield-at=inf"], "yield-at: found inf"),
        (["--yield-at=-1"], "yield-at: found -1, expected a finite number from 0 on"),
        (["--until-ci=x"], "expected a number"),
    ],
)
def test_impossible_numbers_are_refused(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["eval", str(MODEL), *options])
    assert end.value.code == 2
    assert words in capsys.readouterr().err
