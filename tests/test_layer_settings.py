"""`layers:` changes settings for single layers, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known import known

import rxsim
from rxsim.config import layer_settings, load_settings
from rxsim.errors import InputError, SettingError

MODEL = Path(__file__).parent.parent / "models" / "digits_cnn.onnx"
FEW = rxsim.DataOptions(limit=40)


def loaded(layers: str, *more: str) -> rxsim.Settings:
    return load_settings(assignments=["calibration.samples=16", f"layers={layers}", *more])


def test_a_pattern_changes_the_layers_it_matches_and_no_others() -> None:
    settings = loaded("{'conv*': {adc: {n_bits: 9}, mapping: {scheme: offset}}}")
    conv, fc = (known(layer_settings(settings, name)) for name in ("conv1", "fc1"))
    assert (conv.adc.n_bits, conv.mapping.scheme) == (9, "offset")
    assert (fc.adc.n_bits, fc.mapping.scheme) == (6, "differential")
    assert conv.adc.range == fc.adc.range
    assert conv.layers == {}


def test_later_patterns_win_and_keep_what_they_do_not_name() -> None:
    settings = loaded("{'*': {adc: {n_bits: 9, scope: column}}, conv2: {adc: {n_bits: 4}}}")
    assert known(layer_settings(settings, "conv2")).adc.n_bits == 4
    assert known(layer_settings(settings, "conv2")).adc.scope == "column"
    assert known(layer_settings(settings, "conv1")).adc.n_bits == 9


def test_a_resistance_replaces_the_conductance_of_all_layers() -> None:
    settings = loaded("{fc1: {device: {r_on: 1e5}}}", "device.g_on=2e-6")
    assert known(layer_settings(settings, "fc1")).device.g_on == pytest.approx(1e-5)


def test_a_layers_device_model_starts_from_its_preset() -> None:
    settings = loaded("{fc1: {device: {model: pcm-joshi}}}", "device.n_bits=3")
    own = known(layer_settings(settings, "fc1")).device
    assert own.n_bits is None
    assert own.g_on == pytest.approx(25e-6)


READ = ("device.model=pcm-hermes", "device.time=8d", "device.refresh=1w", "device.read_noise=fresh")


@pytest.mark.parametrize(
    ("device", "time", "refresh", "noise"),
    [
        ("model: pcm-nandakumar", 8 * 86400, 7 * 86400, "fresh"),
        ("model: pcm-nandakumar, time: 1h", 3600, 7 * 86400, "fresh"),
        ("model: pcm-nandakumar, refresh: 2d", 8 * 86400, 2 * 86400, "fresh"),
        ("model: pcm-nandakumar, refresh: null", 8 * 86400, None, "fresh"),
        ("model: pcm-nandakumar, read_noise: frozen", 8 * 86400, 7 * 86400, "frozen"),
        ("model: rram-wan", 8 * 86400, 7 * 86400, "fresh"),  # measured after 1 d
        ("model: rram-wan, refresh: 5d", 0, 5 * 86400, "fresh"),  # not after 3 d
        ("model: pcm-joshi", 0, None, "fresh"),  # at no time but its own
        ("model: pcm-joshi, without: [drift]", 8 * 86400, 7 * 86400, "fresh"),
    ],
)
def test_when_and_how_cells_are_read_carries_over(
    device: str, time: float, refresh: float | None, noise: str
) -> None:
    settings = loaded(f"{{fc1: {{device: {{{device}}}}}}}", *READ, "device.run_time=2")
    own = known(layer_settings(settings, "fc1")).device
    assert (own.time, own.refresh, own.read_noise, own.run_time) == (time, refresh, noise, 2)


def test_a_later_model_keeps_the_time_that_an_earlier_pattern_sets() -> None:
    layers = "{'fc*': {device: {model: pcm-joshi}}, fc1: {device: {model: pcm-nandakumar}}}"
    assert known(layer_settings(loaded(layers, *READ), "fc1")).device.time == 8 * 86400
    layers = "{'fc*': {device: {time: 1h}}, fc1: {device: {model: pcm-nandakumar}}}"
    assert known(layer_settings(loaded(layers, *READ), "fc1")).device.time == 3600


def test_a_time_that_a_layer_sets_itself_is_checked() -> None:
    with pytest.raises(SettingError, match=r"layers\.fc1.*does not say what time does"):
        loaded("{fc1: {device: {model: pcm-joshi, time: 1h}}}", *READ)


def test_one_digital_layer_leaves_the_crossbars() -> None:
    result = rxsim.evaluate(MODEL, loaded("{conv1: {digital: true}}"), FEW)
    assert [row.place.name for row in result.layers] == ["conv2", "fc1", "fc2"]
    assert {row["reason"] for row in result.inventory.digital} >= {"the settings say so"}
    last = rxsim.evaluate(
        MODEL, loaded("{'[cf]*[!2]': {digital: true}, conv2: {digital: true}}"), FEW
    )
    assert [row.place.name for row in last.layers] == ["fc2"]


def test_the_settings_of_one_layer_change_its_arrays_alone() -> None:
    plain = rxsim.evaluate(MODEL, loaded("{}"), FEW)
    changed = rxsim.evaluate(MODEL, loaded("{fc1: {crossbar: {rows: 16, cols: 16}}}"), FEW)
    before, after = (
        {row.place.name: row.place.arrays for row in one.layers} for one in (plain, changed)
    )
    assert after["fc1"] == 2 * 8 * 4
    assert {name: count for name, count in after.items() if name != "fc1"} == {
        name: count for name, count in before.items() if name != "fc1"
    }


def test_the_same_setting_for_every_layer_is_the_setting_for_all() -> None:
    by_layer = rxsim.evaluate(MODEL, loaded("{'*': {adc: {n_bits: 5}}}"), FEW)
    for_all = rxsim.evaluate(MODEL, loaded("{}", "adc.n_bits=5"), FEW)
    found, wanted = (one.rung("nonideal").trials[0] for one in (by_layer, for_all))
    assert (found.predictions == wanted.predictions).all()
    assert found.mean("snr_db") == wanted.mean("snr_db")
    assert np.isfinite(known(found.mean("snr_db")))


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("{'*': {digital: true}}", ["every layer", "digital", "narrow the pattern"]),
        ("{nowhere: {digital: true}}", ["layers.nowhere", "no layer", "conv1, conv2, fc1"]),
        ("{fc1: {crossbar: {topology: input_gated}}}", ["input_gated", "one-bit inputs"]),
        ("{fc1: {mapping: {spare_cols: 64}}}", ["layers.fc1", "spare_cols: 64"]),
        ("{fc1: {mapping: {slices: 2}}}", ["layers.fc1", "mapping.slices is not a setting"]),
        ("{fc1: {trials: 3}}", ["layers.fc1.trials is not a setting"]),
        ("{fc1: {mapping: {layout: adjacent, weight_bits: 16, bits_per_cell: 1}, "
         "crossbar: {cols: 16}}}", ["layer fc1", "30 columns of one output"]),
    ],
)  # fmt: skip
def test_what_a_layer_can_not_have_is_one_sentence(layers: str, said: list[str]) -> None:
    with pytest.raises((SettingError, InputError)) as error:
        rxsim.evaluate(MODEL, loaded(layers), FEW)
    for part in said:
        assert part in str(error.value)
