"""Cost beside accuracy: it changes nothing else, is computed once, and adds up."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from small_networks import network

import rxsim
from rxsim.calibrate import measure_input_ranges
from rxsim.commands.cost import command as cost_command
from rxsim.commands.evaluate import command
from rxsim.errors import InputError
from rxsim.pipeline import Runner, study_cost
from rxsim.pipeline.chip import mapped
from rxsim.pipeline.ladder import ladder

SETTINGS: dict[str, Any] = {
    "crossbar": {"rows": 8, "cols": 8},
    "device": {"write_sigma": 0.05},
    "trials": 2,
}
ISAAC = {**SETTINGS, "cost": {"technology": "isaac"}}


def small_model() -> onnx.ModelProto:
    """Two products with an activation between them."""
    rng = np.random.default_rng(3)
    weights = {"w": rng.normal(size=(12, 10)), "v": rng.normal(size=(10, 3))}
    text = "[first] h = Gemm(x, w) [act] r = Relu(h) [second] y = Gemm(r, v)"
    return network(text, (12,), weights)


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return small_model()


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    return rng.normal(size=(24, 12)).astype(np.float32), rng.integers(0, 3, 24)


@pytest.fixture(scope="module")
def priced(model: onnx.ModelProto, data: Any) -> rxsim.Evaluation:
    return rxsim.evaluate(model, ISAAC, data)


@pytest.fixture
def files(model: onnx.ModelProto, data: Any, tmp_path: Path) -> list[str]:
    """Arguments of a command: the network's file and its data."""
    onnx.save(model, tmp_path / "m.onnx")
    np.savez(tmp_path / "d.npz", x=data[0], y=data[1])
    named = [str(tmp_path / "m.onnx"), "--data", str(tmp_path / "d.npz"), "--xbar", "8x8"]
    return [*named, "--quiet", "--trials", "1"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def bare(values: dict[str, Any]) -> str:
    """Write an evaluation without what says that, and what, was priced, and without wall times."""
    kept = {name: value for name, value in values.items() if name not in ("cost", "timing")}
    kept["settings"] = {n: v for n, v in kept["settings"].items() if n != "cost"}
    kept["provenance"] = {n: v for n, v in kept["provenance"].items() if n != "settings_sha256"}
    return json.dumps(kept)


def test_accuracy_is_the_same_bytes_with_and_without(
    model: onnx.ModelProto, data: Any, priced: rxsim.Evaluation
) -> None:
    plain = rxsim.evaluate(model, SETTINGS, data)
    assert plain.cost is None
    assert "cost" not in plain.as_json()
    assert "cost" not in plain.as_json()["settings"]
    assert bare(priced.as_json()) == bare(plain.as_json())


def test_totals_are_sums_of_components_and_of_layers(priced: rxsim.Evaluation) -> None:
    cost = json.loads(json.dumps(priced.as_json()["cost"], allow_nan=False))
    assert cost["technology"] == "isaac"
    by_component = math.fsum(part["energy_j"] or 0 for part in cost["components"])
    by_layer = math.fsum(layer["energy_j"] for layer in cost["layers"])
    digital = math.fsum(
        part["energy_j"] or 0 for part in cost["components"] if part["level"] is None
    )
    assert cost["energy_j"] == pytest.approx(by_component, rel=1e-12)
    assert cost["energy_j"] == pytest.approx(by_layer + digital, rel=1e-12)
    area = math.fsum(layer["area_mm2"] for layer in cost["layers"])
    assert cost["area_mm2"] == pytest.approx(area, rel=1e-12)
    assert cost["macs"] == 12 * 10 + 10 * 3
    # 12 rows on 8 are 2 tiles, 10 columns on 8 are 2; two arrays of a pair each: 2x2x2 + 2x1x2.
    assert cost["arrays"] == 12


def test_nothing_is_measured_twice(
    model: onnx.ModelProto, data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"ranges": 0, "prices": 0}
    measure, price = measure_input_ranges, study_cost

    def measured(*given: Any, **more: Any) -> Any:
        counts["ranges"] += 1
        return measure(*given, **more)

    def priced(*given: Any, **more: Any) -> Any:
        counts["prices"] += 1
        return price(*given, **more)

    monkeypatch.setattr(mapped, "measure_input_ranges", measured)
    monkeypatch.setattr(ladder, "study_cost", priced)
    drifting = {**ISAAC, "device": {"model": "pcm-hermes"}}
    result = rxsim.evaluate(model, drifting, data, times=[0, "1h"])
    assert len(result.over_time) == 2
    assert counts == {"ranges": 1, "prices": 1}
    counts["ranges"] = 0
    rxsim.price(model, ISAAC, data)
    assert counts["ranges"] == 1


def test_the_cost_by_itself_is_the_cost_beside_accuracy(
    model: onnx.ModelProto, data: Any, priced: rxsim.Evaluation
) -> None:
    alone = rxsim.price(model, SETTINGS, data, technology="isaac")
    assert priced.cost is not None
    assert alone.as_json() == priced.cost.as_json()
    only = rxsim.evaluate(model, ISAAC, data, scenarios=["weights"])
    assert only.cost is not None
    assert only.cost.as_json() == alone.as_json()


def test_compensation_leaves_the_price_of_reads(model: onnx.ModelProto, data: Any) -> None:
    """The arrays' energy is that of the chips before compensation, beside accuracy and alone."""
    stepped = {**ISAAC, "compensate": ["columns"]}
    beside, alone = rxsim.evaluate(model, stepped, data).cost, rxsim.price(model, stepped, data)
    assert beside is not None
    assert beside.as_json() == alone.as_json()


@pytest.mark.parametrize(
    "options",
    [
        ["--cost"],
        ["--technology", "isaac"],
        ["--adc-model", "andrulis"],
        ["--replicate", "40"],
        ["--array-energy", "technology"],
        ["--set", "cost.technology=puma"],
    ],
)
def test_each_option_switches_it_on(options: list[str], files: list[str]) -> None:
    result = run(*files, *options, "--json", "-")
    assert result.exit_code == 0, result.exception
    told = json.loads(result.stdout)
    cost = told["cost"]
    assert cost["energy_j"] > 0
    values = dict(zip(options[::2], options[1::2], strict=False))
    assert cost["technology"] == values.get(
        "--technology", "rxnn-64" if "--set" not in values else "puma"
    )
    assert cost["adc_model"] == values.get("--adc-model", "table")
    assert cost["array_energy"] == values.get("--array-energy", "circuit")
    copies = {"balance": 40} if "--replicate" in values else "none"
    assert told["settings"]["cost"]["replicate"] == copies


def test_the_flag_keeps_the_section_of_a_settings_file(files: list[str], tmp_path: Path) -> None:
    given, saved = tmp_path / "s.yaml", tmp_path / "saved.yaml"
    given.write_text("cost: {technology: isaac, adc_model: andrulis}\n")
    result = run(*files, "--config", str(given), "--cost", "--json", "-", "-o", str(saved))
    cost = json.loads(result.stdout)["cost"]
    assert (cost["technology"], cost["adc_model"]) == ("isaac", "andrulis")
    again = run(*files, "--config", str(saved), "--json", "-")
    assert json.loads(again.stdout)["cost"] == cost


def test_without_options_nothing_is_priced(files: list[str]) -> None:
    result = run(*files)
    assert result.exit_code == 0
    assert "Energy" not in result.stdout
    assert "rxsim cost" not in result.stdout


def test_the_terminal_has_a_short_block_and_the_command_for_the_rest(files: list[str]) -> None:
    result = run(*files, "--technology", "isaac", "--only", "wires")
    text = result.stdout
    assert "Cost in isaac (32 nm), ADC model table" in text
    assert "Energy of an inference" in text
    assert "Most energy: " in text
    assert "By component" not in text
    (line,) = [each for each in text.splitlines() if each.startswith("All components")]
    words = line.split("rxsim cost ")[1].split()
    again = CliRunner().invoke(cost_command, [*words, "--quiet", "--json", "-"])
    assert again.exit_code == 0, again.exception
    told = json.loads(run(*files, "--technology", "isaac", "--json", "-").stdout)["cost"]
    alone = json.loads(again.stdout)
    assert alone["kind"] == "cost"
    assert {name: alone[name] for name in told} == told


def test_an_evaluation_prints_its_cost(priced: rxsim.Evaluation) -> None:
    assert "Cost in isaac" in repr(priced)
    assert "Most energy" in priced._repr_html_()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--technology", "isac"], "did you mean isaac"),
        (["--technology", "missing.yaml"], "missing.yaml"),
        (["--adc-model", "kulll"], "kull"),
        (["--adc-model", "kull"], "kull"),  # 8 bits only, and the default has 6
        (["--replicate", "0"], "replicate"),
        (["--array-energy", "guess"], "array_energy"),
    ],
)
def test_what_cant_be_priced_is_refused_before_anything_runs(
    options: list[str], words: str, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("ran before the options were checked")

    monkeypatch.setattr(Runner, "score_float", fail)
    result = run(*files, *options)
    assert isinstance(result.exception, InputError)
    assert result.exception.exit_code == 2
    assert "\n" not in str(result.exception)
    assert words in str(result.exception)


# From Python


def test_price_takes_the_options_of_the_command(model: onnx.ModelProto, data: Any) -> None:
    cost = rxsim.price(
        model, SETTINGS, data, technology="isaac", adc_model="andrulis", replicate=40
    )
    assert cost.chosen.name == "isaac"
    assert cost.as_json()["adc_model"] == "andrulis"
    assert cost.chosen.cost.replicate != "none"
    assert cost.chosen.cost.replicate.balance == 40
    assert cost.inputs
    text = repr(cost)
    assert "By component" in text
    assert "By layer" in text
    assert "<script" not in cost._repr_html_()


def test_price_from_shapes_runs_nothing(
    model: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("ranges were measured")

    monkeypatch.setattr(mapped, "measure_input_ranges", fail)
    cost = rxsim.price(model, SETTINGS, array_energy="technology")
    assert cost.energy_j > 0
    assert not cost.inputs
    assert {part.basis for part in cost.components if part.action == "array_read"} == {"action"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"technology": 3}, "technology"),
        ({"technology": "nothing"}, "nothing"),
        ({"replicate": 0}, "replicate"),
        ({"replicate": "many"}, "replicate"),
        ({"array_energy": "guess"}, "array_energy"),
        ({"adc_model": "best"}, "best"),
    ],
)
def test_price_refuses_bad_arguments(
    given: dict[str, Any], words: str, model: onnx.ModelProto, data: Any
) -> None:
    with pytest.raises(InputError, match=words):
        rxsim.price(model, SETTINGS, data, **given)


def test_a_frame_of_components_and_layers_is_asked_for_by_name(
    model: onnx.ModelProto, data: Any
) -> None:
    cost = rxsim.price(model, SETTINGS, data, array_energy="technology")
    with pytest.raises(InputError, match="components or layers"):
        cost.to_frame("chips")


def test_every_number_of_the_technology_has_a_source(priced: rxsim.Evaluation) -> None:
    assert priced.cost is not None
    technology = priced.cost.chosen.technology
    sources = priced.cost.as_json()["sources"]
    entries = {each["entry"] for each in sources}
    assert entries >= {*technology.components, "product"}
    assert all(each["source"] and each["status"] in "PDR" for each in sources)
    (adc,) = [each for each in sources if each["entry"] == technology.adc_name]
    assert adc["numbers"]["bits"] == 6  # the layers', not the 8 that the technology states
    assert adc["status"] == "D"
    dac = next(each for each in sources if each["entry"] == "dac")
    assert dac["numbers"].items() >= {"energy_j": 0.4167e-12}.items() or "power_w" in dac["numbers"]
