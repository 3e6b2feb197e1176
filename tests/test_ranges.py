"""The step `ranges`: plain numpy, brute force, and inputs that mislead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from chips import bare_study
from small_networks import conv, dense, network

import rxsim
from rxsim.compensate import RangeBench, RangeFactors, check_steps, chosen_steps
from rxsim.compensate.steps.ranges import STEP, RangesOptions, search
from rxsim.config import Settings
from rxsim.data import MadeUpInputs
from rxsim.errors import SettingError
from rxsim.load import load_network
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.chip.foundry import Foundry
from rxsim.pipeline.chip.mapped import map_study
from rxsim.pipeline.chip.range_bench import NominalBench
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import SCENARIOS
from rxsim.tiles import identity_of_arrays

IDEAL = {f"r_{name}": 0 for name in ("wire_wl", "wire_bl", "driver", "sense")}
K, N, COUNT = 24, 6, 64
WEIGHT = np.random.default_rng(2).standard_normal((K, N)).astype(np.float32)
X = np.random.default_rng(3).standard_normal((COUNT, K)).astype(np.float32)


def settings_of(**sections: Any) -> Settings:
    bar = {"rows": 32, "cols": 32, **IDEAL, **sections.pop("crossbar", {})}
    return Settings(**{"crossbar": bar, "compensate": ["ranges"], **sections})


def study_of(settings: Settings, model: onnx.ModelProto, x: np.ndarray) -> Study:
    return bare_study(load_network(model), settings, MadeUpInputs({"x": x}), len(x))


def opened(settings: Settings, model: onnx.ModelProto | None = None, x: np.ndarray = X) -> Foundry:
    study = study_of(settings, dense(WEIGHT) if model is None else model, x)
    return Foundries(study).open(SCENARIOS["compensated"])


class Plain:
    """The layer `dense(WEIGHT)` on ideal arrays of pairs, in plain numpy."""

    def __init__(self, dac_bits: int, adc_bits: int, rows: int) -> None:
        self.dac, self.adc, self.rows = 2 ** (dac_bits - 1) - 1, 2 ** (adc_bits - 1) - 1, rows
        w = WEIGHT.astype(np.float64)
        self.w_max, self.x_max = np.abs(w).max(), float(np.abs(X).max())
        self.levels = np.sign(w) * np.round(np.abs(w) / self.w_max * 63) / 63 * self.w_max

    def errors(self, dac: float, adc: float | None) -> np.ndarray:
        """Square error of each input, as a share of the mean square of the outputs."""
        x_max = self.x_max * dac
        x = np.clip(np.round(X.astype(np.float64) * self.dac / x_max), -self.dac, self.dac)
        y = x / self.dac * x_max @ self.levels
        if adc is not None:
            lsb = self.rows * self.w_max * x_max * adc / self.adc
            y = np.clip(np.round(y / lsb), -self.adc, self.adc) * lsb
        exact = X.astype(np.float64) @ WEIGHT.astype(np.float64)
        share: np.ndarray = np.square(y - exact).mean(axis=1) / np.square(exact).mean()
        return share

    def chosen_by(self, dac: float, adc: float) -> float:
        """Mean over the blocks that choose: every second one of 16."""
        return float(self.errors(dac, adc).reshape(16, -1)[::2].mean())


FULL_SCALE = {"dac": {"n_bits": 3}, "adc": {"n_bits": 5, "range": "full_scale"}}
PLAIN = Plain(3, 5, 32)


def blocks(errors: np.ndarray) -> np.ndarray:
    means: np.ndarray = errors.reshape(16, -1).mean(axis=1)
    return means


@pytest.mark.parametrize(("dac", "adc"), [(1.0, None), (0.6, None), (1.0, 1.0), (0.6, 0.2)])
def test_the_bench_measures_what_plain_numpy_computes(dac: float, adc: float | None) -> None:
    study = study_of(settings_of(**FULL_SCALE), dense(WEIGHT), X)
    foundries = Foundries(study)
    scenario = SCENARIOS["compensated"]
    bench = NominalBench(study, scenario, map_study(study, scenario), foundries.solved)
    found = bench.square_errors(["fc"], {"fc": dac}, None if adc is None else {"fc": adc})
    np.testing.assert_allclose(found["fc"], blocks(PLAIN.errors(dac, adc)), rtol=1e-4)


def test_the_factors_are_near_the_best_of_a_fine_grid_of_both() -> None:
    foundry = opened(settings_of(**FULL_SCALE))
    dac = foundry.mapped.input_ranges["fc"].x_max / PLAIN.x_max
    adc = foundry.mapped.adc_factors["fc"]
    grid = 2.0 ** np.arange(-4.5, 0.5, 1 / 16)
    best = min(PLAIN.chosen_by(a, b) for a in grid[grid > 0.25] for b in grid)
    assert dac < 1
    assert PLAIN.chosen_by(dac, adc) < 1.02 * best
    assert PLAIN.errors(dac, adc).mean() < 0.2 * PLAIN.errors(1, 1).mean()
    told = foundry.mapped.design_residuals["fc"]["ranges"]
    judged = slice(1, None, 2)
    assert told.before == pytest.approx(blocks(PLAIN.errors(1, 1))[judged].mean(), rel=1e-4)
    assert told.after == pytest.approx(blocks(PLAIN.errors(dac, adc))[judged].mean(), rel=1e-4)


def test_the_chip_has_the_chosen_ranges() -> None:
    foundry = opened(settings_of(**FULL_SCALE))
    (hardware,) = foundry.make(0).converted
    dac, adc = foundry.mapped.input_ranges["fc"].x_max, foundry.mapped.adc_factors["fc"]
    assert hardware.input_plan.dac.code_per_x == pytest.approx(PLAIN.dac / dac)
    settings = foundry.mapped.settings["fc"]
    span = settings.device.g_on - settings.device.g_off
    full_scale = 32 * settings.input.v_read * span
    assert hardware.adc is not None
    np.testing.assert_allclose(hardware.adc.lsb, full_scale * adc / PLAIN.adc, rtol=1e-12)


Curve = Callable[[float], np.ndarray]


def measured(curves: Mapping[str, Curve], asked: list[tuple[str, float]]) -> Any:
    def measure(factors: Mapping[str, float]) -> dict[str, np.ndarray]:
        asked.extend(factors.items())
        return {name: curves[name](factor) for name, factor in factors.items()}

    return measure


def test_a_search_finds_the_least_error_of_each_layer_to_an_eighth_of_an_octave() -> None:
    best = {"a": 0.3, "b": 1.0, "c": 0.011, "d": 5.1}
    level = np.linspace(1, 1.1, 8)

    def curve(at: float) -> Curve:
        return lambda factor: level * (1 + np.log2(factor / at) ** 2)

    asked: list[tuple[str, float]] = []
    found = search(best, measured({name: curve(at) for name, at in best.items()}, asked))
    for name, factor in found.items():
        assert abs(np.log2(factor / best[name])) <= 1 / 16 + 1e-9, name
    assert len(set(asked)) == len(asked)
    assert max(sum(name == each for each, _ in asked) for name in best) <= 16


def test_an_error_that_falls_without_end_ends_the_search() -> None:
    found = search(["a"], measured({"a": lambda factor: np.full(8, factor)}, []))
    assert 2.0**-13 < found["a"] <= 2.0**-12


def test_a_factor_that_only_the_choosing_half_likes_is_not_kept() -> None:
    def misled(factor: float) -> np.ndarray:
        liked = (np.log2(factor) + 1) ** 2
        return np.where(np.arange(8) % 2 == 0, liked, 1.0 + 0.1 * (factor != 1))

    assert search(["a"], measured({"a": misled}, [])) == {"a": 1.0}


def test_errors_of_luck_alone_keep_their_range() -> None:
    """Under luck alone a factor passes in 5 % of all layers: of 200 fewer than 10 + 4 sigma = 23."""
    rng = np.random.default_rng(7)
    names = [f"layer{number}" for number in range(200)]
    curves = {name: lambda factor: rng.exponential(1, 16) for name in names}
    changed = sum(factor != 1 for factor in search(names, measured(curves, [])).values())
    assert changed < 23


def test_a_single_block_proves_nothing() -> None:
    foundry = opened(settings_of(**FULL_SCALE), x=X[:1])
    assert foundry.mapped.adc_factors == {}


UNCHANGED: dict[str, dict[str, Any]] = {
    "no converters": {"dac": {"n_bits": None}, "adc": {"n_bits": None}},
    "one LSB a step": {
        "adc": {"range": "unit_lsb"},
        "compensate": [{"ranges": {"dac": False}}],
    },
    "no ADC": {
        "dac": {"n_bits": 3},
        "adc": {"n_bits": None},
        "compensate": [{"ranges": {"dac": False}}],
    },
}


@pytest.mark.parametrize("case", UNCHANGED)
def test_what_has_no_range_of_choice_keeps_its_network(case: str) -> None:
    study = study_of(settings_of(**UNCHANGED[case]), dense(WEIGHT), X)
    foundries = Foundries(study)
    plain, chosen = (
        foundries.open(SCENARIOS[name]).make(0).network.model.SerializeToString()
        for name in ("nonideal", "compensated")
    )
    assert plain == chosen


TWO = network(
    "[a] h = Gemm(x, w1) r = Relu(h) [b] y = Gemm(r, w2)",
    (K,),
    {"w1": WEIGHT, "w2": np.random.default_rng(4).standard_normal((N, 5))},
)
GROUPS = conv(np.random.default_rng(6).standard_normal((6, 2, 3, 3)), (6, 5, 5), groups=3)
IMAGES = np.random.default_rng(8).standard_normal((32, 6, 5, 5)).astype(np.float32)
KINDS: dict[str, dict[str, Any]] = {
    "pairs": {},
    "wires": {"crossbar": {"r_wire_wl": 5, "r_wire_bl": 5, "r_driver": 100, "r_sense": 100}},
    "row tiles": {"crossbar": {"rows": 7}},
    "per layer": {"crossbar": {"rows": 7}, "adc": {"where": "per_layer"}},
    "columns": {"adc": {"scope": "column"}},
    "fixed": {"adc": {"range": {"amperes": 1e-3}}},
    "full scale": {"adc": {"range": "full_scale"}},
    "Lloyd-Max": {"adc": {"thresholds": "lloyd_max", "n_bits": 4}},
    "offset": {"mapping": {"scheme": "offset"}},
    "reference": {"mapping": {"scheme": "offset", "offset_removal": "reference_column"}},
    "digital": {"mapping": {"subtract": "digital"}},
    "slices": {"mapping": {"weight_bits": 6, "bits_per_cell": 2, "layout": "adjacent"}},
    "bit-serial": {"input": {"encoding": "bit_serial"}},
    "two's complement": {
        "input": {"encoding": "bit_serial", "signed_input": "twos_complement"},
    },
    "stochastic": {"input": {"encoding": "stochastic", "pulses": 16}},
    "pulse width": {"input": {"encoding": "pulse_width"}},
    "sinh": {"device": {"iv": {"form": "sinh", "v0": 0.25}}},
    "gated": {
        "crossbar": {"topology": "input_gated"},
        "input": {"encoding": "bit_serial", "signed_input": "two_phase"},
    },
    "errors": {"adc": {"gain_sigma": 0.01, "inl": 0.5}, "dac": {"noise": 0.2}},
    "model's range": {"input": {"range": "model"}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_hardware_has_its_ranges(kind: str) -> None:
    foundry = opened(settings_of(**KINDS[kind]), TWO)
    told = {name: each["ranges"] for name, each in foundry.mapped.design_residuals.items()}
    assert set(told) == {"a", "b"}
    for each in told.values():
        assert 0 <= each.after <= each.before
    foundry.make(0)


@pytest.mark.parametrize("pack", [False, True])
def test_groups_have_their_ranges(pack: bool) -> None:
    settings = settings_of(mapping={"pack_groups": pack}, adc={"range": "full_scale"})
    foundry = opened(settings, GROUPS, IMAGES)
    told = foundry.mapped.design_residuals["conv"]["ranges"]
    assert told.after < 0.2 * told.before


def test_cells_that_are_not_linear_are_made_so_where_the_new_range_drives_them() -> None:
    more = {**FULL_SCALE, **KINDS["sinh"], "adc": {"n_bits": None}}
    mapped = opened(settings_of(**more)).mapped
    x_max = mapped.input_ranges["fc"].x_max
    assert x_max < PLAIN.x_max
    codes = np.clip(np.round(X * (PLAIN.dac / x_max)), -PLAIN.dac, PLAIN.dac)
    volts = mapped.settings["fc"].input.v_read * codes / PLAIN.dac
    assert mapped.points["fc"].volt == pytest.approx(np.sqrt(np.mean(volts**2)), rel=1e-6)


def test_other_evaluated_inputs_choose_the_same_ranges() -> None:
    def factors(evaluated: np.ndarray) -> tuple[Any, ...]:
        study = study_of(settings_of(**FULL_SCALE), dense(WEIGHT), X)
        object.__setattr__(study, "inputs", MadeUpInputs({"x": evaluated}))
        mapped = Foundries(study).open(SCENARIOS["compensated"]).mapped
        return mapped.input_ranges["fc"].x_max, mapped.adc_factors["fc"]

    assert factors(X) == factors(100 * X[::-1] + 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"dac": False, "adc": False},
            "found dac: false and adc: false, expected one of them true",
        ),
        ({"inputs": 0}, "found 0, expected 1 or above"),
        ({"inputs": "many"}, "inputs: found 'many', expected a whole number"),
        ({"input": 3}, "input is not a setting"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        check_steps({"fc": settings_of(compensate=[{"ranges": options}])})


def test_without_the_step_nothing_is_measured() -> None:
    assert chosen_steps(Settings(), "ranges") == ()
    mapped = opened(settings_of(compensate=["order"])).mapped
    assert mapped.adc_factors == {}


def test_arrays_of_other_ranges_are_those_without_the_step() -> None:
    plain, ranged = Settings(), Settings(compensate=["ranges"])
    assert identity_of_arrays(ranged) == identity_of_arrays(plain)
    assert identity_of_arrays(Settings(compensate=["order"])) != identity_of_arrays(plain)


def test_ranges_are_chosen_once_for_all_rungs_of_the_same_hardware(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen: list[RangeBench] = []
    choose = STEP.choose

    def counted(bench: RangeBench, options: RangesOptions) -> Mapping[str, RangeFactors]:
        chosen.append(bench)
        return choose(bench, options)

    monkeypatch.setattr(STEP, "choose", counted)
    steps = ["ranges", "digital_cells"]
    rxsim.evaluate("models/digits_mlp.onnx", {"compensate": steps}, limit=20, trials=2)
    assert len(chosen) == 1
