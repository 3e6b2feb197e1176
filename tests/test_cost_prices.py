"""Prices of layers against a plain pricing from the technology's YAML, and by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_prices import PlainLayer, technology_values
from small_networks import conv, dense, network
from test_cost_counts import Drawn, all_settings, products

from rxsim.config import Cost, Settings
from rxsim.cost.technology_files import technology_names
from rxsim.errors import InputError
from rxsim.load import load_network
from rxsim.pipeline import network_cost

RNG = np.random.default_rng(0)
WHOLE = {  # every column of an array is converted, and a pair takes two arrays
    "crossbar": {"rows": 128, "cols": 128},
    "mapping": {"scheme": "differential", "subtract": "digital"},
    "input": {"encoding": "bit_serial", "signed_input": "twos_complement"},
    "dac": {"n_bits": 16},
    "adc": {"n_bits": 8},
}


def priced(
    model: onnx.ModelProto, given_settings: dict[str, Any], shape: tuple[int, ...], **cost: Any
) -> dict[str, Any]:
    """Price without a run, and return what JSON would hold: plain numbers, none of them NaN."""
    chosen = Settings.model_validate(given_settings)
    section = Cost.model_validate({"array_energy": "technology", **cost})
    name = model.graph.input[0].name
    loaded = load_network(model, chosen.mapping.fold)
    found = network_cost(loaded, chosen, {name: shape}, section).as_json()
    values: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
    return values


def by_name(components: list[dict[str, Any]], key: str) -> dict[str, float]:
    return {each["name"]: each[key] or 0.0 for each in components}


def written(folder: Path, values: Any, name: str = "mine.yaml") -> str:
    path = folder / name
    path.write_text(yaml.safe_dump(values))
    return str(path)


def changed(**entries: Any) -> dict[str, Any]:
    """Return an entry of a user's file with its source."""
    return {**entries, "source": "a test", "status": "P"}


@settings(max_examples=50, deadline=None)
@given(
    products(),
    all_settings(),
    st.sampled_from(technology_names()),
    st.sampled_from([1, 3, 8, 40]),
    st.sampled_from([None, None, 1, 5, 40]),
)
def test_components_cost_what_a_plain_pricing_says(
    product: Drawn, drawn: dict[str, Any], technology: str, share: int, asked: int | None
) -> None:
    n_bits = None if drawn["adc"]["n_bits"] is None else 8
    drawn = {**drawn, "adc": {**drawn["adc"], "n_bits": n_bits, "share": share}}
    found = priced(product.model, drawn, product.shape, technology=technology, adc_share=asked)
    plain = PlainLayer(
        technology_values(technology),
        *(product.matrices, product.kernel, product.positions),
        Settings.model_validate(drawn).model_dump(),
        elements=(math.prod(product.shape), product.outputs),
        asked=asked,
    )
    (layer,) = found["layers"]
    assert layer["seconds"] == pytest.approx(plain.seconds, rel=1e-12)
    assert by_name(layer["components"], "energy_j") == pytest.approx(plain.energy, rel=1e-9)
    assert by_name(layer["components"], "area_mm2") == pytest.approx(plain.area, rel=1e-9)
    assert found["energy_j"] == pytest.approx(sum(plain.energy.values()), rel=1e-9)
    assert found["area_mm2"] == pytest.approx(sum(plain.area.values()), rel=1e-9)
    assert found["latency_s"] == found["interval_s"] == layer["seconds"]


TWO = network(
    "[a] h = MatMul(x, w) r = Relu(h) [b] s = MatMul(r, v) t = Relu(s) [c] y = MatMul(t, u)",
    (9,),
    {
        name: RNG.standard_normal(size)
        for name, size in zip("wvu", [(9, 7), (7, 5), (5, 3)], strict=True)
    },
)


