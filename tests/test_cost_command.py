"""`rxsim cost` from outside: published totals, the solved arrays by hand, JSON, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import numpy_helper, parser
from small_networks import conv, dense, network

from rxsim.cli import _COMMANDS, main
from rxsim.cost.price.component import Basis, ComponentCost, summed
from rxsim.cost.technology_files import FOLDER
from rxsim.folders import folder_of

ROOT = Path(__file__).resolve().parents[1]
PUMA = ROOT / "configs" / "puma.yaml"
RNG = np.random.default_rng(0)
NOT_RUN = ("--array-energy", "technology")


@pytest.fixture(autouse=True)
def command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_COMMANDS, "cost", ("rxsim.commands.cost", "Area, energy and time."))


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["cost", *map(str, words)])
    out, err = capsys.readouterr()
    code = stop.value.code
    return (code if isinstance(code, int) else 0 if code is None else 99), out, err


def found(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    """Run it for JSON; `json.loads` reads no NaN here."""
    code, out, err = run(capsys, *words, "-q", "--json", "-")
    assert code == 0, err

    def refuse(text: str) -> None:
        raise AssertionError(text)

    values: dict[str, Any] = json.loads(out, parse_constant=refuse)
    return values


def saved(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "net.onnx"
    onnx.save(model, path)
    return path


def test_a_product_of_puma_takes_the_printed_time_and_energy(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One 128 x 128 product of 16 bits on one unit: 2,304 ns and 43.97 nJ are printed.

    The file maps signs by pairs, 16 arrays; with an offset it is eight slices of two bits. A product
    takes 16 passes through 3 stages, 18 stage times; each part acts in 16 of them. So acts take 16/18
    of what the paper counts: the unit's power for all of the 2,304 ns.
    """
    model = network("y = MatMul(x, w)", (128,), {"w": RNG.standard_normal((128, 128))})
    offset = ("mapping.scheme=offset", "mapping.offset_removal=digital")
    settings = [word for each in offset for word in ("--set", each)]
    given = (saved(tmp_path, model), "--config", PUMA, "--technology", "puma", *NOT_RUN, *settings)
    product = found(capsys, *given)
    assert (product["arrays"], product["utilisation"]) == (8, 1.0)
    assert product["latency_s"] == pytest.approx(2304e-9)
    acts = product["within"]["unit"]["energy_j"]
    unit_w = 0.016 + 2.4e-3 + 5e-4 + 2e-4  # ADCs, arrays, DACs, shift-and-adds
    assert acts == pytest.approx(unit_w * 2304e-9 * 16 / 18)
    assert acts * 18 / 16 == pytest.approx(43.97e-9, rel=0.01)
    assert product["reconstructed"] is True
    pairs = found(
        capsys, saved(tmp_path, model), "--config", PUMA, "--technology", "puma", *NOT_RUN
    )
    assert pairs["arrays"] == 16  # 15 bits and a side: 8 slices of each


V_READ, G_ON, G_OFF = 0.2, 1 / 200e3, 1 / 1.4e6
PLAIN_SETTINGS: dict[str, Any] = {
    "crossbar": {"rows": 16, "cols": 8, **dict.fromkeys(("r_wire_wl", "r_wire_bl"), 0)}
    | dict.fromkeys(("r_driver", "r_sense"), 0),
    "device": {"r_on": 1 / G_ON, "r_off": 1 / G_OFF, "n_bits": None},
    "input": {"v_read": V_READ},
    "dac": {"n_bits": 4},
    "adc": {"n_bits": 8},
}


