"""The patched graph against the twin, for random settings over every axis and random networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from beside_twin import Counts, array_of, beside, calibrated, compare, patched
from drawn_settings import Axes, Case, Dice, some_case
from small_networks import dense
from twin import build
from twin.presets import MADE_UP, name_of

import rxsim
from rxsim import Settings

N_CALIBRATION, N_IMAGES = 6, 4
FAST = 20  # draws of each kind in the fast suite
AXES = {
    "layouts": Axes(),
    "wires": Axes(wires=True),
    "chips": Axes(wires=True, chip=True),
    "converters": Axes(converters=True),
    "cells": Axes(wires=True, cells=True),
    "layers": Axes(wires=True, chip=True, layers=True),
    "everything": Axes(wires=True, chip=True, converters=True, cells=True, layers=True),
    "devices": Axes(chip=True),
    "steps": Axes(wires=True, converters=True, steps=True),
}


def compare_many(name: str, numbers: range) -> None:
    """Compare for so many random cases; most outputs must be far from any threshold."""
    found: list[Counts] = []
    for number in numbers:
        case = some_case(Dice(list(AXES).index(name), number), AXES[name])
        x = case.inputs(N_CALIBRATION, 0), case.inputs(N_IMAGES, 1)
        try:
            counts = beside(case.model, case.settings, *x, case.trial)
        except Exception as error:
            error.add_note(f"{name}, case {number}: {case}\n{case.settings}")
            raise
        if counts is not None:
            found.append(counts)
    total = sum(found, Counts(0, 0, 0))
    print(f"{len(found)} of {len(numbers)} cases, {total}")
    assert len(found) > 0.8 * len(numbers)
    assert total.risky < 0.1 * total.total


@pytest.mark.parametrize("name", AXES)
def test_any_settings_give_what_the_twin_gives(name: str) -> None:
    compare_many(name, range(FAST))


@pytest.mark.slow
@pytest.mark.parametrize("name", AXES)
def test_very_many_settings_give_what_the_twin_gives(name: str) -> None:
    compare_many(name, range(FAST, 700))


def drawn(name: str, number: int) -> Case:
    return some_case(Dice(list(AXES).index(name), number), AXES[name])


def test_any_settings_put_the_same_conductances_on_the_same_arrays() -> None:
    """Array by array, cell by cell, in the order of their numbers: what netlists state."""
    seen = 0
    for number in range(12):
        case = drawn("chips", number)
        x = case.inputs(N_CALIBRATION, 0)
        twin = build(case.model, case.settings, x, case.trial)
        r_access = case.settings["crossbar"]["r_access"]
        for name, layer in twin.layers.items():
            count = len(layer.arrays)
            for at in sorted({0, 1, count // 2, count - 1} & set(range(count))):
                expected = layer.arrays[at] / (1 + r_access * layer.arrays[at])
                found = array_of(case.model, case.settings, x, (name, at), case.trial)
                assert found == pytest.approx(expected, rel=1e-9, abs=1e-18), (number, at)
                seen += 1
            with pytest.raises(rxsim.RxsimError, match=f"has {count} array"):
                array_of(case.model, case.settings, x, (name, count), case.trial)
    assert seen > 30


@pytest.mark.parametrize("name", ["layouts", "wires", "cells"])
def test_any_settings_are_calibrated_as_the_twin_is(name: str) -> None:
    """Input ranges, operating points and ADC ranges: what `rxsim calibrate` writes."""
    compared = 0
    for number in range(14):
        case = drawn(name, number)
        x = case.inputs(N_CALIBRATION, 0)
        twin = build(case.model, case.settings, x)
        if twin.calibration_risk:
            continue
        kept = calibrated(case.model, case.settings, x)
        assert [row["name"] for row in kept["layers"]] == list(twin.layers)
        for row, layer in zip(kept["layers"], twin.layers.values(), strict=True):
            assert row["x_max"] == pytest.approx(layer.x_max, rel=1e-6)
            assert row["signed"] == layer.signed
            assert (row["point"] is None) == (layer.point is None)
            if layer.point is not None:
                assert row["point"]["volt"] == pytest.approx(layer.point.volt, rel=1e-6)
                assert (row["point"]["activity"] is None) == (layer.point.activity is None)
                if layer.point.activity is not None:
                    assert row["point"]["activity"] == pytest.approx(layer.point.activity, rel=1e-9)
            if layer.settings["adc"]["range"] == "calibrated" and layer.ranges is not None:
                ranges = row["adc"]["nonideal"]
                # Of currents that cancel, float32 holds less than of those that do not.
                slack = 1e-6 * layer.largest_bulk
                assert ranges == pytest.approx(layer.listed_ranges(), rel=2e-6, abs=slack)
                compared += len(ranges)
    assert compared > 30


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"device": {"write_sigma": 0.051}},
        {"device": {"array_sigma": 0.05}},
        {"device": {"chip_sigma": 0.05}},
        {"device": {"gradient": 0.05}},
        {"device": {"read_sigma": 0.01}},
        {"device": {"dead_cols": 0.2}},
        {"device": {"verify": {"tolerance": 0.02}}},
        {"device": {"time": 10, "refresh": 10}},
        {"crossbar": {"r_wire_bl": 8}},
        {"crossbar": {"sense_side": "top"}},
        {"adc": {"scope": "column"}},
        {"adc": {"gain_sigma": 0.021}},
        {"dac": {"inl": 0.6}},
        {"mapping": {"row_permutation": "reversed"}},
        {"mapping": {"w_max_scope": "column"}},
        {"input": {"percentile": 99}},
        {"layers": {"fc": {"device": {"d2d_sigma": 0.11}}}},
    ],
    ids=str,
)
def test_the_comparison_sees_any_difference(change: dict[str, Any]) -> None:
    """A twin of slightly other settings is not the same chip."""
    rng = np.random.default_rng(0)
    model, x = dense(rng.standard_normal((20, 6))), rng.standard_normal((12, 20))
    given: dict[str, Any] = {
        "crossbar": {"rows": 8, "cols": 4, "r_wire_bl": 7},
        "device": {"write_sigma": 0.05, "d2d_sigma": 0.1},
        "dac": {"inl": 0.5},
        "adc": {"n_bits": 8, "gain_sigma": 0.02},
    }
    package = patched(model, given, x)
    counts = compare(package, build(model, given, x, 0), x)
    assert counts.differing <= counts.risky < 0.1 * counts.total
    other = {**given}
    for section, keys in change.items():
        other[section] = {**given.get(section, {}), **keys} if isinstance(keys, dict) else keys
    with pytest.raises(AssertionError, match="differ where no threshold is near"):
        compare(package, build(model, other, x, 0), x)
    with pytest.raises(AssertionError, match="differ where no threshold is near"):
        compare(package, build(model, given, x, 1), x)


# What the fast suite's draws may be, by section and key; all of it comes.
EVERY: dict[str, dict[str, set[Any]]] = {
    "crossbar": {
        "topology": {"crossbar", "input_gated"},
        "drive_side": {"left", "right", "alternate"},
        "sense_side": {"bottom", "top", "alternate"},
        "r_driver_far": {None, 0, 200},
        "r_sense_far": {None, 0, 200},
        "r_access": {0, 1500},
    },
    "mapping": {
        "scheme": {"differential", "offset"},
        "balance": {"one_sided", "two_sided"},
        "subtract": {"analog", "digital"},
        "w_max_scope": {"layer", "tile", "column"},
        "row_order": {"channel_major", "kernel_major"},
        "split": {"fill", "equal"},
        "unused_cells": {"g_off", "open"},
        "offset_removal": {"digital", "reference_column"},
        "layout": {"separate", "adjacent"},
        "pack_groups": {True, False},
        "row_permutation": {"none", "reversed", "random"},
        "col_permutation": {"none", "reversed", "random"},
        "spare_cols": {0, 1, 2},
    },
    "input": {
        "encoding": {"amplitude", "pulse_width", "bit_serial", "stochastic"},
        "signed_input": {"bipolar", "two_phase", "twos_complement", "offset"},
        "adc_per_pass": {True, False},
    },
    "adc": {
        "where": {"per_tile", "per_layer"},
        "range": {"calibrated", "full_scale", "unit_lsb", "a mapping"},
        "thresholds": {None, "lloyd_max", "a list"},
        "scope": {"layer", "tile", "column"},
        "criterion": {"percentile", "mse"},
        "share": {1, 2, 3},
    },
    "device": {
        "write_unit": {"range", "relative"},
        "model": {
            *("ideal", "pcm-nandakumar", "pcm-hermes", "pcm-joshi", "rram-milo", "sonos-agrawal"),
            *("stuck-chen-lrs-1.75", MADE_UP),
        },
        "time": {0, 45, 90, 5e6, "1h", "1d", "1mo", "1y"},
        "refresh": {None, 20, 30, 7000, "1h"},
        "read_unit": {"range", "relative"},
        "array_sigma": {0, 0.1},
        "chip_sigma": {0, 0.15},
        "gradient": {0, 0.2},
        "dead_rows": {0, 0.1},
        "dead_cols": {0, 0.1},
    },
}


FORMS = {"a mapping", "a list"}


def _kind(value: Any) -> Any:
    """Return a value that is a name, the name of a preset, or which form it has."""
    if isinstance(value, dict):
        return name_of(value) if "about" in value else "a mapping"
    return "a list" if isinstance(value, list) else value


def test_every_choice_is_drawn() -> None:
    cases = [drawn(name, number) for name in AXES for number in range(FAST)]
    for section, keys in EVERY.items():
        for key, values in keys.items():
            found = {_kind(case.settings[section].get(key)) for case in cases} - {None}
            assert found == values - {None}, f"{section}.{key}"
    curves = {case.settings["device"]["iv"]["form"] for case in cases}
    assert curves == {"linear", "sinh", "cubic", "table", "milo"}
    devices = [case.settings["device"] for case in cases]
    for key in ("verify", "faults", "without"):
        assert {bool(device.get(key)) for device in devices} == {True, False}
    for section in ("dac", "adc"):
        for key in ("gain_sigma", "offset_sigma", "inl", "dnl"):
            kinds = {type(case.settings[section][key]) for case in cases}
            assert kinds >= ({float, int, list} if key in ("inl", "dnl") else {float, int})
    assert {bool(case.settings.get("layers")) for case in cases} == {True, False}
    # A choice of the schema that the twin does not know yet must be drawn, or be named here: what is
    # folded before mapping (test_folding), ranges that quantised files state (test_quantised), and
    # noise that the graph draws (test_fresh_noise).
    aside = {("mapping", "fold"), ("input", "range"), ("device", "read_noise")}
    schema = Settings.model_json_schema()
    for section, keys in EVERY.items():
        where = schema["properties"][section]["$ref"].rsplit("/", 1)[-1]
        for key, stated in schema["$defs"][where]["properties"].items():
            forms = stated.get("oneOf", [stated])
            named = {name for form in forms for name in form.get("enum", ())}
            if named and (section, key) not in aside:
                assert {value for value in keys[key] if value not in FORMS} == named
                assert len(keys[key] & FORMS) == sum("$ref" in form for form in forms)