@settings(max_examples=25, deadline=None)
@given(
    all_settings(), st.sampled_from(technology_names()), st.sampled_from(["none", {"balance": 200}])
)
def test_energies_and_areas_add_up_over_components_and_over_layers(
    drawn: dict[str, Any], technology: str, replicate: Any
) -> None:
    found = priced(TWO, drawn, (1, 9), technology=technology, replicate=replicate)
    for key in ("energy_j", "area_mm2"):
        whole: dict[str, float] = {}
        for layer in found["layers"]:
            parts = by_name(layer["components"], key)
            assert layer[key] == pytest.approx(sum(parts.values()), rel=1e-12)
            for name, value in parts.items():
                whole[name] = whole.get(name, 0.0) + value
        assert by_name(found["components"], key) == pytest.approx(whole, rel=1e-12)
        assert found[key] == pytest.approx(sum(whole.values()), rel=1e-12)
        outermost = list(found["within"].values())[-1]
        assert outermost[key] == pytest.approx(found[key], rel=1e-12)
    assert found["latency_s"] == pytest.approx(sum(each["seconds"] for each in found["layers"]))
    assert found["ops_per_j"] == pytest.approx(2 * (63 + 35 + 15) / found["energy_j"])
    assert found["power_w"] * found["latency_s"] == pytest.approx(found["energy_j"])
    assert found["pipelined_power_w"] * found["interval_s"] == pytest.approx(found["energy_j"])


def without_energies(folder: Path, name: str) -> str:
    """Write a technology of which every part but the ADC has a power and no rate.

    An ADC needs its rate: it is busy all the time where it has as many columns as fill a stage.
    """
    values = technology_values(name)
    for part in values["components"].values():
        if part["action"] == "conversion":
            continue
        if "power_w" not in part:
            part["power_w"] = float(part["energy_j"]) * float(part["rate_hz"])
        part.pop("energy_j", None)
        part.pop("rate_hz", None)
    return written(folder, values, f"{name}-by-power.yaml")


PIXELS = conv(RNG.standard_normal((768, 1024, 1, 1)).astype(np.float32), (1024, 12, 14))


@pytest.mark.parametrize(
    ("copies", "level", "power_w", "area_mm2"),
    [(1, "tile", 0.330, 0.372), (168, "chip", 65.8, 85.4)],
)
def test_a_full_tile_and_chip_of_isaac_take_their_printed_power_and_area(
    tmp_path: Path, copies: int, level: str, power_w: float, area_mm2: float
) -> None:
    """1,024 x 768 weights in pairs are 8 x 6 x 2 arrays: 12 units, a tile; 168 copies are the chip."""
    found = priced(
        PIXELS,
        WHOLE,
        (1, 1024, 12, 14),
        technology=without_energies(tmp_path, "isaac"),
        replicate={"balance": 96 * copies},
    )
    assert (found["arrays"], found["utilisation"]) == (96 * copies, 1.0)
    # 128 conversions at 1.2 GS/s are the stage; 16 bits; 168 places over the copies.
    assert found["latency_s"] == pytest.approx(168 / copies * 16 * 128 / 1.2e9)
    assert found["within"][level]["energy_j"] / found["latency_s"] == pytest.approx(
        power_w, rel=0.01
    )
    assert found["within"][level]["area_mm2"] == pytest.approx(area_mm2, rel=0.01)
    levels = {each["name"]: (each["needed"], each["area_mm2"]) for each in found["levels"]}
    assert levels[level] == (1, pytest.approx(area_mm2, rel=0.01))
    assert levels["unit"] == (12 * copies, pytest.approx(12 * copies * 0.0131, rel=0.01))


def test_copies_change_area_and_time_but_not_what_acts_take() -> None:
    model = conv(RNG.standard_normal((20, 10, 2, 2)), (10, 5, 6))  # 20 places
    one = priced(model, WHOLE, (1, 10, 5, 6), technology="isaac")
    assert one["arrays"] == 2
    seven = priced(model, WHOLE, (1, 10, 5, 6), technology="isaac", replicate={"balance": 15})
    assert (seven["arrays"], seven["replicas"]) == (14, {"conv": 7})
    assert seven["interval_s"] == pytest.approx(one["interval_s"] * math.ceil(20 / 7) / 20)
    assert seven["area_mm2"] == pytest.approx(7 * one["area_mm2"])
    by_time = 7 * math.ceil(20 / 7) / 20  # seven copies for three products each in place of 20
    ordered = (sorted(each["components"], key=lambda c: str(c["name"])) for each in (one, seven))
    for before, after in zip(*ordered, strict=True):
        assert after["name"] == before["name"]
        factor = by_time if after["basis"] == "power" else 1
        assert after["energy_j"] == pytest.approx(factor * before["energy_j"])
        assert after["actions"] == before["actions"]
    assert seven["writing"]["cells"] == 7 * one["writing"]["cells"] == 14 * 128 * 128


