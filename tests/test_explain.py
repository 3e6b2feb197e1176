"""Explanations: against evaluations of the same rungs, and against networks with digital layers."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rxsim.cache import Cache
from rxsim.cli import main
from rxsim.config import load_settings
from rxsim.deadline import Deadline, Overrun
from rxsim.errors import InputError
from rxsim.estimate import Estimate, estimate
from rxsim.explain import Asked, explain
from rxsim.explain.chips import Chips
from rxsim.explain.effects import explain_effects
from rxsim.explain.layers import dominant_effect, worst_first
from rxsim.explain.players import players_of
from rxsim.explain.quantity import Quantity, chosen_quantity
from rxsim.explain.result import LayerRow
from rxsim.pipeline import DataOptions, Runner, Study, evaluate, open_study, rungs_of
from rxsim.run import LayerHealth, score
from rxsim.run.diagnose import diagnose_layers

MODELS = Path(__file__).parents[1] / "models"
NOISY = ("device.write_sigma=0.05", "trials=2")
OPEN = ("adc.n_bits=null", "dac.n_bits=null")
NO_WIRES = tuple(f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"))


def study_of(name: str, *assignments: str, limit: int = 100) -> Study:
    settings = load_settings(None, xbar=None, assignments=assignments, overrides={})
    return open_study(MODELS / f"{name}.onnx", settings, DataOptions(limit=limit))


def chips_of(study: Study) -> Chips:
    runner = Runner(study)
    floating = runner.score_float()
    return Chips(study, runner, floating, chosen_quantity(None, study.metric, floating))


def test_effects_alone_and_left_out_are_the_rungs_of_an_evaluation() -> None:
    study = study_of("digits_mlp", *NOISY)
    names = [player.name for player in players_of(study)]
    more = [f"{word} {name}" for name in names for word in ("only", "without")]
    rungs = evaluate(study, rungs_of(study, more))
    mean = {
        rung.name: float(np.mean([run.mean("accuracy") for run in rung.trials]))
        for rung in rungs.ladder
    }
    found = explain(study, Asked(by="effects", remedies=False))
    assert found.effects is not None
    assert found.all == pytest.approx(mean["nonideal"], abs=1e-12)
    for row in found.effects.rows:
        assert row.alone.mean == pytest.approx(mean[f"only {row.name}"] - found.none, abs=1e-12)
        wanted = mean["nonideal"] - mean[f"without {row.name}"]
        assert row.left_out.mean == pytest.approx(wanted, abs=1e-12)


@pytest.fixture(scope="module")
def solved_once(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study that keeps its solved arrays (which changes no result: test_remember)."""
    study = study_of("digits_mlp", "device.write_sigma=0.05", "trials=2", limit=40)
    return replace(study, cache=Cache(tmp_path_factory.mktemp("solved")))


# Agreement is a share of the images as accuracy is.
@pytest.mark.parametrize(
    "quantity", ["accuracy", pytest.param("agreement", marks=pytest.mark.slow), "snr_db"]
)
def test_shapley_values_and_steps_add_up_to_what_all_effects_take(
    quantity: str, solved_once: Study
) -> None:
    found = explain(solved_once, Asked(by="effects", remedies=False, quantity=quantity))
    assert found.effects is not None
    assert found.effects.method == "exact"
    rows = found.effects.rows
    assert {row.name for row in rows} == {"levels", "dac", "adc", "write_error", "wires"}
    for parts in (
        [row.added.mean for row in rows],
        [row.shapley.mean for row in rows if row.shapley is not None],
    ):
        assert sum(parts) == pytest.approx(found.all - found.none, abs=1e-9)
    # Recomputed from the means of the JSON's sets, by the definition: over all orders of joining.
    effects = found.as_json()["effects"]
    mean = {frozenset(each["on"]): each["mean"] for each in effects["sets"]}
    assert len(mean) == 2 ** len(rows)
    orders = list(permutations([row.name for row in rows]))
    for row in effects["rows"]:
        steps = [
            mean[before | {row["name"]}] - mean[before]
            for order in orders
            for before in [frozenset(order[: order.index(row["name"])])]
        ]
        assert sum(steps) / len(steps) == pytest.approx(row["shapley"]["mean"], abs=1e-9)


