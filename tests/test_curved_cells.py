"""Cells that are not linear: outputs and operating points against closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from small_networks import dense

import rxsim

RNG = np.random.default_rng(5)
WEIGHT = RNG.normal(size=(6, 4)).astype(np.float32)
X = RNG.normal(size=(40, 6)).astype(np.float32)
PERFECT = {
    **dict.fromkeys(("r_wire_wl", "r_wire_bl", "r_driver", "r_sense"), 0),
    **{"rows": 8, "cols": 8},
}
SINH = {"form": "sinh", "v0": 0.15}
CUBIC = {"form": "cubic", "cubic": 4.0}


def settings(**sections: Any) -> rxsim.Settings:
    return rxsim.settings({"crossbar": PERFECT, "adc": {"n_bits": None}, **sections})


def outputs(of: rxsim.Settings, x: np.ndarray) -> np.ndarray:
    model = rxsim.patched(dense(WEIGHT), of, (X, np.zeros(len(X), np.int64)))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


@pytest.mark.parametrize("iv", [SINH, CUBIC])
@pytest.mark.parametrize("signed", ["bipolar", "two_phase"])
def test_an_offset_is_removed_as_it_is_driven(iv: dict[str, Any], signed: str) -> None:
    """Pulses of one voltage make cells count alike: the product is the float network's, exactly.

    Whatever the curve, a cell at v_read carries g v_read, for as long as its pulse lasts.
    """
    found = outputs(
        settings(
            device={"n_bits": None, "iv": iv},
            mapping={"scheme": "offset", "offset_removal": "digital"},
            input={"encoding": "pulse_width", "signed_input": signed},
            dac={"n_bits": None},
        ),
        X,
    )
    wanted = X.astype(np.float64) @ WEIGHT
    assert np.abs(found - wanted).max() <= 2e-6 * np.abs(wanted).max()


@pytest.mark.parametrize("iv", [SINH, CUBIC])
def test_random_pulses_without_dac_come_at_most_always(iv: dict[str, Any]) -> None:
    """The operating voltage is the root mean square of pulses whose chance is at most 1."""
    of = settings(
        device={"iv": iv},
        input={"encoding": "stochastic", "percentile": 60, "pulses": 8},
        dac={"n_bits": None},
        calibration={"samples": len(X)},
    )
    found = rxsim.calibration(dense(WEIGHT), of, (X, np.zeros(len(X), np.int64)))
    x_max = np.percentile(np.abs(X), 60)
    chance = np.minimum(np.abs(X) / x_max, 1)
    assert found.point("fc")[0] == pytest.approx(of.input.v_read * np.sqrt(chance.mean()), rel=1e-6)


@pytest.mark.parametrize("iv", [{"form": "linear"}, SINH, CUBIC])
@pytest.mark.parametrize(
    ("g", "v_in"),
    [
        ([[0, 0], [1e-5, 1e-5]], [0.2, 0.0]),
        ([[0, 0], [0, 0]], [0.2, 0.1]),
        ([[1e-5, 0], [0, 0]], [0.0, 0.25]),
        ([[1e-5, 1e-5]], [0.0]),
    ],
)
def test_where_every_driven_cell_is_open_exactly_nothing_flows(
    iv: dict[str, Any], g: list[list[float]], v_in: list[float]
) -> None:
    solution = rxsim.solve(np.array(g, float), settings={"device": {"iv": iv}}, v_in=np.array(v_in))
    assert not np.any(solution.i_out)
    assert np.all(np.asarray(solution.bound) < 1e-12)


def test_a_network_whose_driven_cells_are_open_is_evaluated() -> None:
    weight = np.array([[0.0, 0.0], [1.0, -0.5]], np.float32)
    x = np.zeros((8, 2), np.float32)
    x[:, 0] = np.linspace(0.1, 1, 8)  # the row whose cells are all at 0 S
    x[0, 1] = 1.0
    of = rxsim.settings("4x4", changes={"device.g_off": 0.0, "device.iv": SINH})
    result = rxsim.evaluate(dense(weight), of, (x, np.zeros(8, np.int64)))
    assert np.isfinite(result.rung("nonideal").trials[0].mean("relative_difference") or 0.0)