def test_what_leaks_does_so_all_the_time_at_every_place_it_stands(tmp_path: Path) -> None:
    """A tile holds shift-and-adds in its 12 units, 4 each, and one besides; two layers, two units."""
    base = technology_values("isaac")["components"]
    leaking = {
        name: changed(leakage_w=value, together=base[name].get("together", 1))
        for name, value in {"shift_add": 1e-6, "sample_and_hold": 1e-5, "link": 0.1}.items()
    }
    mine = written(tmp_path, {"base": "isaac", "components": leaking})
    model = network(
        "[a] h = MatMul(x, w) [b] y = MatMul(h, v)",
        (9,),
        {"w": RNG.standard_normal((9, 7)), "v": RNG.standard_normal((7, 5))},
    )
    calm = priced(model, WHOLE, (1, 9), technology="isaac")
    found = priced(model, WHOLE, (1, 9), technology=mine)
    more = {
        name: value - by_name(calm["components"], "energy_j")[name]
        for name, value in by_name(found["components"], "energy_j").items()
    }
    at_rest = {
        "shift_add": 2 * (4 + 1 / 12) * 1e-6,
        "sample_and_hold": 4 * 128 * 1e-5 / 1024,
        "link": 2 / 12 / 168 * 0.1,
    }
    for name, value in more.items():
        wanted = at_rest.get(name, 0.0) * calm["latency_s"]
        assert value == pytest.approx(wanted, rel=1e-6, abs=1e-22), name
    assert found["latency_s"] == calm["latency_s"]


def test_an_adc_model_keeps_what_one_adc_leaks(tmp_path: Path) -> None:
    """8 uW are of the eight ADCs that PUMA states together; one leaks 1 uW, whatever models it."""
    leaking = {"base": "puma", "components": {"adc": changed(leakage_w=8e-6, together=8)}}
    model, mine = dense(RNG.standard_normal((128, 128))), written(tmp_path, leaking)
    for name in ("table", "kull"):
        calm = priced(model, WHOLE, (1, 128), technology="puma", adc_model=name)
        found = priced(model, WHOLE, (1, 128), technology=mine, adc_model=name)
        more = found["energy_j"] - calm["energy_j"]
        assert more == pytest.approx(2 * 1e-6 * found["latency_s"], rel=1e-6)


def test_a_stated_pulse_prices_the_writing(tmp_path: Path) -> None:
    write = changed(energy_j=2e-12, time_s=5e-8, cells_at_once=128)
    mine = written(tmp_path, {"base": "isaac", "write": write})
    found = priced(dense(RNG.standard_normal((200, 10))), WHOLE, (1, 200), technology=mine)
    cells = 4 * 128 * 128
    assert (found["writing"]["cells"], found["writing"]["pulses"]) == (cells, cells)
    assert found["writing"]["energy_j"] == pytest.approx(cells * 2e-12)
    assert found["writing"]["seconds"] == pytest.approx(128 * 5e-8)


# Energy of a conversion in J and area of an ADC in mm2: 8 bits, 1.2 GS/s, 32 nm, 128 rows, by hand.
ADCS = {
    "kull": (3.1e-3 / 1.2e9, 0.0015),
    "saberi": (1.67e-12, 0.0012),
    # 8 x (.00653 x 128 + .64) = 11.8 ns a conversion: 15 of them in turns.
    "zigzag": ((100 * 8 + 0.001 * 4**8) * 0.81e-15, 15 * 256 * 10 ** (1.206 - 0.0369 * 8) * 1e-6),
    "table": (2e-3 / 1.2e9, 0.0012),
}