def test_noise_shares_are_shapley_values_of_the_outputs_noise() -> None:
    """Of two effects, by the definition, from the rungs of an evaluation."""
    study = study_of("digits_cnn", *OPEN, "device.n_bits=3", "crossbar.r_wire_wl=20")
    rungs = evaluate(study, rungs_of(study, ["only levels", "only wires"])).ladder
    noise = {}
    for rung in rungs:
        ratio = rung.trials[0].mean("snr_db")
        assert ratio is not None
        noise[rung.name] = 10 ** (-ratio / 10)
    found = explain(study, Asked(by="effects", remedies=False)).effects
    assert found is not None
    levels, wires = (row.noise_share for row in found.rows)
    part = (noise["only levels"] + noise["nonideal"] - noise["only wires"]) / 2
    # Hardware without effects has the rounding of float32 only.
    assert levels == pytest.approx(part / noise["nonideal"], rel=1e-6)
    assert wires == pytest.approx(1 - part / noise["nonideal"], rel=1e-6)


def test_hardware_without_effects_gives_what_the_float_network_gives() -> None:
    found = explain(study_of("digits_cnn"), Asked(by="effects", remedies=False))
    assert found.none == found.floating


def test_more_effects_than_six_are_sampled_and_add_up() -> None:
    study = study_of(
        "digits_mlp",
        *("device.write_sigma=0.03", "device.d2d_sigma=0.1", "device.stuck_lrs=0.01"),
        *("adc.offset_sigma=0.5", "mapping.w_percentile=99"),
        *NO_WIRES,  # many sets of effects, none of which has a circuit to solve
        limit=20,
    )
    found = explain(study, Asked(by="effects", remedies=False))
    assert found.effects is not None
    assert (len(found.effects.rows), found.effects.method) == (8, "sampled")
    values = [row.shapley.mean for row in found.effects.rows if row.shapley is not None]
    assert sum(values) == pytest.approx(found.all - found.none, abs=1e-9)
    assert found.effects.coalitions < 2**8


def test_sets_of_effects_that_leave_the_same_hardware_run_once() -> None:
    """Effects that are not in the settings change nothing: both sets are the same hardware."""
    chips = chips_of(study_of("digits_mlp", limit=30))
    chips.value(frozenset({"levels"}))
    runs = chips.runs
    chips.value(frozenset({"levels", "drift", "faults", "variation"}))
    assert chips.runs == runs


def test_nothing_is_solved_twice(tmp_path: Path) -> None:
    """A chip's arrays depend on cells and wires alone: converters and order do not solve them anew."""
    study = replace(study_of("digits_cnn", *NOISY, limit=20), cache=Cache(tmp_path))
    chips, solved = chips_of(study), set[str]()
    original = Cache.put

    def put(self: Cache, key: str, arrays: Any) -> None:
        assert key not in solved
        solved.add(key)
        original(self, key, arrays)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Cache, "put", put)
        explain_effects(chips, players_of(study), Deadline(None))
    # Layers x (nominal with and without levels, and 2 chips of both), where there are wires.
    circuits = 4 * 2 * (1 + 2)
    transfers = 0
    for path in tmp_path.rglob("*.npz"):
        with np.load(path, allow_pickle=False) as kept:
            transfers += "losses" in kept.files
    assert transfers == circuits


def others_digital(kept: str, names: list[str]) -> list[str]:
    return [f"layers.{name}.digital=true" for name in names if name != kept]


def test_only_a_layer_analog_is_the_network_whose_others_are_digital() -> None:
    """Without converters nothing is calibrated, so settings of digital layers give the same chip."""
    settings = (*OPEN, "crossbar.r_wire_wl=20", "device.n_bits=3")
    study = study_of("digits_cnn", *settings)
    names = [layer.name for layer in study.network.layers]
    found = explain(study, Asked(by="layers", remedies=False, quantity="snr_db"))
    assert found.layers is not None
    for row in found.layers.rows:
        alone = study_of("digits_cnn", *settings, *others_digital(row.name, names))
        [rung] = [rung for rung in evaluate(alone).ladder if rung.name == "nonideal"]
        ratio = rung.trials[0].mean("snr_db")
        assert ratio is not None
        assert row.only is not None
        assert row.only.mean + found.floating == pytest.approx(ratio, abs=1e-3)
        # With the others digital its inputs are clean: the noise of its own output is the same.
        health = first_chip_health(alone, row.name, 100)
        assert row.snr_clean_db == pytest.approx(health.snr_db, abs=1e-3)


