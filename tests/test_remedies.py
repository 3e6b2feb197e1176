"""Remedies: each is tried in a real run, the right one comes first, and the best is written out."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from made_evidence import evidence_of
from small_networks import dense, network

import rxsim
from rxsim.cache import Cache
from rxsim.cli import main
from rxsim.commands import explain as command
from rxsim.compensate import acting_on_arrays
from rxsim.config import Settings, as_yaml, layer_settings, load_settings, settings_hash
from rxsim.deadline import Deadline
from rxsim.errors import InputError, SettingError, WriteError
from rxsim.estimate import estimate
from rxsim.explain import remedy_runs
from rxsim.explain.advice import Advice, candidates_of, try_remedies
from rxsim.explain.changes import changed, everywhere, in_layer, joined
from rxsim.explain.evidence import Evidence
from rxsim.explain.finalists import MOST_FINALISTS, Confirmation, finalists_of
from rxsim.explain.remedies import REMEDIES
from rxsim.explain.remedies_together import tried_together
from rxsim.explain.remedy_proof import advised, helps
from rxsim.explain.remedy_runs import SPLIT_FROM, RemedyRuns, Tried
from rxsim.explain.result import Attempt, Trap, Untried
from rxsim.explain.trap_remedies import trap_remedies
from rxsim.files import check_writable
from rxsim.pipeline import DataOptions, Foundries, Study, open_study, with_settings
from rxsim.pipeline.chip import solved
from rxsim.report.better_settings import better_settings
from rxsim.tiles import transfer_matrices

MODELS = Path(__file__).parent.parent / "models"
CNN = MODELS / "digits_cnn.onnx"
MLP = MODELS / "digits_mlp.onnx"
SAMPLES = "calibration.samples=16"
FINE = (SAMPLES, "adc.n_bits=9", "dac.n_bits=8", "device.n_bits=8")


def loaded(*assignments: str) -> Settings:
    return load_settings(assignments=[SAMPLES, *assignments])


def studied(*assignments: str, model: Path = MLP, limit: int = 100) -> Study:
    return open_study(model, loaded(*assignments), DataOptions(limit=limit), threads=1)


@pytest.fixture(scope="module")
def coarse() -> Evidence:
    """What is known of hardware whose ADCs have two bits; it is read only."""
    return evidence_of(studied("adc.n_bits=2", limit=20), "agreement")


# Changes of settings


def test_a_change_everywhere_reaches_layers_that_state_the_setting_too() -> None:
    settings = loaded("layers={'conv*': {adc: {n_bits: 3}}, fc1: {dac: {n_bits: 4}}}")
    changes = everywhere(settings, "adc.n_bits", lambda old: old + 1)
    assert changes == {"adc.n_bits": 7, "layers.conv*": {"adc": {"n_bits": 4}}}
    after = changed(settings, changes, "test")
    for layer, bits in (("conv1", 4), ("fc1", 7), ("other", 7)):
        assert _of(after, layer).adc.n_bits == bits
    assert _of(after, "fc1").dac.n_bits == 4


def test_a_change_in_a_layer_leaves_all_others_and_what_else_it_states() -> None:
    settings = loaded("layers={a.b/c: {adc: {n_bits: 3, scope: column}}}")
    after = changed(
        settings, in_layer(settings, "a.b/c", "adc.n_bits", lambda old: old + 2), "test"
    )
    assert (_of(after, "a.b/c").adc.n_bits, _of(after, "a.b/c").adc.scope) == (5, "column")
    assert _of(after, "other") == _of(settings, "other")
    assert in_layer(settings, "a.b/c", "adc.n_bits", lambda old: old) == {}


def test_the_other_name_of_a_quantity_is_replaced() -> None:
    settings = loaded("device.n_levels=5")
    assert changed(settings, {"device.n_bits": 4}, "test").device.levels == 16
    assert changed(settings, {"layers.fc": {"device": {"n_bits": 4}}}, "test").device.levels == 5


def test_joined_changes_of_a_layer_stay_both_and_a_digital_layer_stays_digital() -> None:
    bits, scope = {"layers.a": {"adc": {"n_bits": 3}}}, {"layers.a": {"adc": {"scope": "tile"}}}
    assert joined(bits, scope) == {"layers.a": {"adc": {"n_bits": 3, "scope": "tile"}}}
    digital = {"layers.a": {"digital": True}}
    assert joined(bits, digital) == joined(digital, bits) == digital
    assert (
        layer_settings(changed(loaded("layers={a: {adc: {n_bits: 3}}}"), digital, "t"), "a") is None
    )


def test_settings_of_digital_layers_load_as_they_were_written(tmp_path: Path) -> None:
    settings = loaded("layers={conv1: {digital: true}, fc1: {adc: {n_bits: 3}}}")
    (tmp_path / "settings.yaml").write_text(as_yaml(settings))
    assert settings_hash(load_settings(tmp_path / "settings.yaml")) == settings_hash(settings)


def _of(settings: Settings, layer: str) -> Settings:
    resolved = layer_settings(settings, layer)
    assert resolved is not None
    return resolved


# Candidates

KINDS = {
    "default": (),
    "without converters": ("adc.n_bits=null", "dac.n_bits=null"),
    "clipped": ("mapping.w_percentile=99", "adc.percentile=99", "input.percentile=99"),
    "offset": ("mapping.scheme=offset",),
    "sliced": ("mapping.weight_bits=8", "mapping.bits_per_cell=2"),
    "odd levels": ("device.n_levels=7", "mapping.scheme=offset"),
    "one bit at a time": ("input.encoding=bit_serial", "adc.range=full_scale", "adc.scope=tile"),
    "a conversion a layer": ("adc.where=per_layer",),
    "noisy": ("device.write_sigma=3%", "device.read_sigma=1%", "device.d2d_sigma=5%", "trials=2"),
    "measured device": ("device.model=pcm-nandakumar", "device.time=1d"),
    "curved": ("device.iv.form=sinh", "device.iv.v0=0.5"),
    "both ends": ("crossbar.r_driver_far=50", "crossbar.drive_side=right"),
    "single layers": ("layers={'fc*': {adc: {n_bits: 4}}, fc1: {device: {n_levels: 9}}}",),
}


@cache
def evidence_of_kind(kind: str) -> Evidence:
    """What is known of hardware of some kind; it is read only."""
    study = studied(*KINDS[kind], limit=4)
    return evidence_of(study, "snr_db", list(study.layer_settings()))


@pytest.mark.parametrize("kind", KINDS)
def test_every_candidate_gives_settings_or_is_refused_in_a_sentence(kind: str) -> None:
    evidence = evidence_of_kind(kind)
    study = evidence.study
    candidates = list(candidates_of(evidence))
    assert candidates
    accepted, refusals = 0, list[str]()
    for _, candidate in candidates:
        assert candidate.title
        try:
            after = with_settings(study, changed(study.settings, candidate.changes, "test"))
        except SettingError as error:
            refusals.append(str(error))
            continue
        assert after.layer_settings() != study.layer_settings(), candidate
        accepted += 1
    assert accepted > len(candidates) / 2
    assert all("expected" in refusal for refusal in refusals)


def test_every_remedy_applies_somewhere() -> None:
    seen = set()
    for kind in KINDS:
        seen |= {name for name, _ in candidates_of(evidence_of_kind(kind))}
    assert set(REMEDIES.names) - seen <= {"compensation"}  # no step of it is there yet


def test_hardware_without_effects_needs_no_remedy() -> None:
    wires = [f"crossbar.r_{part}=0" for part in ("wire_wl", "wire_bl", "driver", "sense")]
    study = studied("adc.n_bits=null", "dac.n_bits=null", "device.n_bits=null", *wires, limit=4)
    evidence = evidence_of(study, "agreement", list(study.layer_settings()))
    assert list(candidates_of(evidence)) == []
    advice = try_remedies(evidence)
    assert advice.attempts == ()
    assert advice.untried in (Untried.NOTHING_TO_MEND, Untried.NONE_APPLIES)


# Gains


@pytest.fixture(scope="module")
def noisy() -> tuple[Study, Advice]:
    study = studied("device.write_sigma=10%", "trials=3", "adc.n_bits=4", limit=SPLIT_FROM)
    return study, try_remedies(evidence_of(study, "agreement"), limit=6)


def test_gains_are_those_of_two_separate_evaluations(noisy: tuple[Study, Advice]) -> None:
    study, advice = noisy
    before = _agreement(study.settings)
    singles = [each for each in advice.attempts if len(each.combined) == 1]
    choosing, _ = _halves(study)
    for attempt in (advice.attempts[0], singles[0], singles[-1]):
        after = _agreement(changed(study.settings, attempt.changes, "test"))
        assert attempt.value == pytest.approx(after.mean(), abs=1e-12)
        gain = (after - before)[:, choosing].mean()
        assert attempt.gain.mean == pytest.approx(gain, abs=1e-12)


def test_finalists_are_confirmed_on_the_chips_behind_those_that_chose(
    noisy: tuple[Study, Advice],
) -> None:
    """Chips 3 to 5 of an evaluation of six, on the half of the images that did not choose."""
    study, advice = noisy
    finalists = [each for each in advice.attempts if each.confirmed is not None]
    assert 1 <= len(finalists) <= MOST_FINALISTS
    assert all(each.fresh_chips == 3 for each in finalists)
    assert all(each.fresh_chips is None for each in advice.attempts if each not in finalists)
    _, others = _halves(study)
    before = _agreement(study.settings, trials=6)[3:, others]
    for attempt in (finalists[0], finalists[-1]):
        after = _agreement(changed(study.settings, attempt.changes, "test"), trials=6)[3:, others]
        assert attempt.confirmed is not None
        assert attempt.confirmed.mean == pytest.approx((after - before).mean(), abs=1e-12)


def test_without_time_for_fresh_chips_the_others_images_confirm_on_those_that_chose(
    noisy: tuple[Study, Advice],
) -> None:
    study, _ = noisy
    evidence = evidence_of(study, "agreement")
    gains = np.arange(3.0 * SPLIT_FROM).reshape(3, -1) % 7
    tried = replace(made("adc_bits", gains[:, ::2]), others=gains[:, 1::2])
    half = np.arange(1, SPLIT_FROM, 2)
    [each] = Confirmation(evidence, half, Deadline(0.0)).confirmed([tried])
    assert each.attempt.fresh_chips == 0
    assert each.attempt.confirmed == estimate(gains[:, 1::2])


def test_finalists_are_the_advice_the_largest_gains_and_what_traps_advise() -> None:
    names = ("adc_bits", "cell_bits", "dac_bits", "array_size")
    by_gain = [made(name, right(60 - at)) for at, name in enumerate(names)]
    of_trap = made("layout", -right(5))
    of_trap = replace(of_trap, attempt=replace(of_trap.attempt, trap="digital_offset"))
    unproven = made("line_ends", 200 * right(1) - right(100))  # mean 1, far from sure
    chosen = finalists_of([*by_gain, of_trap, unproven])
    assert chosen[1] is unproven
    assert chosen[0] is advised(by_gain)
    assert len(chosen) == MOST_FINALISTS + 1
    assert chosen[-1] is of_trap


def _halves(study: Study) -> tuple[np.ndarray, np.ndarray]:
    runs = RemedyRuns(evidence_of(study, "agreement"))
    assert runs.choosing is not None
    assert runs.others is not None
    assert sorted([*runs.choosing, *runs.others]) == list(range(SPLIT_FROM))
    return runs.choosing, runs.others


def _agreement(
    settings: Settings, limit: int = SPLIT_FROM, trials: int | None = None
) -> np.ndarray:
    result = rxsim.evaluate(MLP, settings, DataOptions(limit=limit), trials=trials)
    chips = result.rung("compensated" if settings.compensate else "nonideal").trials
    floating = result.rung("float32").trials[0].predictions
    return np.array([chip.predictions == floating for chip in chips], dtype=np.float64)


def test_the_first_is_proven_by_images_that_had_no_part_in_the_choice(
    noisy: tuple[Study, Advice],
) -> None:
    _, advice = noisy
    best = advice.attempts[0]
    assert best.confirmed is not None
    assert best.confirmed.low is not None
    assert best.confirmed.low > 0
    assert advice.better is not None
    assert not any("flatters" in sentence for sentence in advice.left_out)
    # Other images do not confirm what the same three chips have chosen.
    assert any("the same 3 chips" in sentence for sentence in advice.left_out)


def test_few_images_do_not_confirm_and_the_reader_is_told() -> None:
    study = studied("device.write_sigma=10%", "trials=2", "adc.n_bits=4", limit=SPLIT_FROM - 100)
    advice = try_remedies(evidence_of(study, "agreement"), limit=3)
    best = advice.attempts[0]
    assert best.confirmed is None
    assert any(
        "flatters" in each and f"{len(advice.attempts)} tries" in each for each in advice.left_out
    )
    assert any(each.startswith("remedies not tried, for at most 3") for each in advice.left_out)
    difference = _few(changed(study.settings, best.changes, "test")) - _few(study.settings)
    assert best.gain.mean == pytest.approx(difference.mean(), abs=1e-12)


def _few(settings: Settings) -> np.ndarray:
    return _agreement(settings, SPLIT_FROM - 100)


# The right remedy


def singles_of(
    study: Study, quantity: str, worst_first: tuple[str, ...]
) -> tuple[Advice, list[str]]:
    """Return the advice, and the names of the single remedies, best first."""
    advice = try_remedies(evidence_of(study, quantity, worst_first))
    return advice, [each.remedy for each in advice.attempts if len(each.combined) == 1]


def test_an_offset_that_is_removed_without_its_wires_is_measured_instead() -> None:
    weight = np.random.default_rng(5).normal(size=(32, 8))
    size = ("crossbar.rows=32", "crossbar.cols=16", "mapping.scheme=offset")
    fine = ("adc.n_bits=null", "dac.n_bits=null", "device.n_bits=12")
    study = open_study(dense(weight), loaded(*size, *fine), DataOptions(limit=60), threads=1)
    _, singles = singles_of(study, "snr_db", ("fc",))
    singles = [name for name in singles if name != "compensation"]  # which mends wires too
    assert singles[:2] == ["offset_removal", "offset_removal"]
    assert {"line_ends", "array_size"} < set(singles)


def test_columns_of_different_size_get_ranges_of_their_own() -> None:
    rng = np.random.default_rng(5)
    sizes = 4.0 ** -np.arange(8)
    tensors = {"a": rng.normal(size=(12, 8)) * sizes, "b": rng.normal(size=(8, 3)) / sizes[:, None]}
    text = "[one] h = Gemm(x, a) r = Relu(h) [two] y = Gemm(r, b)"
    wires = [f"crossbar.r_{part}=0" for part in ("wire_wl", "wire_bl", "driver", "sense")]
    settings = loaded("device.n_bits=null", "dac.n_bits=null", *wires)
    settings = changed(settings, {"layers.two": {"adc": {"n_bits": None}}}, "test")
    study = open_study(network(text, (12,), tensors), settings, DataOptions(limit=60), threads=1)
    advice, _ = singles_of(study, "snr_db", ("one", "two"))
    on_crossbars = [each for each in advice.attempts if not _any_digital(each)]
    best = next(each for each in on_crossbars if len(each.combined) == 1)
    # Without levels a scale for each column does the same to the currents as a range for each.
    assert best.changes in ({"adc.scope": "column"}, {"mapping.w_max_scope": "column"})


def _any_digital(attempt: Attempt) -> bool:
    return "digital_layers" in attempt.combined


@pytest.mark.parametrize("layer", ["conv2"])
def test_a_layer_of_few_adc_bits_gets_more(layer: str) -> None:
    coarse = f"layers={{{layer}: {{adc: {{n_bits: 2}}}}}}"
    study = studied(*FINE, "adc.scope=column", coarse, model=CNN, limit=60)
    others = tuple(name for name in ("conv1", "conv2", "fc1", "fc2") if name != layer)
    advice, singles = singles_of(study, "agreement", (layer, *others))
    assert advice.attempts[0].combined[0] in ("adc_bits", "adc_range")
    assert "adc_bits" in singles[:3]
    by_title = {each.title: each for each in advice.attempts}
    assert by_title[f"two more ADC bits in {layer}"].gain.mean > 0
    assert all(each.gain.mean < 0.03 for each in advice.attempts if each.combined == ("line_ends",))


def test_the_better_settings_load_as_they_were_written_and_give_the_same(tmp_path: Path) -> None:
    study = studied(*FINE, "mapping.scheme=offset", model=CNN, limit=60)
    advice = try_remedies(evidence_of(study, "accuracy", ("conv1",)), limit=4)
    assert advice.better is not None
    (tmp_path / "better.yaml").write_text(as_yaml(advice.better))
    again = load_settings(tmp_path / "better.yaml")
    assert settings_hash(again) == settings_hash(advice.better)
    result = rxsim.evaluate(CNN, again, DataOptions(limit=60))
    table = result.rung("nonideal").table("accuracy")
    assert table is not None
    assert table.mean() == pytest.approx(advice.attempts[0].value, abs=1e-12)


# Time and work


def test_nothing_is_begun_after_the_deadline_and_what_is_left_out_is_named(
    coarse: Evidence,
) -> None:
    advice = try_remedies(coarse, Deadline(0.0))
    assert (advice.attempts, advice.better, advice.runs) == ((), None, 0)
    assert advice.left_out[0].startswith("remedies not tried, for there was no time: ")
    assert "a weight scale for each column" in advice.left_out[0]
    assert advice.untried is Untried.NO_TIME


def test_a_deadline_counts_down_and_may_be_shared() -> None:
    assert Deadline(0.0).passed
    assert Deadline(None).left == Deadline(None).share(0.5).left == np.inf
    assert 49 < Deadline(100.0).share(0.5).left <= 50


@pytest.fixture(scope="module")
def of_coarse(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Evidence, Advice, list[tuple[str, str]]]:
    """All remedies of ADCs of two bits, and what was solved for them."""
    study = studied("adc.n_bits=2", limit=20)
    evidence = evidence_of(replace(study, cache=Cache(tmp_path_factory.mktemp("c"))), "agreement")
    solves = list[tuple[str, str]]()

    def counted(layer: Any, settings: Settings, *args: Any, **more: Any) -> Any:
        if settings.crossbar.r_wire_wl:
            solves.append((layer.layer.name, _what_arrays_depend_on(settings)))
        return transfer_matrices(layer, settings, *args, **more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(solved, "transfer_matrices", counted)
        return evidence, try_remedies(evidence), solves


def test_nothing_is_solved_or_run_twice(
    of_coarse: tuple[Evidence, Advice, list[tuple[str, str]]],
) -> None:
    evidence, advice, solves = of_coarse
    assert advice.runs == len(advice.attempts) > 10  # chips are all the same
    assert len({str(each.changes) for each in advice.attempts}) == len(advice.attempts)
    assert len(solves) == len(set(solves))
    # The arrays as they are were solved for the evidence.
    before = _what_arrays_depend_on(evidence.study.settings)
    assert all(key != before for _, key in solves)


def _what_arrays_depend_on(settings: Settings) -> str:
    steps = acting_on_arrays(settings)
    return f"{settings.crossbar!r} {settings.mapping!r} {settings.device!r} {steps}"


def test_settings_that_cannot_be_run_are_told_and_the_others_go_on(
    coarse: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(study: Study) -> Any:
        if study.settings.adc.scope == "column":
            raise InputError("found too little, expected more; add some")
        return Foundries(study)

    monkeypatch.setattr(remedy_runs, "Foundries", refusing)
    advice = try_remedies(coarse, limit=8)
    told = "an ADC range for each column could not be tried: found too little"
    assert any(sentence.startswith(told) for sentence in advice.left_out)
    assert len(advice.attempts) >= 4
    assert advice.untried is None


def test_where_none_can_be_run_that_is_why_none_was_tried(
    coarse: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(study: Study) -> Any:
        raise InputError("found too little, expected more; add some")

    monkeypatch.setattr(remedy_runs, "Foundries", refusing)
    advice = try_remedies(coarse)
    assert (advice.attempts, advice.untried) == ((), Untried.FAILED)


def test_where_nothing_is_lost_nothing_is_tried() -> None:
    advice = try_remedies(evidence_of(studied(*FINE, limit=20), "agreement"))
    assert advice.untried is Untried.NOTHING_TO_MEND
    assert (advice.attempts, advice.better, advice.runs) == ((), None, 0)
    assert advice.left_out[0].startswith("nothing to mend: ")


def test_random_devices_on_other_arrays_are_told_to_be_other_draws(
    of_coarse: tuple[Evidence, Advice, list[tuple[str, str]]],
) -> None:
    study = studied("device.write_sigma=10%", "trials=2", "adc.n_bits=3", limit=30)
    advice = try_remedies(evidence_of(study, "agreement"))
    (note,) = (each for each in advice.left_out if "other draws of device errors" in each)
    assert "arrays of 32x64" in note
    left_out = of_coarse[1].left_out  # devices without random errors
    assert not any("draws" in each or "chips" in each for each in left_out)


# What is advised, of made-up gains


def made(title: str, gains: np.ndarray, *, arrays: int = 8, snr_db: float = 0.0) -> Tried:
    """Make up a run; its title names the remedies, joined by a plus."""
    combined = tuple(title.split("+"))
    attempt = Attempt(
        remedy=combined[-1],
        title=title,
        changes={f"test.{name}": 1 for name in combined},
        value=0.0,
        gain=estimate(gains),
        confirmed=None,
        arrays=arrays,
        conversions=10 * arrays,
        combined=combined,
    )
    return Tried(attempt=attempt, settings=Settings(), gains=gains, snr_db=snr_db)


def right(images: int, of: int = 100) -> np.ndarray:
    """Gains of a single chip on so many of the images, (1, of)."""
    return (np.arange(of) < images).astype(np.float64)[None, :]


def test_a_combination_of_larger_proven_gain_goes_before_a_layer_that_is_digital() -> None:
    digital, both = made("digital_layers", right(15)), made("adc_bits+layout", right(30))
    unproven = made("adc_bits+layout+dac_bits", right(31) - 30 * right(100)[:, ::-1] * right(1))
    assert advised([digital, both, unproven]) is both
    assert advised([made("adc_bits", right(1))]) is None


def test_a_layer_is_digital_only_where_nothing_else_gains_as_much() -> None:
    analog = made("adc_bits+array_size", right(70), arrays=40)
    assert advised([analog, made("adc_bits+array_size+digital_layers", right(71))]) is analog
    far = made("digital_layers", right(90))
    assert advised([analog, far]) is far


def test_of_the_same_gain_the_fewest_arrays_are_chosen() -> None:
    large, small = made("array_size", right(40), arrays=24), made("adc_bits", right(40), arrays=6)
    assert advised([large, small]) is small
    assert advised([made("array_size", right(60), arrays=24), small]) is not small


def test_luck_of_one_standard_error_and_a_digital_layer_without_gain_do_not_join() -> None:
    before, lucky = made("layout", right(50)), right(51)
    # One image more: its mean is one standard error.
    assert not helps(made("layout+dac_bits", lucky), before, last_resort=False)
    assert helps(made("layout+dac_bits", right(60)), before, last_resort=False)
    # Near chance the signal to noise tells; digital, it always rises.
    near = made("layout+digital_layers", lucky, snr_db=1.0)
    assert helps(near, before, last_resort=False)
    assert not helps(near, before, last_resort=True)
    assert helps(made("layout+digital_layers", right(60)), before, last_resort=True)


class MadeRuns:
    """Stands for runs: gains of each set of remedies are given, and some settings override others."""

    most_gain = 1.0

    def __init__(self, gains: dict[str, int], overridden: tuple[str, str] | None = None) -> None:
        self.gains, self.overridden = gains, overridden

    def tried(self, remedies: tuple[str, ...], title: str, changes: Any) -> Tried | None:
        name = "+".join(remedies)
        return made(name, right(self.gains[name])) if name in self.gains else None

    def alike(self, first: Any, second: Any) -> bool:
        gone = {name.removeprefix("test.") for name in set(first) - set(second)}
        over = {name.removeprefix("test.") for name in second}
        return self.overridden is not None and (
            gone == {self.overridden[0]} and self.overridden[1] in over
        )


def together(singles: dict[str, int], runs: MadeRuns) -> list[str]:
    """Return the titles of what was tried together."""
    alone = [made(name, right(gain)) for name, gain in singles.items()]
    found = tried_together(alone, cast(RemedyRuns, runs), Deadline(None))
    return [each.attempt.title for each in found]


def test_settings_that_a_digital_layer_overrides_are_dropped() -> None:
    gains = {"layout+adc_bits": 40, "layout+digital_layers": 70}
    runs = MadeRuns(gains, overridden=("adc_bits", "digital_layers"))
    singles = {"layout": 30, "adc_bits": 20, "digital_layers": 35}
    assert together(singles, runs) == ["layout+adc_bits", "layout+digital_layers"]


def test_a_remedy_that_adds_nothing_to_what_joined_it_is_dropped() -> None:
    # Three together are tried without each: here the layout is dead weight.
    gains = {"layout+array_size": 75, "layout+array_size+dac_bits": 90, "array_size+dac_bits": 90}
    singles = {"layout": 61, "array_size": 60, "dac_bits": 1}
    assert together(singles, MadeRuns(gains))[-1] == "array_size+dac_bits"


# The file that is written


def test_comments_of_the_written_settings_tell_change_and_gain(tmp_path: Path) -> None:
    path = tmp_path / "better.yaml"
    why = rxsim.explanation(MLP, {"adc.n_bits": 2}, limit=50, by="layers")
    text = better_settings(why)
    assert text is not None
    assert why.attempts
    assert why.better is not None
    path.write_text(text)
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert comments[0] == "# written by rxsim explain"
    assert text.startswith("\n".join(comments))
    assert any("points (95 % +" in line for line in comments)
    assert all(any(name in line for line in comments) for name in why.attempts[0].changes)
    assert settings_hash(load_settings(path)) == settings_hash(why.better)


def test_the_remedy_of_a_trap_is_tried_first_and_named() -> None:
    study = studied(*FINE, "mapping.scheme=offset", limit=40)
    advised = ({"mapping.offset_removal": "reference_column"},)
    trap = Trap(name="digital_offset", sentence="seen", advice=advised)
    evidence = replace(evidence_of(study, "agreement"), traps=(trap,))
    advice = try_remedies(evidence, limit=1)
    [attempt] = [each for each in advice.attempts if each.trap]
    assert attempt.changes == {"mapping.offset_removal": "reference_column"}
    after = rxsim.evaluate(
        MLP, changed(study.settings, attempt.changes, "test"), DataOptions(limit=40)
    )
    table = after.rung("nonideal").table("agreement")
    assert table is not None
    assert attempt.value == pytest.approx(table.mean(), abs=1e-12)


def test_what_a_trap_advises_together_is_a_combination_of_candidates(coarse: Evidence) -> None:
    both = {"mapping.w_max_scope": "column", "adc.scope": "column"}
    trap = Trap(name="shared_weight_scale", sentence="seen", advice=(both,))
    evidence = replace(coarse, traps=(trap,))
    [led] = trap_remedies(evidence, candidates_of(evidence))
    assert led.names == ("weight_scale", "adc_scope")
    assert led.changes == both


def test_remedies_of_layers_that_nobody_looked_at_are_told_to_be_left_out(
    coarse: Evidence,
) -> None:
    told = "remedies for single layers were not tried"
    assert any(each.startswith(told) for each in try_remedies(coarse, limit=1).left_out)
    layers = evidence_of(coarse.study, "agreement", ["fc1"])
    assert not any(each.startswith(told) for each in try_remedies(layers, limit=1).left_out)


def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise WriteError(f"{path} can't be written: no space; free or choose another place")

    monkeypatch.setattr(command, "write_atomically", refuse)


def test_a_result_is_shown_and_written_before_settings_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch)
    monkeypatch.setattr(command, "better_settings", lambda result: "seed: 1\n")
    why, better = tmp_path / "why.json", tmp_path / "better.yaml"
    common = ["explain", str(MLP), "--limit", "20", "--by", "layers", "--no-remedies", "-q"]
    with pytest.raises(SystemExit) as ended:
        main([*common, "-o", str(better), "--json", str(why)])
    assert ended.value.code == 4
    assert "What each layer costs" in capsys.readouterr().out
    assert json.loads(why.read_text())["kind"] == "explanation"
    assert not better.exists()


def test_a_folder_that_cannot_be_written_is_refused_before_any_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rxsim.files.os.access", lambda path, mode: path != tmp_path.resolve())
    with pytest.raises(WriteError, match="does not allow it"):
        check_writable(tmp_path / "better.yaml")
    check_writable(tmp_path.parent / "better.yaml")


def test_an_older_file_is_said_to_be_older(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "better.yaml"
    path.write_text("seed: 3\n")
    common = ["explain", str(MLP), "--limit", "20", "--by", "layers", "--quantity", "agreement"]
    with pytest.raises(SystemExit):
        main([*common, "--no-remedies", "-o", str(path), "-q"])
    told = f"{path} was not written; the file that is there is an older one."
    assert told in capsys.readouterr().err
    assert path.read_text() == "seed: 3\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--no-remedies", "--set", "adc.n_bits=2"], "No remedy was tried (--no-remedies)"),
        (["--set", "adc.n_bits=9"], "No remedy was tried (nothing to mend"),
        (["--set", "adc.n_bits=2", "--budget", "0"], "No remedy was tried (there was no time;"),
    ],
)
def test_the_command_tells_why_no_settings_are_written(
    options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "better.yaml"
    common = ["explain", str(MLP), "--limit", "20", "--by", "layers", "--quantity", "agreement"]
    with pytest.raises(SystemExit) as ended:
        main([*common, *options, "-o", str(path), "--quiet"])
    assert ended.value.code in (0, None)
    said = capsys.readouterr().err
    assert told in said
    assert f"{path} was not written" in said
    assert not path.exists()