@pytest.mark.parametrize("model", ADCS)
def test_an_adc_model_prices_conversions_and_adcs(model: str) -> None:
    found = priced(
        dense(RNG.standard_normal((200, 150))), WHOLE, (1, 200), technology="isaac", adc_model=model
    )
    conversions = 16 * 2 * 2 * 150  # passes, row tiles, sides, columns
    (adc,) = [each for each in found["components"] if each["name"] == "adc"]
    energy, area = ADCS[model]
    # A tile of 128 columns has an ADC for each side, one of 22 columns a single one for both.
    assert adc["instances"] == 2 * (2 + 1)
    assert (adc["energy_j"], adc["area_mm2"]) == (
        pytest.approx(conversions * energy),
        pytest.approx(6 * area),
    )
    spread = found["adc_models"]["energy_j"]
    for name, (each, _) in ADCS.items():
        assert spread[name] == pytest.approx(conversions * each)
    assert set(spread) == {*ADCS, "andrulis", "neurosim"}
    rest = found["energy_j"] - adc["energy_j"]
    for name, each in found["adc_models"]["inference_j"].items():
        assert each == pytest.approx(rest + spread[name]), name
    assert set(found["adc_models"]["inference_j"]) == set(spread)
    assert found["adc_models"]["inference_j"][model] == pytest.approx(found["energy_j"], rel=1e-12)
    assert found["adc_models"]["ratio"] == pytest.approx(
        max(spread.values()) / min(spread.values())
    )
    assert spread["kull"] / spread["zigzag"] == pytest.approx(3.7, abs=0.05)
    assert any("15 ADCs in turns" in note for note in found["notes"]) == (model == "zigzag")


def test_a_technology_at_another_node() -> None:
    """Energies by a V^2 + b V + c at .8 V, areas by the table, from 32 to 16 nm, of logic alone."""
    stay = {"array", "dac", "sample_and_hold", "adc", "link"}
    model = dense(RNG.standard_normal((200, 150)))
    before = priced(model, WHOLE, (1, 200), technology="isaac")
    after = priced(model, WHOLE, (1, 200), technology="isaac", node_nm=16)
    at_32 = 0.9559 * 0.64 - 0.7823 * 0.8 + 0.471
    at_16 = 0.2958 * 0.64 - 0.1241 * 0.8 + 0.03024
    for key, factor in (("energy_j", at_16 / at_32), ("area_mm2", 0.41)):
        was, now = by_name(before["components"], key), by_name(after["components"], key)
        wanted = {name: value * (1 if name in stay else factor) for name, value in was.items()}
        assert now == pytest.approx(wanted)
    assert (after["latency_s"], after["node_nm"]) == (before["latency_s"], 16)
    (told,) = [note for note in after["notes"] if "not scaled" in note]
    assert told.startswith(
        "not of 16 nm, and not scaled to it: adc (32 nm), dac (32 nm), array (32 "
    )
    assert {part.split(" ")[0] for part in told.split(": ")[1].split(", ")} == stay
    scaled = priced(model, WHOLE, (1, 200), technology="isaac", node_nm=16, scale_adc=True)
    for key, factor in (("energy_j", at_16 / at_32), ("area_mm2", 0.41)):
        was, now = by_name(after["components"], key), by_name(scaled["components"], key)
        assert now == pytest.approx({**was, "adc": was["adc"] * factor})
    assert not any("adc (" in note for note in scaled["notes"])


def test_an_area_that_holds_analog_parts_is_not_scaled() -> None:
    before = priced(TWO, WHOLE, (1, 9), technology="puma")
    after = priced(TWO, WHOLE, (1, 9), technology="puma", node_nm=16)
    was, now = (by_name(each["components"], "area_mm2") for each in (before, after))
    assert now["core_rest"] == was["core_rest"]
    assert now["tile_rest"] == pytest.approx(0.41 * was["tile_rest"])
    assert any("so that of core_rest is not scaled" in note for note in after["notes"])


def test_a_file_that_claims_another_node_than_its_numbers_have_is_told(tmp_path: Path) -> None:
    mine = written(tmp_path, {"base": "isaac", "node_nm": 7})
    found = priced(TWO, WHOLE, (1, 9), technology=mine)
    (told,) = [note for note in found["notes"] if note.startswith("not of 7 nm")]
    assert all(f"{name} (32 nm)" in told for name in ("adc", "router", "tile_register"))
    zigzag = priced(TWO, WHOLE, (1, 9), technology="isaac", adc_model="zigzag")
    assert "not of 32 nm, and not scaled to it: adc (28 nm)" in zigzag["notes"]