def first_chip_health(study: Study, layer: str, count: int) -> LayerHealth:
    return diagnose_layers(
        study.network.model,
        evaluate(study).first_chip,
        study.network.layers,
        study.inputs.subset(np.arange(count)),
        batch=study.batch,
        threads=1,
    )[layer]


def output_noise(*settings: str) -> float:
    ratio = evaluate(study_of("digits_mlp", *settings)).ladder[-1].trials[0].mean("snr_db")
    assert ratio is not None
    return float(10 ** (-ratio / 10))


def test_a_layers_part_of_the_noise_is_what_it_makes_alone_and_what_goes_without_it() -> None:
    """Against evaluations of networks whose other layers are digital."""
    settings = (*OPEN, "device.n_bits=3")
    study = study_of("digits_mlp", *settings)
    names = [layer.name for layer in study.network.layers]
    found = explain(study, Asked(by="layers", remedies=False)).layers
    assert found is not None
    whole = output_noise(*settings)
    for row in found.rows:
        alone = output_noise(*settings, *others_digital(row.name, names))
        rest = output_noise(*settings, f"layers.{row.name}.digital=true")
        assert row.output_noise == pytest.approx((alone + whole - rest) / 2 / whole, abs=1e-4)


def test_the_first_layers_inputs_are_clean_in_the_whole_network_too() -> None:
    found = explain(study_of("digits_cnn"), Asked(by="layers", remedies=False))
    assert found.layers is not None
    first = found.layers.rows[0]
    assert first.snr_clean_db == pytest.approx(first.snr_db, abs=1e-6)


def test_the_dominant_effect_makes_most_alone_and_leaves_most() -> None:
    alone, left_out = {"a": 0.2, "b": 0.3}, {"a": 0.3, "b": 0.5}
    # a: (0.2 + 0.6 - 0.3) / 2 = 0.25; b: (0.3 + 0.6 - 0.5) / 2 = 0.2.
    assert dominant_effect(0.6, alone, left_out) == "a"
    assert dominant_effect(0.0, {"a": 0.0}, {"a": 0.0}) == ""


def test_a_spent_budget_leaves_out_what_is_less_urgent_and_says_so() -> None:
    found = explain(study_of("digits_mlp", limit=20), Asked(budget=0, remedies=False))
    assert found.effects is not None
    assert found.layers is not None
    assert found.effects.method == "none"
    assert all(row.shapley is None for row in found.effects.rows)
    assert all(row.all_but is None for row in found.layers.rows)
    assert tuple(each for each in found.left_out if "overrun" not in each) == (
        "Shapley values of the effects were left out for lack of time",
        "runs with and without single layers were left out for lack of time, for "
        f"{len(found.layers.rows)} of {len(found.layers.rows)} layers",
    )


def test_a_layer_with_coarse_cells_is_named_with_its_effect() -> None:
    study = study_of("digits_cnn", "layers.fc1.device.n_bits=1")
    found = explain(study, Asked(remedies=False))
    assert found.layers is not None
    assert found.effects is not None
    assert found.layers.worst_first[0] == "fc1"
    [row] = [row for row in found.layers.rows if row.name == "fc1"]
    assert row.dominant == "levels"
    assert found.effects.worst_first[0] == "levels"


def test_everything_but_the_time_repeats_for_any_number_of_threads() -> None:
    settings = ("device.write_sigma=0.05", "trials=2")
    study = study_of("digits_mlp", *settings, limit=20)
    one, two = (
        explain(replace(study, threads=threads), Asked(remedies=False)).as_json()
        for threads in (1, 3)
    )
    del one["timing"], two["timing"]
    assert one == two


def test_signal_to_noise_is_cut_where_float32_ends() -> None:
    """Hardware without effects has only the rounding of float32: its ratio says nothing."""
    exact = ("device.n_bits=null", "adc.n_bits=null", "dac.n_bits=null", *NO_WIRES)
    found = explain(
        study_of("digits_mlp", *exact, limit=20),
        Asked(quantity="snr_db", by="effects", remedies=False),
    )
    assert (found.floating, found.none, found.all) == (100.0, 100.0, 100.0)
    assert found.effects is not None
    assert found.effects.rows == ()


