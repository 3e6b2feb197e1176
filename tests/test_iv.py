"""Current-voltage curves: their values, derivatives, scale, range, and what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from rxsim.config import IV
from rxsim.devices import IVCurve, SeparableCurve, curve_of
from rxsim.errors import SettingError
from rxsim.schema import validated

V_READ = 0.2
TABLE = IV(form="table", v=(0.05, 0.1, 0.2, 0.3), f=(0.04, 0.1, 0.3, 0.7))
FORMS = {
    "linear": IV(),
    "sinh": IV(form="sinh", v0=0.05),
    "cubic": IV(form="cubic"),
    "cubic steep": IV(form="cubic", cubic=5.0),
    "table": TABLE,
    "two-sided table": IV(form="table", v=(-0.2, -0.1, 0.1, 0.25), f=(-0.1, -0.06, 0.1, 0.4)),
    "milo": IV(form="milo"),
}
G = np.array([62.5e-6, 80e-6, 110e-6])


def separable(iv: IV, v_read: float = V_READ) -> SeparableCurve:
    curve = curve_of(iv, v_read)
    assert isinstance(curve, SeparableCurve)
    return curve


def voltages(curve: IVCurve, count: int = 401) -> np.ndarray:
    return np.linspace(max(curve.v_low, -0.6), min(curve.v_high, 0.6), count)


@pytest.mark.parametrize("name", FORMS)
def test_a_curve_is_0_at_0_and_rises_wherever_it_is_valid(name: str) -> None:
    curve = curve_of(FORMS[name], V_READ)
    assert (curve.current(G, np.zeros(3)) == 0).all()
    v = voltages(curve)
    for g in G:
        assert (np.diff(curve.current(np.full(v.shape, g), v)) > 0).all()


@pytest.mark.parametrize("name", FORMS)
def test_the_slope_is_the_derivative_even_beyond_the_range(name: str) -> None:
    """By a central difference, whose own error is h^2 f'''/6 or, at a knot of the table, h f''."""
    curve = curve_of(FORMS[name], V_READ)
    g, v, h = G[1], np.linspace(-0.65, 0.65, 260), 1e-6
    difference = (curve.current(g, v + h) - curve.current(g, v - h)) / (2 * h)
    slope = curve.slope(g, v)
    assert difference == pytest.approx(slope, rel=1e-4, abs=1e-4 * g)


@pytest.mark.parametrize("name", [name for name in FORMS if name != "milo"])
def test_a_separable_curve_carries_at_v_read_what_its_conductance_says(name: str) -> None:
    for v_read in (0.05, 0.2):
        curve = separable(FORMS[name], v_read)
        assert curve.f(np.array(v_read)) == pytest.approx(v_read, rel=1e-14)
        v = voltages(curve, 7)
        assert curve.current(G[:, None], v) == pytest.approx(G[:, None] * curve.f(v), rel=1e-15)


@pytest.mark.parametrize("name", [name for name in FORMS if name != "two-sided table"])
def test_a_curve_known_for_positive_voltages_is_odd(name: str) -> None:
    curve = curve_of(FORMS[name], V_READ)
    v = np.linspace(0, 0.7, 50)
    forth, back = curve.current(G[0], v), curve.current(G[0], -v)
    assert back == pytest.approx(-forth, rel=1e-12, abs=1e-20)


def test_the_forms_are_what_their_names_say() -> None:
    v = np.linspace(-0.3, 0.3, 13)
    sinh = separable(FORMS["sinh"])
    assert sinh.f(v) == pytest.approx(np.sinh(v / 0.05) * V_READ / np.sinh(4.0), rel=1e-12)
    assert sinh.f_slope(v) == pytest.approx(np.cosh(v / 0.05) * 4 / np.sinh(4.0), rel=1e-12)
    cubic = separable(FORMS["cubic"])
    assert cubic.f(v) == pytest.approx((v - v**3 / 4) / (1 - 0.01), rel=1e-12)
    assert cubic.v_high == pytest.approx(2 / np.sqrt(3))
    assert (separable(IV()).f(v) == v).all()
    assert separable(IV(form="cubic", cubic=0.0)).v_high == np.inf


def test_milo_is_the_polynomial_of_its_source() -> None:
    g, v = 80e-6, 0.3
    level = np.log10(g)
    n2 = 1.388e-4 * level**3 + 1.541e-3 * level**2 + 5.711e-3 * level + 7.063e-3
    n3 = 8.871e-5 * level**2 + 6.7919e-4 * level + 1.2968e-3
    curve = curve_of(FORMS["milo"], V_READ)
    assert not curve.separable
    current = curve.current(np.array([g, 0.0]), np.array([v, v]))
    assert current == pytest.approx([g * v + n2 * v**2 + n3 * v**3, 0.0], rel=1e-14)
    assert (curve.slope(np.zeros(2), np.array([0.1, -0.1])) == 0).all()


@pytest.mark.parametrize("g", [1e-9, 62e-6, 111e-6, 1e-3])
def test_milo_refuses_a_conductance_that_was_not_measured(g: float) -> None:
    curve = curve_of(FORMS["milo"], V_READ)
    for method in (curve.current, curve.slope):
        with pytest.raises(SettingError, match=r"found a cell of .* uS .* expected 62.5 to 110 uS"):
            method(np.array([80e-6, g]), np.zeros(2))


def test_a_table_goes_through_its_points_and_never_swings() -> None:
    curve = separable(TABLE)
    assert TABLE.v is not None
    assert TABLE.f is not None
    scale = V_READ / 0.3
    assert curve.f(np.array(TABLE.v)) == pytest.approx(np.array(TABLE.f) * scale, rel=1e-14)
    assert curve.f(-np.array(TABLE.v)) == pytest.approx(-np.array(TABLE.f) * scale, rel=1e-14)
    with_zero = IV(form="table", v=(0, *TABLE.v), f=(0, *TABLE.f))
    v = np.linspace(-0.3, 0.3, 31)
    assert (separable(with_zero).f(v) == curve.f(v)).all()


@st.composite
def tables(draw: st.DrawFn) -> tuple[IV, float]:
    steps = st.lists(st.floats(0.01, 1), min_size=2, max_size=8)
    v = np.cumsum(draw(steps))
    f = np.cumsum(draw(st.lists(st.floats(1e-4, 10), min_size=len(v), max_size=len(v))))
    iv = IV(form="table", v=tuple(v.tolist()), f=tuple(f.tolist()))
    return iv, float(v[-1] * draw(st.floats(0.1, 1)))


@given(tables())
@settings(max_examples=60, deadline=None)
def test_any_rising_table_gives_a_curve_that_never_falls_and_has_a_continuous_slope(
    case: tuple[IV, float],
) -> None:
    iv, v_read = case
    curve = separable(iv, v_read)
    v = np.linspace(curve.v_low * 1.2, curve.v_high * 1.2, 500)
    assert (np.diff(curve.f(v)) >= -1e-12 * np.abs(curve.f(v)).max()).all()
    assert (curve.f_slope(v) >= -1e-12 * curve.f_slope(v).max()).all()
    assert iv.v is not None
    # So close that a steep cell's curvature does not count, not so close that the knot's digits do.
    step = 1e-9 * np.diff((0.0, *iv.v)).min()
    for knot in (*iv.v, curve.v_high):
        below, above = curve.f_slope(np.array([knot - step, knot + step]))
        assert below == pytest.approx(above, rel=1e-4, abs=1e-5 * curve.f_slope(v).max())


@pytest.mark.parametrize("name", ["cubic", "cubic steep", "table", "two-sided table", "milo"])
def test_beyond_its_range_a_curve_goes_on_along_its_tangent(name: str) -> None:
    curve = curve_of(FORMS[name], V_READ)
    for end, far in ((curve.v_high, curve.v_high + 3), (curve.v_low, curve.v_low - 3)):
        g, at, out = G[:1], np.array([end]), np.array([far])
        tangent = curve.current(g, at) + curve.slope(g, at) * (out - at)
        assert curve.current(g, out) == pytest.approx(tangent, rel=1e-12)


@pytest.mark.parametrize(
    ("iv", "v_read", "message"),
    [
        (IV(form="cubic"), 1.2, "v_read 1.2 V, expected at most 1.1547 V .* falls beyond"),
        (IV(form="cubic", cubic=20.0), 0.2, "v_read 0.2 V, expected at most 0.129099 V"),
        (TABLE, 0.31, "v_read 0.31 V, expected at most 0.3 V with a table that ends there"),
        (IV(form="milo"), 0.51, "v_read 0.51 V, expected at most 0.5 V"),
        (IV(form="sinh", v0=1e-4), 0.2, "found a current of inf"),
    ],
)
def test_a_curve_that_does_not_reach_v_read_is_refused_in_one_sentence(
    iv: IV, v_read: float, message: str
) -> None:
    with pytest.raises(SettingError, match=message) as caught:
        curve_of(iv, v_read)
    assert str(caught.value).startswith("device.iv: found")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"form": "table", "v": [0.1, 0.2], "f": [-0.1, 0.2]}, "the sign of v"),
        ({"form": "table", "v": [0, 0.2], "f": [0.1, 0.2]}, "the sign of v"),
        ({"form": "table", "v": [-0.1, 0.2], "f": [0, 0.2]}, "the sign of v"),
        ({"form": "table", "v": [0.2, 0.1], "f": [0.1, 0.2]}, "does not rise"),
        ({"form": "table", "v": [0.1], "f": [0.1]}, "two at least"),
        ({"form": "table", "v": [0.1, 0.2]}, "without f"),
        ({"form": "sinh"}, "without v0"),
        ({"form": "cubic", "v0": 0.1}, "which has none"),
        ({"form": "sinh", "v0": 0}, "v0"),
    ],
)
def test_settings_that_describe_no_curve_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        validated(IV, values, "settings")


@pytest.mark.parametrize("name", FORMS)
def test_a_curve_can_go_to_another_process(name: str) -> None:
    curve = curve_of(FORMS[name], V_READ)
    copy = pickle.loads(pickle.dumps(curve))
    v = voltages(curve, 9)
    assert (copy.current(G[:, None], v) == curve.current(G[:, None], v)).all()


def test_the_cubic_turns_where_the_refusal_says() -> None:
    top = brentq(lambda v: 1 - 3 * 0.25 * v * v, 0.5, 2)
    assert curve_of(IV(form="cubic"), 1.0).v_high == pytest.approx(top)