def test_without_wires_the_circuits_energy_is_the_sum_of_v_squared_g(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A layer at 3 places, whose calibration inputs are codes: v = v_read code / 15.

    A pulse lasts as long as 8 conversions at 1.2 GS/s.
    """
    codes = RNG.integers(0, 16, (5, 2, 1, 3)).astype(np.float32)
    codes[0, 0, 0, 0] = 15
    weight = RNG.standard_normal((4, 2, 1, 1)).astype(np.float32)
    np.savez(tmp_path / "some.npz", x=codes)
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump(PLAIN_SETTINGS))
    given = (
        *(saved(tmp_path, conv(weight, (2, 1, 3))), "--data", tmp_path / "some.npz"),
        *("--calibrate", tmp_path / "some.npz", "--data-layout", "NCHW", "--metric", "none"),
        *("--config", tmp_path / "plain.yaml", "--technology", "rxnn-64"),
    )
    solved = found(capsys, *given)
    share = np.abs(weight.astype(np.float64)).reshape(4, 2) / np.abs(weight).max()
    row_siemens = (share * (G_ON - G_OFF)).sum(
        axis=0
    ) + 2 * 8 * G_OFF  # of both sides, unused ones too
    volts = V_READ * codes.astype(np.float64) / 15
    power = np.einsum("bcij,c->b", volts**2, row_siemens)
    (array,) = [each for each in solved["components"] if each["name"] == "array"]
    assert (array["basis"], solved["array_energy"]) == ("circuit", "circuit")
    # Five inputs are all solved, but two of three places of each: the mean lies within 5 errors.
    wanted = power.mean() * 8 / 1.2e9
    assert 0 < array["error_j"] < 0.2 * wanted
    assert array["energy_j"] == pytest.approx(wanted, abs=5 * array["error_j"])
    assert solved["energy_error_j"] == array["error_j"]
    assert array["status"] is None
    stated = found(capsys, *given, *NOT_RUN)
    rest = [each for each in solved["components"] if each["name"] != "array"]
    assert rest == [each for each in stated["components"] if each["name"] != "array"]
    (array,) = [each for each in stated["components"] if each["name"] == "array"]
    assert array["energy_j"] == pytest.approx(3 * 2 * 7.5e-12 * 16 * 8 / 64**2)
    assert (array["status"], "energy_of_technology_j" in array) == ("D", False)
    for each in (solved, stated):
        assert each["array_energy_of_technology_j"] == pytest.approx(array["energy_j"])

    # At one place nothing is sampled, and the sum is exact.
    np.savez(tmp_path / "some.npz", x=codes[..., :1])
    exact = found(capsys, saved(tmp_path, conv(weight, (2, 1, 1))), *given[1:])
    power = np.einsum("bcij,c->b", volts[..., :1] ** 2, row_siemens)
    (array,) = [each for each in exact["components"] if each["name"] == "array"]
    assert array["energy_j"] == pytest.approx(power.mean() * 8 / 1.2e9, rel=1e-6)
    assert exact["energy_error_j"] == 0


def test_errors_of_layers_add_up(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text(
        yaml.safe_dump({**PLAIN_SETTINGS, "calibration": {"samples": 3}})
    )
    weights = {"w": RNG.standard_normal((3, 2, 1, 1)), "v": RNG.standard_normal((2, 3, 2, 2))}
    model = network("[a] h = Conv(x, w) [b] y = Conv(h, v)", (2, 3, 3), weights)
    values = found(capsys, saved(tmp_path, model), "--config", tmp_path / "plain.yaml")
    errors = [
        each["error_j"]
        for layer in values["layers"]
        for each in layer["components"]
        if each["name"] == "array"
    ]
    assert len(errors) == 2
    assert min(errors) > 0
    assert values["energy_error_j"] == pytest.approx(sum(errors))


SOLVED = ComponentCost(
    name="array",
    level="array",
    action="array_read",
    instances=1.0,
    actions=1.0,
    energy_j=1.0,
    basis="circuit",
    area_mm2=0.0,
    status="P",
)


def test_an_error_is_unknown_where_that_of_one_layer_is() -> None:
    def cost(basis: Basis, error_j: float | None) -> ComponentCost:
        return replace(SOLVED, basis=basis, error_j=error_j)

    layers = [
        cost("circuit", 2.0),
        cost("action", None),
        cost("circuit", None),
        cost("circuit", 3.0),
    ]
    for order in permutations(layers):
        (whole,) = summed(order)
        assert (whole.error_j, whole.energy_j, whole.basis) == (None, 4.0, "circuit")
    known = [layers[0], layers[1], layers[3]]
    assert {summed(order)[0].error_j for order in permutations(known)} == {5.0}


def test_the_tables_tell_totals_components_layers_and_notes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model = saved(tmp_path, network("h = MatMul(x, w) y = Relu(h)", (9,), {"w": np.ones((9, 7))}))
    code, out, err = run(
        capsys, model, *NOT_RUN, "--technology", "isaac", "--json", tmp_path / "c.json"
    )
    assert (code, err) == (0, "")
    values = json.loads((tmp_path / "c.json").read_text())
    assert values["model"] == "net.onnx"
    first = out.splitlines()
    assert first[0] == "net.onnx in isaac (32 nm), ADC model table"
    assert first[1].startswith("Energy of an inference ")
    assert "from numbers read second-hand (R): " in first[1]
    assert "2 operations a multiply-accumulate" in out
    assert "Energy of the arrays: the technology's number" in out
    for each in values["components"]:
        assert each["name"] in out
    for note in values["notes"]:
        assert f"Note: {note}." in out


def full(name: str = "isaac") -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((folder_of(FOLDER) / f"{name}.yaml").read_text())
    return values


def less(*path: str) -> dict[str, Any]:
    """Return ISAAC without an entry."""
    values = full()
    inner = values
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return values


def over(**entries: Any) -> dict[str, Any]:
    return {"base": "isaac", **entries}


def adc(**numbers: Any) -> dict[str, Any]:
    return over(components={"adc": {**numbers, "source": "a test", "status": "P"}})


BAD_FILES = [
    ("- a\n", "mine.yaml holds a list, expected a mapping"),
    ("base: [isaac", "mine.yaml is not valid YAML"),
    ("", "schema_version is missing; add it"),
    (over(component={}), "found the key 'component', expected one of"),
    (over(component={}), "did you mean components?"),
    (adc(energyj=1e-12), "components.adc: found the key 'energyj'"),
    (adc(energyj=1e-12), "did you mean energy_j?"),
    (adc(energy_j=-1e-12), "components.adc.energy_j: found -1e-12, expected 0 or above"),
    (adc(energy_j=float("nan")), "components.adc.energy_j: found nan, expected a finite number"),
    (adc(energy_j="much"), "components.adc.energy_j: found 'much', expected a number"),
    (
        over(components={"adc": {"energy_j": 1e-12}}),
        "components.adc: found a new energy_j, expected its source and status beside it; add both",
    ),
    ({"base": "isaak"}, "base: found 'isaak', expected a technology's name"),
    ({"base": "isaak"}, "did you mean isaac?"),
    ({"base": 3}, "base: found 3, expected a technology's name"),
    (
        over(levels={"tile": {"parts": {"bufer": 1}}}),
        "levels.tile.parts: found 'bufer', expected one of",
    ),
    (over(levels={"tyle": {"holds": 1}}), "levels.tyle: found 'tyle', expected 'array', 'unit'"),
    (over(levels={"tile": {"holds": None}}), "levels.tile.holds is missing; add how many"),
    (less("levels", "tile", "holds"), "levels.tile.holds is missing; add how many"),
    (less("components", "link"), "levels.chip.parts: found 'link', expected one of"),
    (
        less("components", "adc", "rate_hz"),
        "components.adc: found no rate_hz, expected conversions a second",
    ),
    (less("components", "adc", "source"), "components.adc.source is missing; add it"),
    (less("product"), "product is missing; add it"),
    (
        over(components={"bus": {"action": "array_read", "source": "a test", "status": "P"}}),
        "components: found 2 with the action 'array_read' (array, bus), expected one at most",
    ),
    (over(components={"adc": None}), "levels.array.parts: found 'adc', expected one of"),
    (over(write={"energy_j": 1e-12}), "write.source is missing; add it"),
    (
        over(product={"rows": 0}),
        "product: found a new rows, expected its source and status beside it; add both",
    ),
    (
        over(product={"rows": 0, "source": "a test", "status": "P"}),
        "product.rows: found 0, expected 1 or above",
    ),
]


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run what must be refused: one sentence, exit code 2, nothing printed."""
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, ""), err
    assert err.startswith("rxsim: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("small"), dense(RNG.standard_normal((5, 4))))


@pytest.mark.parametrize(("values", "words"), BAD_FILES)
def test_a_bad_technology_file_gets_a_sentence_with_the_path_of_the_entry(
    capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path, values: Any, words: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    told = refused(
        capsys, small, "--technology", path, *NOT_RUN, "-q", "--json", tmp_path / "cost.json"
    )
    assert words in told
    assert list(tmp_path.iterdir()) == [path]  # nothing half-written


BAD_OPTIONS = [
    (
        ("--technology", "isac"),
        "found 'isac', expected a technology's name or, with .yaml at its end",
    ),
    (("--technology", "gone.yaml"), "the technology file gone.yaml can't be read: No such file"),
    (("--adc-model", "mine"), "cost.adc_model: found 'mine', expected 'andrulis', 'kull'"),
    (("--adc-model", "kull"), "ADC model kull: found 6 bits, expected 8"),
    (("--adc-model", "zigzag", "--set", "adc.n_bits=12"), "found 12 bits, expected 4 to 11"),
    (
        ("--set", "adc.n_bits=14"),
        "ADC model table: the technology states an ADC of 8 bits, which its carried_by, saberi, "
        "carries to others: found 14 bits, expected 4 to 10",
    ),
    (
        ("--replicate", "1"),
        "replicate: found 1 arrays, expected at least the 2 that hold each layer once",
    ),
    (("--replicate", "0"), "cost.replicate.balance: found 0, expected 1 or above"),
    (("--replicate", "many"), "--replicate: found 'many', expected a whole number"),
    (
        ("--set", "cost.replicate={balance: 0}"),
        "cost.replicate.balance: found 0, expected 1 or above",
    ),
    (("--set", "cost.replicate=all"), "cost.replicate: found 'all', expected none or {balance: N}"),
    (("--set", "cost.replicate={balanc: 5}"), "did you mean cost.replicate.balance?"),
    (
        ("--array-energy", "both"),
        "cost.array_energy: found 'both', expected 'circuit' or 'technology'",
    ),
    (("--set", "cost.node_nm=5"), "cost.node_nm: found 5 nm, expected 7 to 130 nm"),
    (("--set", "cost.nod=32"), "cost.nod is not a setting; did you mean cost.node_nm?"),
    (("--set", "layers={fc: {digital: true}}"), "found every layer of net.onnx digital"),
    (("--set", "layers={fd: {digital: true}}"), "layers.fd: no layer has such a name"),
    (("--json", "/no/such/folder/cost.json"), "lies in a folder that does not exist"),
]


@pytest.mark.parametrize(("words", "told"), BAD_OPTIONS)
def test_bad_options_are_refused(
    capsys: pytest.CaptureFixture[str], small: Path, words: tuple[str, ...], told: str
) -> None:
    assert told in refused(capsys, small, *NOT_RUN, "-q", *words)


def test_free_axes_are_refused_with_the_options_that_fix_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = "(float[B,3,H,W] x) => (float[B,U,V,S] y) {[conv] y = Conv(x, w)}"
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> g {text}')
    weight = RNG.standard_normal((2, 3, 2, 2)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    path = saved(tmp_path, model)
    for more in (NOT_RUN, ()):
        told = refused(capsys, path, "-q", *more)
        assert "add --fix-axis H=224 --fix-axis W=224" in told
    fixed = found(capsys, path, *NOT_RUN, "--fix-axis", "H=5", "--fix-axis", "W=4")
    assert fixed == found(capsys, path, *NOT_RUN, "--input-shape", "3,5,4")
    assert fixed["layers"][0]["positions"] == 4 * 3


def test_a_network_without_layers_on_crossbars_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = saved(tmp_path, network("y = Relu(x)", (4,), {}))
    for more in (NOT_RUN, ()):
        told = refused(capsys, path, "-q", *more)
        assert "net.onnx has no layer that a crossbar can hold (it is made of Relu)" in told