def test_nodes_outside_the_tables_are_refused_by_their_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^cost.node_nm: found 6 nm, expected 7 to 130 nm"):
        priced(TWO, WHOLE, (1, 9), technology="isaac", node_nm=6)
    bus = changed(node_nm=5)
    mine = written(tmp_path, {"base": "isaac", "components": {"bus": bus}})
    with pytest.raises(InputError, match=r"^components.bus.node_nm: found 5 nm, expected 7 to 130"):
        priced(TWO, WHOLE, (1, 9), technology=mine, node_nm=16)


def test_arrays_of_another_size() -> None:
    """64 x 64 in ISAAC: a quarter of the array, half of its DACs and sample-and-holds, a whole ADC."""
    small = {**WHOLE, "crossbar": {"rows": 64, "cols": 64}}
    found = priced(dense(RNG.standard_normal((64, 64))), small, (1, 64), technology="isaac")
    instances = by_name(found["components"], "instances")
    assert {name: instances[name] for name in ("array", "dac", "sample_and_hold", "adc")} == {
        **{"array": 2 / 4, "dac": 2 * 64, "sample_and_hold": 2 * 64, "adc": 2},
    }
    assert found["latency_s"] == pytest.approx(16 * 1e-7)  # 64 conversions take less than a read
    reads = by_name(found["components"], "energy_j")["array"]
    assert reads == pytest.approx(16 * 2 / 4 * 0.3e-3 * 1e-7)
    assert any("arrays of 64x64" in note for note in found["notes"])
    assert [each["area_mm2"] for each in found["levels"]] == [None] * 3


def test_layers_on_the_same_arrays_pay_for_energy_twice_and_area_once() -> None:
    w = RNG.standard_normal((6, 6))
    alone = priced(dense(w), WHOLE, (1, 6), technology="isaac")
    both = priced(
        network("[a] h = MatMul(x, w) r = Relu(h) [b] y = MatMul(r, w)", (6,), {"w": w}),
        WHOLE,
        (1, 6),
        technology="isaac",
    )
    assert both["area_mm2"] == pytest.approx(alone["area_mm2"])
    assert both["energy_j"] == pytest.approx(2 * alone["energy_j"])
    assert both["latency_s"] == both["interval_s"] == pytest.approx(2 * alone["latency_s"])
    assert both["writing"]["cells"] == alone["writing"]["cells"]
    # With settings of their own they can't be the same arrays.
    apart = {**WHOLE, "layers": {"b": {"device": {"write_sigma": 0.1}}}}
    model = network("[a] h = MatMul(x, w) r = Relu(h) [b] y = MatMul(r, w)", (6,), {"w": w})
    found = priced(model, apart, (1, 6), technology="isaac")
    assert found["area_mm2"] == pytest.approx(2 * alone["area_mm2"])


def test_digital_layers_are_not_priced_and_settings_of_a_layer_are_its_own() -> None:
    some = {**WHOLE, "layers": {"b": {"digital": True}, "c": {"adc": {"n_bits": 6}}}}
    found = priced(TWO, some, (1, 9), technology="isaac")
    assert [layer["name"] for layer in found["layers"]] == ["a", "c"]
    assert found["macs"] == 63 + 15
    energies = {
        layer["name"]: by_name(layer["components"], "energy_j")["adc"] for layer in found["layers"]
    }
    # Six bits after Saberi's table: 1.20 pJ in place of 1.67 pJ.
    assert energies == {
        "a": pytest.approx(16 * 2 * 7 * 2e-3 / 1.2e9),
        "c": pytest.approx(16 * 2 * 3 * 2e-3 / 1.2e9 * 1.20 / 1.67),
    }
    assert [each["area_mm2"] for each in found["levels"]] == [None] * 3  # no one ADC for all


def test_without_adcs_nothing_converts() -> None:
    found = priced(TWO, {**WHOLE, "adc": {"n_bits": None}}, (1, 9), technology="isaac")
    (adc,) = [each for each in found["components"] if each["name"] == "adc"]
    assert (adc["instances"], adc["actions"], adc["energy_j"], adc["area_mm2"]) == (0, 0, 0, 0)
    assert found["latency_s"] == pytest.approx(3 * 16 * 1e-7)
    nothing: dict[str, Any] = {"energy_j": {}, "inference_j": {}, "ratio": None, "left_out": {}}
    assert found["adc_models"] == nothing
    assert "3 of 3 layers have no ADC (adc.n_bits is null): nothing converts" in found["notes"]