def made_row(name: str, gain: tuple[float, float, float], noise: float) -> LayerRow:
    mean, low, high = gain
    value = Estimate(mean=mean, standard_error=None, low=low, high=high)
    return LayerRow(
        name=name,
        op="Gemm",
        only=value,
        all_but=value,
        output_noise=noise,
        snr_clean_db=20.0,
        snr_db=20.0,
        dac_clipping=None,
        adc_clipping=None,
        noise_alone={},
        noise_left_out={},
        dominant="",
    )


def test_layers_are_ranked_by_what_is_proven() -> None:
    """By accuracy where any layer's gain is proven; by the noise of the output where none is."""
    noisy = made_row("noisy", (-0.01, -0.03, 0.01), 0.6)
    costly = made_row("costly", (-0.1, -0.12, -0.08), 0.2)
    assert worst_first([noisy, costly], ["noisy", "costly"], 1.0) == ("costly", "noisy")
    unsure = made_row("costly", (-0.1, -0.22, 0.02), 0.2)
    assert worst_first([noisy, unsure], ["noisy", "costly"], 1.0) == ("noisy", "costly")
    # Where less is better a cost is a rise.
    assert (
        worst_first([made_row("a", (0.1, 0.08, 0.12), 0.0), noisy], ["a", "noisy"], -1.0)[0] == "a"
    )


def test_the_signal_to_noise_of_one_chip_has_an_interval_over_images() -> None:
    """Its bounds are those of the delta method from each image's energies, its mean that of all."""
    rng = np.random.default_rng(5)
    reference = rng.normal(size=(60, 4)).astype(np.float32)
    error = (0.1 * rng.normal(size=(60, 4))).astype(np.float32)
    scores = score(reference + error, reference, None, "none")
    values = Quantity("snr_db").values(scores, scores)[None]
    signal, noise = np.square(reference).sum(axis=1), np.square(error).sum(axis=1)
    whole = 10 * np.log10(signal.sum() / noise.sum())
    assert values.mean() == pytest.approx(whole, abs=1e-4)
    # The jackknife leaves out an image at a time: the same error to first order.
    left = [
        10 * np.log10(np.delete(signal, i).sum() / np.delete(noise, i).sum()) for i in range(60)
    ]
    jackknife = np.sqrt(59 / 60 * np.square(left - np.mean(left)).sum())
    found = estimate(values)
    assert found.standard_error == pytest.approx(jackknife, rel=0.03)
    assert found.low is not None


@pytest.mark.parametrize("budget", [float("nan"), float("inf"), -1.0])
def test_a_budget_that_is_none_is_refused(
    budget: float, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="budget: found"):
        Asked(budget=budget)
    with pytest.raises(SystemExit) as ended:
        main(["explain", str(MODELS / "digits_mlp.onnx"), "--budget", str(budget)])
    assert ended.value.code == 2
    assert "budget: found" in capsys.readouterr().err


def test_a_short_budget_makes_fewer_chips_and_says_so() -> None:
    study = study_of("digits_mlp", "device.write_sigma=0.05", "trials=6", limit=10)
    found = explain(study, Asked(by="effects", remedies=False, budget=0))
    assert found.chips == 1
    assert any("1 of 6 were made" in sentence for sentence in found.left_out)
    # The first of the six: what fewer trials give.
    one = explain(
        study_of("digits_mlp", "device.write_sigma=0.05", "trials=1", limit=10),
        Asked(by="effects", remedies=False),
    )
    assert found.all == one.all


def test_an_overrun_budget_says_by_how_much_and_by_what(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("rxsim.deadline.time.monotonic", lambda: clock[0])
    deadline = Deadline(60.0)
    overrun = Overrun(deadline)
    assert deadline.until(0.5).left == 30.0
    for clock[0], part in ((50.0, "built chips"), (75.0, "effects"), (80.0, "layers")):
        overrun.end(part)
    assert overrun.sentence.startswith(
        "the budget of 60 s was overrun by 20 s (effects 15 s, layers 5 s): "
    )
    assert Overrun(Deadline(None)).sentence == ""
