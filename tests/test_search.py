"""Searches: goals, axes, prices and verdicts; nothing is evaluated twice."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from here_pool import HerePool
from known import known
from rich.console import Console
from scipy import stats

import rxsim
from rxsim.cli import main
from rxsim.commands.search import _tell_ahead
from rxsim.config import Settings, layer_settings, load_settings
from rxsim.errors import InputError, SettingError
from rxsim.load import load_network
from rxsim.pipeline import DataOptions, evaluate, network_cost, open_study
from rxsim.report.search_terminal import print_search
from rxsim.search import Question, SearchResult, prepare_search, read_goal, read_over, run_search
from rxsim.search.directions import DIRECTIONS, quality
from rxsim.search.goal import Goal
from rxsim.search.judged import judge_point
from rxsim.store import Trial, open_results
from rxsim.sweep.job import Job, Outcome, failed

MODELS = Path(__file__).parent.parent / "models"
MODEL = MODELS / "digits_mlp.onnx"
GOAL = "accuracy_drop<=0.05"
OVER = "adc.n_bits=3..8,crossbar.rows+crossbar.cols=16,32,64"


def question(goal: str = "accuracy_drop<=0.1", over: str = OVER, **given: Any) -> Question:
    base = {"limit": 40, "model": MODEL, "set": {}, "minimise": "converted_bits", **given}
    limit, fixed = base.pop("limit"), base.pop("set")

    def settings_of(change: Mapping[str, Any]) -> Settings:
        return rxsim.settings(changes={**fixed, **change})

    return Question(
        options=DataOptions(limit=limit),
        settings_of=settings_of,
        axes=read_over([over]),
        goal=read_goal(goal),
        **base,
    )


class MadeUpPool:
    """Gives hits that follow from bits and rows; may be interrupted, and may let points fail."""

    slots = 2

    def __init__(self, hits: Any, stops_after: int | None = None, fails: Any = ()) -> None:
        self.jobs: list[Job] = []
        self._hits, self._stops, self._fails = hits, stops_after, fails

    def submit(self, job: Job) -> Future[Outcome]:
        if len(self.jobs) == self._stops:
            raise KeyboardInterrupt
        self.jobs.append(job)
        bits, rows = job.settings.adc.n_bits, job.settings.crossbar.rows
        future: Future[Outcome] = Future()
        trial = Trial(
            key=job.key,
            point=job.point,
            trial=job.trial,
            status="done",
            values={"accuracy": 0.0, "agreement": 1.0},
            hits=np.arange(40) < self._hits(bits, rows),
        )
        fails = (bits, rows) in self._fails
        future.set_result(failed(job, "it was to fail") if fails else Outcome(trial, {}))
        return future

    def restart(self, slots: int | None = None) -> None:
        raise AssertionError("nothing broke")

    def close(self, *, kill: bool = False) -> None:
        pass


def monotone(bits: int, rows: int) -> int:
    return 40 - max(0, 7 - bits) * 3 - rows // 16


def searched(path: Path, pool: MadeUpPool | HerePool | None = None, **given: Any) -> SearchResult:
    with open_results(path, write=True) as results:
        return run_search(prepare_search(question(**given)), results, pool or MadeUpPool(monotone))


def told(result: SearchResult) -> dict[str, Any]:
    values = result.as_json()
    del values["timing"]
    for point in values["points"]:
        del point["new"]
    return values


# Goals and axes


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("accuracy_drop<=0.01", Goal("accuracy_drop", 0.01, at_most=True)),
        (" accuracy_drop <= 1% ", Goal("accuracy_drop", 0.01, at_most=True)),
        ("agreement>=.99", Goal("agreement", 0.99, at_most=False)),
        ("snr_db>=-3e0", Goal("snr_db", -3.0, at_most=False)),
        ("mse<=7", Goal("mse", 7.0, at_most=True)),
    ],
)
def test_goals_are_read(text: str, goal: Goal) -> None:
    assert read_goal(text) == goal
    assert read_goal(goal.text) == goal


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "in quotes"),
        ("accuracy_drop", "in quotes"),
        ("accurracy>=0.9", "expected one of accuracy_drop, accuracy"),
        ("accuracy_drop>=0.1", "write it with <="),
        ("accuracy<=0.9", "write it with >="),
        ("accuracy_drop<0.1", "write it with <="),
        ("accuracy>=90", "0.01 or 1% is one point"),
        ("accuracy_drop<=-0.1", "from 0 to 1"),
        ("snr_db>=nan", "expected a number"),
        ("snr_db>=", "expected a number"),
        ("snr_db>=1%", "snr_db is no share"),
        ("mse<=1%", "mse is no share"),
    ],
)
def test_bad_goals_are_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_goal(text)


@pytest.mark.parametrize(
    ("texts", "axes"),
    [
        (["a.b=4..8"], [(("a.b",), [4, 5, 6, 7, 8])]),
        (["a.b=4..9+2"], [(("a.b",), [4, 6, 8])]),
        (["a.b=16..300*2"], [(("a.b",), [16, 32, 64, 128, 256])]),
        (["a.b=0.1..0.3+0.1"], [(("a.b",), [0.1, 0.2, 0.3])]),
        (["a.b=-2..0"], [(("a.b",), [-2, -1, 0])]),
        (["a.b=3,3,1e-3,null,word,1h"], [(("a.b",), [3, "1e-3", None, "word", "1h"])]),
        (["a.b=4..5,8,c=1,2"], [(("a.b",), [4, 5, 8]), (("c",), [1, 2])]),
        (["a.b + a.c=1,2", "d=3"], [(("a.b", "a.c"), [1, 2]), (("d",), [3])]),
    ],
)
def test_axes_are_read(texts: list[str], axes: list[tuple[tuple[str, ...], list[Any]]]) -> None:
    assert [(axis.names, axis.values) for axis in read_over(texts)] == axes


@pytest.mark.parametrize(
    "text",
    [
        *("a", "=4", "4", "a=", "a=4,,5", "a=[1]", "a=8..4", "a=4..8*1", "a=0..8*2", "a=1..x"),
        *("a=1..9999", "a=1,a=2", "a+a=1", "seed=1,2", "trials=3", "layers.fc.adc.n_bits=4"),
        *("mapping.fold=none", "a=1..5+0", "a={b: 1}"),
    ],
)
def test_bad_axes_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match="--over"):
        read_over([text])


def test_known_directions_are_of_settings_that_exist() -> None:
    plain = load_settings()
    for name in DIRECTIONS:
        section, key = name.split(".")
        assert key in type(getattr(plain, section)).model_fields, name


def test_which_side_is_good_may_depend_on_other_settings() -> None:
    few, many = (load_settings(assignments=[f"crossbar.rows={rows}"]) for rows in (16, 64))
    assert known(quality("crossbar.rows", few)) > known(quality("crossbar.rows", many))
    fixed = load_settings(assignments=["adc.range=unit_lsb"])
    assert quality("crossbar.rows", fixed) is None
    without = load_settings(assignments=["adc.n_bits=null"])
    assert known(quality("adc.n_bits", without)) > known(quality("adc.n_bits", few))
    assert quality("adc.scope", few) is None


# What a point costs


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"input.encoding": "bit_serial", "dac.n_bits": 4},
        {"input.signed_input": "two_phase", "adc.where": "per_layer"},
        {"mapping.scheme": "offset", "mapping.offset_removal": "reference_column"},
    ],
    ids=str,
)
def test_a_point_costs_what_its_evaluation_counts(changes: dict[str, Any]) -> None:
    over = "crossbar.rows+crossbar.cols=16,48"
    model = MODELS / "digits_cnn.onnx"
    prepared = prepare_search(question(over=over, set=changes, limit=8, model=model))
    for candidate in prepared.candidates:
        study = open_study(model, candidate.planned.settings, DataOptions(limit=8), threads=1)
        totals = evaluate(study, ["nonideal"]).totals
        costs = dict(candidate.costs)
        bits = costs.pop("converted_bits")
        assert costs == totals
        assert bits == 6 * known(totals["conversions"])


def test_bits_are_counted_layer_by_layer() -> None:
    layers = {"layers": {"fc1": {"adc": {"n_bits": 9}}}}
    prepared = prepare_search(question(over="adc.n_bits=4,6", set=layers))
    four, six = (candidate.costs for candidate in prepared.candidates)
    study = open_study(MODEL, prepared.candidates[0].planned.settings, DataOptions(limit=8))
    assert known(layer_settings(study.settings, "fc1")).adc.n_bits == 9
    of_fc1 = known(study.plan.layers["fc1"].conversions(1))
    rest = known(four["conversions"]) - of_fc1
    assert (four["converted_bits"], six["converted_bits"]) == (
        9 * of_fc1 + 4 * rest,
        9 * of_fc1 + 6 * rest,
    )


def test_points_without_adcs_are_not_taken_for_cheap() -> None:
    with pytest.raises(SettingError, match="leave null out"):
        prepare_search(question(over="adc.n_bits=4,null"))
    assert (
        len(prepare_search(question(over="adc.n_bits=4,null", minimise="arrays")).candidates) == 2
    )


# Verdicts


def test_prices_that_are_minimised_are_those_of_the_technology() -> None:
    """Against `network_cost`, which runs nothing; energy and area add up over components."""
    over = "adc.n_bits=4,8,crossbar.rows+crossbar.cols=32,64,cost.technology=isaac,puma"
    given: dict[str, Any] = {"set": {"cost.array_energy": "circuit"}}  # nothing is solved here
    prepared = prepare_search(question(over=over, minimise="energy", **given))
    assert len(prepared.candidates) == 8
    network = load_network(MODEL)
    for candidate in prepared.candidates:
        settings = candidate.planned.settings
        cost = known(settings.cost).model_copy(update={"array_energy": "technology"})
        price = network_cost(network, settings, {"image": (1, 1, 8, 8)}, cost)
        costs = candidate.costs
        assert costs["energy"] == pytest.approx(price.energy_j, rel=1e-12)
        assert costs["area"] == pytest.approx(price.area_mm2, rel=1e-12)
        assert (costs["latency"], costs["interval"]) == (price.latency_s, price.interval_s)
    cheapest = min(prepared.candidates, key=lambda each: known(each.costs["energy"]))
    assert prepared.candidates[int(np.argmin(prepared.order.rank))] is cheapest
    assert prepared.priced_in == ("isaac (ADC model table)", "puma (ADC model table)")


def test_without_a_section_the_default_technology_is_named(tmp_path: Path) -> None:
    found = searched(tmp_path / "a.sqlite", minimise="area", over="adc.n_bits=4..8")
    assert found.priced_in == ("rxnn-64 (ADC model table)",)
    assert found.as_json()["priced_in"] == ["rxnn-64 (ADC model table)"]
    console = Console(file=io.StringIO(), width=200)
    print_search(found, tmp_path / "a.sqlite", console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Priced in rxnn-64 (ADC model table)" in shown
    assert "mm2" in shown
    plain = searched(tmp_path / "b.sqlite")
    assert plain.priced_in == ()
    assert set(plain.points[0].costs) == {*("arrays", "conversions", "converted_bits", "cells")}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"over": "adc.n_bits=10,11"}, "point adc.n_bits 11: .* expected 4 to 10"),
        ({"over": "cost.technology=isac"}, "did you mean isaac"),
        ({"over": "adc.n_bits=6,null"}, "without one nothing is counted"),
    ],
)
def test_what_has_no_price_cannot_be_minimised(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        prepare_search(question(minimise="energy", **given))


def test_what_a_technology_leaves_out_is_named() -> None:
    over = "cost.adc_model=andrulis,neurosim"
    area = prepare_search(question(over=over, minimise="area"))
    assert area.priced_in == (
        "rxnn-64 (ADC model andrulis)",
        "rxnn-64 (ADC model neurosim; area not stated: adc)",
    )
    energy = prepare_search(question(over=over, minimise="energy"))
    assert not any("not stated" in told for told in energy.priced_in)


def test_what_is_not_minimised_needs_no_price() -> None:
    assert len(prepare_search(question(minimise="arrays", over="adc.n_bits=10,11")).candidates) == 2


def trials_of(hits: np.ndarray, agreement: float = 1.0) -> list[Trial]:
    return [
        Trial(
            key=f"{number}",
            point="p",
            trial=number,
            status="done",
            values={"agreement": agreement + 0.01 * number, "snr_db": None},
            hits=row,
        )
        for number, row in enumerate(hits)
    ]


def judged(goal: str, hits: np.ndarray, **given: Any) -> Any:
    chosen = {"is_random": len(hits) > 1, "these_images": False, **given}
    floating = np.arange(hits.shape[1]) < hits.shape[1] - 10
    return judge_point(read_goal(goal), trials_of(hits), floating, images=hits.shape[1], **chosen)


def test_a_single_kind_of_chip_is_known_exactly_on_these_images() -> None:
    hits = (np.arange(1000) < 980)[None]  # the float network hits 990
    these = judged("accuracy_drop<=0.01", hits, these_images=True)
    assert (these.value, these.low, these.high) == pytest.approx((0.01, 0.01, 0.01))
    exact = judged("accuracy_drop<=0.02", hits, these_images=True)
    assert (exact.verdict, exact.needed) == ("met", None)
    assert judged("accuracy_drop<=0.005", hits, these_images=True).verdict == "missed"


def test_a_drop_on_new_images_has_students_t_over_images() -> None:
    hits = (np.arange(1000) < 930)[None]
    differences = np.r_[np.zeros(930), np.ones(60), np.zeros(10)]
    low, high = stats.t.interval(
        0.95, 999, loc=differences.mean(), scale=differences.std(ddof=1) / np.sqrt(1000)
    )
    found = judged("accuracy_drop<=0.01", hits)
    assert (found.value, found.low, found.high) == pytest.approx((0.06, low, high))
    assert found.verdict == "missed"
    between = judged("accuracy_drop<=0.07", hits)
    assert (between.meets, between.verdict) == (True, "likely met")
    chips, images = between.needed
    assert chips == 1
    # That many images of the same kind do decide.
    more = -(-images // 1000)
    wide = np.tile(hits[0], more)[None]
    floating = np.tile(np.arange(1000) < 990, more)
    again = judge_point(
        read_goal("accuracy_drop<=0.07"),
        trials_of(wide),
        floating,
        images=wide.shape[1],
        is_random=False,
        these_images=False,
    )
    assert again.verdict == "met"


def test_chips_that_differ_have_students_t_over_chips_on_these_images() -> None:
    hits = np.stack([np.arange(1000) < count for count in (960, 950, 970)])
    low, high = stats.t.interval(0.95, 2, loc=0.96, scale=0.01 / np.sqrt(3))
    found = judged("accuracy>=0.95", hits, these_images=True)
    assert (found.value, found.low, found.high) == pytest.approx((0.96, low, high))
    assert (found.verdict, found.chips) == ("likely met", 3)
    assert found.needed[0] > 3


def test_one_chip_says_nothing_of_others() -> None:
    found = judged("accuracy>=0.5", np.ones((1, 100), bool), is_random=True)
    assert (found.verdict, found.low, found.needed) == ("likely met", None, None)


def test_agreement_of_chips_that_are_alike_has_the_interval_of_a_share() -> None:
    hits = np.ones((1, 200), bool)
    wilson = stats.binomtest(200, 200).proportion_ci(0.95, "wilson")
    found = judged("agreement>=0.97", hits)
    assert (found.low, found.high) == pytest.approx((wilson.low, 1.0))
    assert found.verdict == "met"
    chips = judged("agreement>=0.97", np.ones((3, 200), bool))  # 1, 1.01 and 1.02 are made up
    assert chips.low == pytest.approx(stats.t.interval(0.95, 2, 1.01, 0.01 / np.sqrt(3))[0])


def test_outputs_without_any_noise_meet_every_ratio() -> None:
    found = judged("snr_db>=300", np.ones((1, 20), bool))
    assert (found.verdict, found.value) == ("met", np.inf)


def test_a_goal_that_is_reached_exactly_is_met() -> None:
    """In binary 1 - 0.99 is above 0.01, and 0.99 - 0.98 too: the bound may be reached."""
    floating = np.ones(100, bool)
    trials = trials_of((np.arange(100) < 99)[None])
    for these, verdict in ((True, "met"), (False, "likely met")):
        found = judge_point(
            read_goal("accuracy_drop<=0.01"),
            trials,
            floating,
            images=100,
            is_random=False,
            these_images=these,
        )
        assert (found.verdict, found.needed) == (verdict, None)
    # A single image of ten million is far more than rounding, and tiny errors have no such slack.
    assert not Goal("accuracy_drop", 0.01, at_most=True).keeps(0.01 + 1e-7)
    assert not Goal("mse", 1e-12, at_most=True).keeps(1.001e-12)


def test_no_change_on_these_images_is_no_proof_for_new_ones() -> None:
    """Of n images without a change: 1 - 0.025^(1/n), the bound of Clopper and Pearson."""
    floating = np.ones(100, bool)
    given: dict[str, Any] = {"images": 100, "is_random": False}
    same = trials_of(floating[None])
    bound = stats.binomtest(0, 100).proportion_ci(0.95, "exact").high
    none = read_goal("accuracy_drop<=0")
    found = judge_point(none, same, floating, these_images=False, **given)
    assert (found.low, found.high) == pytest.approx((-bound, bound), rel=1e-9)
    assert (found.verdict, found.needed) == ("likely met", None)
    these = judge_point(none, same, floating, these_images=True, **given)
    assert (these.verdict, these.low, these.high) == ("met", 0, 0)
    for share in ("accuracy>=1", "agreement>=1"):
        goal = read_goal(share)
        assert (
            judge_point(goal, same, floating, these_images=False, **given).verdict == "likely met"
        )
        assert judge_point(goal, same, floating, these_images=True, **given).verdict == "met"
    lost = trials_of(~floating[None])
    found = judge_point(none, lost, floating, these_images=False, **given)
    assert found.verdict == "missed"
    assert found.low == pytest.approx(1 - bound, rel=1e-9)


@pytest.mark.parametrize("these_images", [False, True])
@pytest.mark.parametrize("goal", ["accuracy_drop<=0.1", "accuracy>=0.5", "accuracy_drop<=0"])
def test_random_chips_that_came_out_alike_prove_nothing(goal: str, these_images: bool) -> None:
    hits = np.tile(np.arange(1000) < 985, (3, 1))  # float32 hits 990
    found = judged(goal, hits, these_images=these_images)
    assert (found.proven, found.low, found.needed) == (False, None, None)
    assert found.verdict.startswith("likely")
    hits[1, 985] = True
    assert judged("accuracy>=0.5", hits, these_images=these_images).verdict == "met"


def test_images_that_would_decide_a_share_do_decide_it() -> None:
    hits = (np.arange(200) < 184)[None]
    found = judged("accuracy>=0.9", hits)
    chips, images = found.needed
    assert (found.verdict, chips) == ("likely met", 1)
    for count, decides in ((1.3 * images, True), (0.7 * images, False)):  # "about" so many
        low = stats.binomtest(round(0.92 * count), round(count)).proportion_ci(0.95, "wilson").low
        assert (low > 0.9) == decides


# Searching


def test_a_search_finds_what_all_points_say(tmp_path: Path) -> None:
    quick, whole = MadeUpPool(monotone), MadeUpPool(monotone)
    found = searched(tmp_path / "a.sqlite", quick)
    every = searched(tmp_path / "b.sqlite", whole, exhaustive=True)
    assert (len(whole.jobs), len(every.points), every.contradictions) == (18, 18, ())
    assert len(quick.jobs) == len(found.points) < 9
    best = known(found.best)
    assert best.values == known(every.best).values
    floating = prepare_search(question()).floating
    hits = int(known(floating).sum())
    least = min(
        (known(point.costs["converted_bits"]), known(point.costs["arrays"]))
        for point in every.points
        if hits - monotone(known(point.settings.adc.n_bits), point.settings.crossbar.rows) <= 4
    )
    assert (best.costs["converted_bits"], best.costs["arrays"]) == least
    rest = found.ruled_out + found.unneeded
    assert len(found.points) + rest == found.total == 18
    assert [point.meets for point in found.points] == sorted(
        [point.meets for point in found.points], reverse=True
    )


# Both kinds of search, and a stop after every number of jobs; all pairs of them are slow.
STOPS = [
    pytest.param(number, exhaustive, marks=pytest.mark.slow if exhaustive != number % 2 else [])
    for number in range(4)
    for exhaustive in (False, True)
]


@pytest.mark.parametrize(("stops_after", "exhaustive"), STOPS)
def test_an_interrupted_search_goes_on(tmp_path: Path, stops_after: int, exhaustive: bool) -> None:
    given = {"set": {"device.write_sigma": 0.1, "trials": 2}, "exhaustive": exhaustive}
    at_once = searched(tmp_path / "whole.sqlite", whole := MadeUpPool(monotone), **given)
    first = MadeUpPool(monotone, stops_after)
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "parts.sqlite", first, **given)
    second = MadeUpPool(monotone)
    resumed = searched(tmp_path / "parts.sqlite", second, **given)
    # A job whose outcome was not written yet is done again, and no other.
    keys = [job.key for job in (*first.jobs, *second.jobs)]
    assert {job.key for job in whole.jobs} == set(keys)
    assert len(keys) - len(set(keys)) <= 1
    assert told(resumed) == told(at_once)
    third = MadeUpPool(monotone)
    assert told(searched(tmp_path / "parts.sqlite", third, **given)) == told(at_once)
    assert third.jobs == []


def test_after_the_first_point_it_is_known_how_many_more_there_are_at_most(tmp_path: Path) -> None:
    pool, bounds = MadeUpPool(monotone), list[tuple[int, float]]()
    with open_results(tmp_path / "r.sqlite", write=True) as results:
        run_search(
            prepare_search(question()),
            results,
            pool,
            ahead=lambda points, seconds: bounds.append((points, seconds)),
        )
    [(points, seconds)] = bounds
    assert len(pool.jobs) - 1 <= points < 18 - 1  # the first settles others too
    assert seconds >= 0


def test_a_long_search_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    _tell_ahead(8, 1.0)
    assert capsys.readouterr().err == ""
    _tell_ahead(1, 600.0)
    _tell_ahead(8, 15.0)
    assert capsys.readouterr().err == (
        "at most 1 more point: about 10 minutes, by the first\n"
        "at most 8 more points: about 2 minutes, by the first\n"
    )


def test_points_of_other_searches_are_known(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    searched(path, exhaustive=True)
    pool = MadeUpPool(monotone)
    found = searched(path, pool, goal="accuracy_drop<=0.3", minimise="arrays")
    assert (pool.jobs, found.end.new, len(found.points)) == ([], 0, 18)
    with open_results(path) as results:
        assert len(results.sweeps()) == 2


def test_no_point_meets_the_goal(tmp_path: Path) -> None:
    found = searched(tmp_path / "r.sqlite", MadeUpPool(lambda bits, rows: bits))
    assert found.best is None
    assert known(found.nearest).values["adc.n_bits"] == 8
    at = {(point.settings.adc.n_bits, point.settings.crossbar.rows) for point in found.points}
    assert (8, 16) in at  # best in every setting: alone it rules out all others
    assert len(at) <= 6
    assert found.ruled_out == 18 - len(at)


def printed(result: SearchResult) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    print_search(result, Path("r.sqlite"), console)
    return console.export_text()


def test_points_that_an_unproven_miss_rules_out_are_told(tmp_path: Path) -> None:
    found = searched(tmp_path / "r.sqlite", MadeUpPool(lambda bits, rows: 34), goal=GOAL)
    judged_by = {
        (known(p.settings.adc.n_bits), p.settings.crossbar.rows): p.judged for p in found.points
    }
    assert {each.verdict for each in judged_by.values()} == {"likely missed"}
    assert found.ruled_out_undecided == found.ruled_out == 18 - len(judged_by) > 0
    assert f"{found.ruled_out} points were left out only because" in printed(found)
    # A miss that is proven rules out for good.
    sure = searched(tmp_path / "s.sqlite", MadeUpPool(lambda bits, rows: 2), goal=GOAL)
    assert (sure.ruled_out_undecided, sure.ruled_out > 0) == (0, True)
    assert "left out only because" not in printed(sure)


def test_points_that_cost_more_than_the_winner_are_no_loss(tmp_path: Path) -> None:
    """Counted from the directions: fewer bits and longer lines are worse."""
    pool = MadeUpPool(lambda bits, rows: 40 if (bits, rows) == (8, 16) else 35)
    found = searched(tmp_path / "r.sqlite", pool, goal=GOAL)
    prepared = prepare_search(question(GOAL))
    cost = {}
    for candidate in prepared.candidates:
        settings = candidate.planned.settings
        place = known(settings.adc.n_bits), settings.crossbar.rows
        cost[place] = candidate.costs["converted_bits"], candidate.costs["arrays"]
    done = {(known(p.settings.adc.n_bits), p.settings.crossbar.rows): p for p in found.points}
    best = known(found.best)
    assert (best.settings.adc.n_bits, best.settings.crossbar.rows) == (8, 16)

    def excluded(place: tuple[int, int], *, proven: bool) -> bool:
        return any(
            not point.meets
            and (point.judged.proven or not proven)
            and place[0] <= bits
            and place[1] >= rows
            for (bits, rows), point in done.items()
        )

    wanted = [
        place
        for place in cost
        if place not in done
        and excluded(place, proven=False)
        and not excluded(place, proven=True)
        and cost[place] < cost[8, 16]
    ]
    assert found.ruled_out_undecided == len(wanted) > 0


def test_a_mean_that_equals_the_bound_is_called_so(tmp_path: Path) -> None:
    hits = int(known(prepare_search(question()).floating).sum())
    pool = MadeUpPool(lambda bits, rows: hits - 4)
    text = printed(searched(tmp_path / "r.sqlite", pool, goal="accuracy_drop<=0.1"))
    assert "Undecided by its interval, so the mean decides: it equals the bound" in text


def test_strict_takes_proven_points_only(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    loose = searched(path)
    strict = searched(path, strict=True)
    assert known(loose.best).judged.verdict == "likely met"
    assert strict.best is None or strict.best.judged.verdict == "met"
    assert {point.meets for point in strict.points if not point.judged.proven} == {False}


def test_a_wrong_assumption_is_told(tmp_path: Path) -> None:
    found = searched(
        tmp_path / "r.sqlite", MadeUpPool(lambda bits, rows: 40 if bits < 6 else 0), exhaustive=True
    )
    assert known(found.best).values["adc.n_bits"] == 3
    for low, high in found.contradictions:
        assert found.points[low].values["adc.n_bits"] < found.points[high].values["adc.n_bits"]
    assert len(found.contradictions) == 3 * 3 * (1 + 2 + 3)  # rows that are no better: 3 + 2 + 1


def test_a_point_that_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    best = known(searched(path).best)
    place = known(best.settings.adc.n_bits), best.settings.crossbar.rows
    other = searched(tmp_path / "s.sqlite", MadeUpPool(monotone, fails=[place]))
    assert list(other.failed.values()) == ["it was to fail"]
    assert known(other.best).values != best.values
    again = searched(tmp_path / "s.sqlite")
    assert (again.failed, known(again.best).values) == ({}, best.values)


def test_what_is_not_measured_is_refused() -> None:
    with pytest.raises(InputError, match="labelled data"):
        prepare_search(question("mse<=1"))
    with pytest.raises(InputError, match="--minimise"):
        prepare_search(question(minimise="watts"))
    with pytest.raises(SettingError, match=r"--over, point adc.n_bits=1.*expected 2"):
        prepare_search(question(over="adc.n_bits=1,2"))
    with pytest.raises(SettingError, match="expected at most 4,096"):
        prepare_search(question(over="crossbar.rows=1..70,crossbar.cols=1..70"))


# A shipped network, end to end


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["search", *map(str, words)])
    out, err = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, out, err


@pytest.mark.usefixtures("sweeps_run_here")
def test_a_shipped_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--limit=60", "--over", "adc.n_bits=3..6,crossbar.rows+crossbar.cols=32,64"]
    options += ["--minimise=converted_bits", f"--cache={tmp_path / 'cache'}", "--these-images"]
    goal = "--goal=accuracy_drop<=0.02"
    code, out, _ = run(capsys, MODEL, goal, *options, "-o", "best.yaml", "--json", "s.json")
    assert code == 0
    assert "no cheaper than the best" in out
    assert Path("digits_mlp.search.sqlite").is_file()
    found = json.loads(Path("s.json").read_text())
    winner = found["points"][found["winner"]]
    assert found["evaluated"] < found["total"] == 8
    # All points, each by itself.
    every = {}
    for bits in range(3, 7):
        for rows in (32, 64):
            changes = {"adc.n_bits": bits, "crossbar.rows": rows, "crossbar.cols": rows}
            result = rxsim.evaluate(MODEL, rxsim.settings(changes=changes), limit=60)
            tables = [result.rung(name).table("accuracy") for name in ("float32", "nonideal")]
            drop = known(tables[0]).mean() - known(tables[1]).mean()
            cost = bits * known(result.totals["conversions"]), result.totals["arrays"]
            every[bits, rows] = drop, cost
    cheapest = min((cost, key) for key, (drop, cost) in every.items() if drop <= 0.02)[1]
    at = winner["values"]["adc.n_bits"], winner["values"]["crossbar.rows"]
    assert at == cheapest
    assert winner["value"] == pytest.approx(every[cheapest][0])
    best = load_settings(Path("best.yaml"))
    assert (best.adc.n_bits, best.crossbar.rows, best.crossbar.cols) == (*at, at[1])
    # Again: nothing is new; and a goal that nothing meets ends with 1 and writes no settings.
    code, out, _ = run(capsys, MODEL, goal, *options, "--json", "-")
    assert (code, json.loads(out)["timing"]["new_trials"]) == (0, 0)
    monkeypatch.chdir(tmp_path)
    words = [MODEL, "--goal=snr_db>=200", *options, "-o", "none.yaml"]
    code, out, err = run(capsys, *words)
    assert code == 1
    assert "Nearest: adc.n_bits 6, crossbar.rows 32" in out
    assert "no point meets snr_db>=200" in err
    assert not Path("none.yaml").exists()


@pytest.mark.usefixtures("sweeps_run_here")
def test_strict_says_what_would_prove_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--limit=20", "--over=adc.n_bits=8", "--xbar=32x32", "--cache=none", "--strict"]
    code, out, err = run(capsys, MODEL, "--goal=accuracy_drop<=0.01", *options)
    assert code == 1
    assert "95 % new images" in out
    assert "1 point likely would; give more --trials or images" in err
    code, out, _ = run(capsys, MODEL, "--goal=accuracy_drop<=0.1", *options, "--these-images")
    assert code == 0
    assert "95 % these images" in out
    # Two chips are advised more chips, not thousands of images.
    drawn = ["--set=device.write_sigma=0.1", "--trials=2"]
    _, out, _ = run(capsys, MODEL, "--goal=accuracy_drop<=0.05", *options[:-1], *drawn)
    assert "give --trials 10" in out or "came out alike" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--goal", "accuracy>=2", "--over", "adc.n_bits=4"], "--goal"),
        (["--goal", "accuracy>=.2", "--over", "adc.bits=4"], "adc.bits is not a setting"),
        (["--goal", "accuracy>=.2"], "--over is missing"),
        (["--goal", "accuracy>=.2", "--over", "adc.n_bits=4", "--minimise", "watts"], "watts"),
        (["--goal", "accuracy>=.2", "--over", "adc.n_bits=4", "-o", str(MODEL)], "digits_mlp"),
    ],
)
def test_bad_words_end_with_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, MODEL, *words)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("sweeps_run_here")
def test_the_interface_gives_what_the_command_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rxsim.api.searches.LocalPool", lambda count, memory: HerePool())
    over = {"adc.n_bits": [4, np.int64(6)], "crossbar.rows+crossbar.cols": "32,64"}
    found = rxsim.run_search(
        MODEL, "agreement>=0.9", over, tmp_path / "a.sqlite", settings="16x16", limit=10
    )
    words = ["--goal=agreement>=0.9", "--over=adc.n_bits=4,6", "--xbar=16x16", "--limit=10"]
    words += ["--over=crossbar.rows+crossbar.cols=32,64", "--cache=none", "--json", "-"]
    code, out, _ = run(capsys, MODEL, *words, "--results", tmp_path / "b.sqlite")
    written, plain = json.loads(out), found.as_json()
    del written["timing"], plain["timing"]
    assert (code, plain) == (0, written)