def test_arrays_whose_area_another_part_holds_have_none_of_their_own() -> None:
    found = priced(TWO, WHOLE, (1, 9), technology="puma")
    parts = {each["name"]: each for each in found["components"]}
    for name in ("array", "dac", "adc", "shift_add"):
        assert (parts[name]["area_mm2"], parts[name]["area_within"]) == (None, "core_rest")
    assert "area_within" not in parts["core_rest"]
    assert not found["area_is_lower_bound"]
    assert not any(note.startswith("area not stated") for note in found["notes"])
    areas = {name: each["area_mm2"] for name, each in found["within"].items()}
    assert (areas["array"], areas["unit"]) == (None, None)
    assert areas["core"] == pytest.approx(3 / 2 * 0.036)  # three layers, a unit each, two in a core
    levels = {each["name"]: each["area_mm2"] for each in found["levels"]}
    assert (levels["unit"], levels["core"]) == (None, pytest.approx(2 * 0.036))


def test_an_area_is_a_lower_bound_where_one_in_use_is_not_stated(tmp_path: Path) -> None:
    """NeuroSim's ADC has no area; without ADCs nothing is missing, and headlines say which it is."""
    of_16 = {**WHOLE, "crossbar": {"rows": 16, "cols": 16}}
    found = priced(TWO, of_16, (1, 9), technology="isaac", adc_model="neurosim")
    assert found["area_is_lower_bound"]
    assert "area not stated, and left out: adc" in found["notes"]
    without = {**of_16, "adc": {"n_bits": None}}
    found = priced(TWO, without, (1, 9), technology="isaac", adc_model="neurosim")
    assert not found["area_is_lower_bound"]
    # What lies within a component of no level is not known either.
    mine = {"base": "puma", "levels": {"core": {"parts": {"core_rest": None}}}}
    found = priced(TWO, WHOLE, (1, 9), technology=written(tmp_path, mine))
    parts = {each["name"]: each for each in found["components"]}
    assert found["area_is_lower_bound"]
    assert "area_within" not in parts["adc"]
    compensated = {**of_16, "compensate": ["columns"]}
    assert priced(TWO, compensated, (1, 9), technology="isaac")["area_is_lower_bound"]


def test_adcs_in_turns_within_another_component_change_no_area() -> None:
    found = priced(TWO, WHOLE, (1, 9), technology="puma", adc_model="zigzag")
    (told,) = [note for note in found["notes"] if "in turns" in note]
    assert told.endswith("their area lies within core_rest, which does not change")


def test_operations_count_no_skipped_work() -> None:
    """Rows and columns of zeros are left out: 6 x 4 weights of 9 x 7 are multiplied, at 20 places."""
    w = RNG.standard_normal((7, 9, 1, 1))
    w[:, 6:] = 0
    w[4:] = 0
    mapping = {"scheme": "differential", "subtract": "digital", "skip_zero": True}
    skipping = {**WHOLE, "mapping": mapping}
    whole = priced(conv(w, (9, 4, 5)), WHOLE, (1, 9, 4, 5), technology="isaac")
    found = priced(conv(w, (9, 4, 5)), skipping, (1, 9, 4, 5), technology="isaac")
    assert (whole["macs"], whole["macs_of_network"]) == (20 * 63, 20 * 63)
    assert (found["macs"], found["macs_of_network"]) == (20 * 24, 20 * 63)
    assert found["layers"][0]["actions"]["macs"] == 20 * 24
    assert found["ops_per_j"] == pytest.approx(2 * 20 * 24 / found["energy_j"])
    of_area = found["interval_s"] * found["area_mm2"]
    assert found["ops_per_s_mm2"] == pytest.approx(2 * 20 * 24 / of_area)


def test_the_status_is_that_of_the_energy(tmp_path: Path) -> None:
    """Printed energies and powers are P, energies that are power over rate D, second-hand ones R."""
    found = priced(TWO, WHOLE, (1, 9), technology="isaac")
    statuses = {each["name"]: each["status"] for each in found["components"]}
    assert {
        name: statuses[name] for name in ("adc", "array", "dac", "buffer", "link", "sigmoid")
    } == {
        **{"adc": "D", "array": "D", "dac": "P", "buffer": "P", "link": "P", "sigmoid": "R"},
    }
    sources = {each["entry"]: each for each in found["sources"]}
    assert (sources["adc"]["status"], sources["adc"]["numbers"]["power_w"]) == ("P", 2e-3)
    assert (sources["array"]["status"], sources["array"]["numbers"]["power_w"]) == ("P", 3e-4)

    def status_of_adc(**cost: Any) -> str:
        (adc,) = [
            each
            for each in priced(TWO, WHOLE, (1, 9), **cost)["components"]
            if each["name"] == "adc"
        ]
        return str(adc["status"])

    assert status_of_adc(technology="isaac", adc_model="andrulis") == "D"
    assert status_of_adc(technology="puma") == "R"
    printed = {"base": "isaac", "components": {"adc": changed(energy_j=1e-12)}}
    assert status_of_adc(technology=written(tmp_path, printed)) == "P"


def test_acts_of_digital_components_are_those_of_digital_operators(tmp_path: Path) -> None:
    """With an energy and a power, a sigmoid costs by its acts, once: two of Relu, 7 and 5 elements."""
    sigmoid = changed(energy_j=3e-12, rate_hz=1e9, together=2)
    mine = written(tmp_path, {"base": "isaac", "components": {"sigmoid": sigmoid}})
    found = priced(TWO, WHOLE, (1, 9), technology=mine)
    (each,) = [each for each in found["components"] if each["name"] == "sigmoid"]
    assert (each["energy_j"], each["actions"]) == (pytest.approx(12 * 3e-12), 12)
    assert (each["basis"], each["level"]) == ("action", "tile")
    assert each["area_mm2"] == pytest.approx(3 / 12 * 0.0006)
    assert not any("sigmoid" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("parts", "share", "adcs"),
    [
        (
            {"array": {"adc": None}, "unit": {"adc": 1}},
            1024,
            1 / 8,
        ),  # one for the 8 arrays of a unit
        ({"array": {"adc": 0.5}}, 256, 1 / 2),
        ({"array": {"adc": 3}}, 43, 3),
        ({"array": {"adc": 2}}, 64, 2),
    ],
)
def test_adcs_of_any_number_take_their_columns_in_turns(
    tmp_path: Path, parts: dict[str, Any], share: int, adcs: float
) -> None:
    levels = {name: {"parts": each} for name, each in parts.items()}
    mine = written(tmp_path, {"base": "isaac", "levels": levels})
    model = dense(RNG.standard_normal((128, 128)))
    found = priced(model, WHOLE, (1, 128), technology=mine)
    assert by_name(found["components"], "instances")["adc"] == pytest.approx(2 * adcs)
    assert found["latency_s"] == pytest.approx(16 * max(1e-7, share / 1.2e9))
    as_designed = priced(model, WHOLE, (1, 128), technology="isaac")
    energies = by_name(as_designed["components"], "energy_j")["adc"]
    assert by_name(found["components"], "energy_j")["adc"] == pytest.approx(energies)
    # Who states columns of an ADC gets so many.
    four = {**WHOLE, "adc": {"n_bits": 8, "share": 4}}
    stated = priced(model, four, (1, 128), technology=mine)
    assert by_name(stated["components"], "instances")["adc"] == 2 * 32
    assert stated["latency_s"] == pytest.approx(16 * 1e-7)
    assert (
        stated["levels"][0]["area_mm2"] is None
    )  # that of a unit is not the technology's any longer
    # So does who asks for them in the section of cost, for an ADC a column too.
    for asked in (1, 128):
        found = priced(model, WHOLE, (1, 128), technology=mine, adc_share=asked)
        assert by_name(found["components"], "instances")["adc"] == 2 * 128 / asked
        assert found["latency_s"] == pytest.approx(16 * max(1e-7, asked / 1.2e9))


SQUARE = dense(RNG.standard_normal((64, 64)))
AS_64 = {
    "crossbar": {"rows": 64, "cols": 64},
    "mapping": {"scheme": "differential", "subtract": "digital"},
    "dac": {"n_bits": 6},
    "adc": {"n_bits": 10},
}


@pytest.mark.parametrize("columns", [1, 4, 64])
def test_where_no_time_of_a_read_is_stated_conversions_set_the_pace(columns: int) -> None:
    """Twice the ADCs take half the time, and conversions take the same energy."""
    found = priced(SQUARE, AS_64, (1, 64), technology="rxnn-64", adc_share=columns)
    assert found["latency_s"] == pytest.approx(columns / 1.2e9)
    assert by_name(found["components"], "instances")["adc"] == 2 * 64 / columns
    conversion = 3.1e-3 / 1.2e9 * 2.379 / 1.67  # Kull's, carried to 10 bits after Saberi
    assert by_name(found["components"], "energy_j")["adc"] == pytest.approx(128 * conversion)
    assert any("rxnn-64 states no time of a read" in note for note in found["notes"])


def test_a_stated_time_of_a_read_bounds_what_more_adcs_gain(tmp_path: Path) -> None:
    product = changed(read_s=1e-8)
    mine = written(tmp_path, {"base": "rxnn-64", "product": product})
    times = {
        columns: priced(SQUARE, AS_64, (1, 64), technology=mine, adc_share=columns)["latency_s"]
        for columns in (1, 8, 16, 64)
    }
    assert times == pytest.approx({1: 1e-8, 8: 1e-8, 16: 16 / 1.2e9, 64: 64 / 1.2e9})
    found = priced(SQUARE, AS_64, (1, 64), technology="isaac", adc_share=1)
    assert found["latency_s"] == pytest.approx(1e-7)
    assert not any("time of a read" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("technology", "shape", "seconds"),
    [("rxnn-64", 64, 64 / 1.2e9), ("puma", 128, 128e-9 * 3), ("generic-32nm", 128, 128 / 1.2e9)],
)
def test_the_technologys_columns_take_its_stage(
    technology: str, shape: int, seconds: float
) -> None:
    some = {**AS_64, "crossbar": {"rows": shape, "cols": shape}, "adc": {"n_bits": 8}}
    found = priced(SQUARE, some, (1, 64), technology=technology)
    assert found["latency_s"] == pytest.approx(seconds)


def test_without_adcs_a_read_takes_the_technologys_stage() -> None:
    found = priced(SQUARE, {**AS_64, "adc": {"n_bits": None}}, (1, 64), technology="rxnn-64")
    assert found["latency_s"] == pytest.approx(5.3333e-8)
    assert "without an ADC a read takes the stage of rxnn-64, 53.3 ns" in found["notes"]


def test_what_no_component_does_is_told(tmp_path: Path) -> None:
    gone = dict.fromkeys(("array", "dac", "sample_and_hold", "adc"))
    mine = written(tmp_path, {"base": "isaac", "levels": {"array": {"parts": gone}}})
    found = priced(dense(RNG.standard_normal((9, 7)), np.ones(7)), WHOLE, (1, 9), technology=mine)
    assert found["adc_models"]["inference_j"] == {}  # its total holds no conversions
    told = (
        "the technology has no component for, and leaves out: reads of arrays (32), drives of rows "
    )
    assert f"{told}(288), conversions (224), sample-and-holds (224)" in found["notes"]
    assert any("addition of a bias (7)" in note for note in found["notes"])


def test_acts_that_are_not_counted_leave_their_energy_out(tmp_path: Path) -> None:
    register = changed(energy_j=1e-12)  # replaces its power
    mine = written(tmp_path, {"base": "isaac", "components": {"tile_register": register}})
    found = priced(TWO, WHOLE, (1, 9), technology=mine)
    (each,) = [each for each in found["components"] if each["name"] == "tile_register"]
    assert (each["energy_j"], each["basis"], each["actions"]) == (None, "unknown", None)
    told = "energy left out, as acts are not counted or have no energy: tile_register"
    assert told in found["notes"]


def test_compensations_digital_work_is_priced_by_shift_and_adds() -> None:
    """Gain and offset of 3 outputs at 9 places, on 2 row tiles: 54 products by 8 bits, 27 sums."""
    some = {
        **{"compensate": ["columns"], "crossbar": {"rows": 16}, "adc": {"n_bits": 8}},
        "dac": {"n_bits": 6},
    }
    model = conv(RNG.standard_normal((3, 8, 2, 2)), (8, 4, 4))
    found = priced(model, some, (1, 8, 4, 4), technology="isaac")
    (each,) = [each for each in found["components"] if each["name"] == "compensation"]
    assert each["actions"] == 54 * 8 + 27
    assert each["energy_j"] == pytest.approx((54 * 8 + 27) * 2.1e-14)
    assert each["area_mm2"] is None
