"""What the verdict names: what is proven, near-ties as such, noise that tells, traps' remedies."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_explanations import made_attempts, made_effects, made_estimate, made_explanation
from rich.console import Console

from rxsim.estimate import Estimate, estimate, widened
from rxsim.explain.effects import _behind
from rxsim.explain.result import EffectsTable, Explanation
from rxsim.report.better_settings import better_settings
from rxsim.report.effects_verdict import leading_effects
from rxsim.report.explain_terminal import print_explanation
from rxsim.report.explanation_verdict import verdict
from rxsim.report.explanation_words import Wording
from rxsim.report.html.explanation_page import build_explanation_page


def sentences(explanation: Explanation) -> str:
    return " ".join(verdict(explanation, Wording(explanation.quantity)))


def printed(explanation: Explanation) -> str:
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_explanation(explanation, console)
    return console.export_text()


def table_of(**changes: dict[str, Any]) -> EffectsTable:
    """Return the made-up effects with other numbers for some of them."""
    effects = made_effects()
    return replace(
        effects, rows=tuple(replace(row, **changes.get(row.name, {})) for row in effects.rows)
    )


def test_what_is_proven_is_named_before_what_only_looks_largest() -> None:
    effects = table_of(
        wires={"shapley": made_estimate(-0.213, 0.15), "noise_share": 0.78},
        adc={"shapley": made_estimate(-0.046, 0.01)},
        variation={"shapley": made_estimate(-0.028, 0.02)},
        levels={"shapley": made_estimate(-0.007, 0.01)},
    )
    assert (
        "Proven is ADC (Shapley -4.60 +- 1.00 points); wires looks largest (Shapley -21.30 +- 15.00 "
        "points, 78 % of the output's noise) but is not proven with 5 chips; take more."
    ) in sentences(made_explanation(effects=effects))
    assert leading_effects(made_explanation(effects=effects)) == frozenset()


def test_a_near_tie_is_told_as_such_with_what_noise_says() -> None:
    effects = table_of(
        adc={"shapley": made_estimate(-0.0162, 0.0059), "noise_share": 0.1},
        wires={
            "shapley": made_estimate(-0.0146, 0.0086),
            "noise_share": 0.895,
            "behind": made_estimate(-0.0016, 0.008),
        },
        levels={"behind": made_estimate(-0.009, 0.002)},
        variation={"shapley": made_estimate(-0.001), "behind": made_estimate(-0.015, 0.002)},
    )
    explanation = made_explanation(effects=effects)
    assert (
        "It comes most from ADC (Shapley -1.62 +- 0.59 points) and wires (Shapley -1.46 +- 0.86 "
        "points), not told apart here; by noise wires comes first (89.5 % of the output's)."
    ) in sentences(explanation)
    assert leading_effects(explanation) == {"adc", "wires"}


def test_effects_are_compared_chip_by_chip_and_image_by_image() -> None:
    """Both vary much and alike: each alone is unsure, their difference is not."""
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(4, 50))
    costs = {"a": shared - 1.0, "b": shared - 0.9 + 0.01 * rng.normal(size=(4, 50))}
    [(name, more)] = _behind(costs, 1.0, {}).items()
    assert name == "b"
    assert more == estimate(costs["a"] - costs["b"])
    assert more.is_proven
    # Where less is better the largest rise is worst.
    assert set(_behind(costs, -1.0, {})) == {"a"}
    # Errors of sampled orders count, by what both add in the same pair of orders.
    pairs = {"a": np.array([0.0, 2.0, 4.0, 2.0]), "b": np.array([0.0, 2.0, 0.0, 2.0])}
    unsure = _behind(costs, 1.0, pairs)["b"]
    # Differences 0, 0, 4, 0: their mean has the standard error 1; t of 3 degrees of freedom is 3.1824.
    assert more.standard_error is not None
    assert more.low is not None
    assert unsure.low == pytest.approx(
        more.mean - np.hypot(more.mean - more.low, 3.18245), rel=1e-4
    )
    assert not unsure.is_proven


def test_an_independent_error_widens_an_interval() -> None:
    wide = widened(made_estimate(-0.3, 0.03), 0.04, 10_000_000)
    assert wide.standard_error == pytest.approx(0.05)
    assert wide.low == pytest.approx(-0.3 - np.hypot(0.06, 1.959964 * 0.04), rel=1e-6)
    assert widened(made_estimate(-0.3), 0.0, 1) == made_estimate(-0.3)


def test_without_an_interval_nothing_is_proven() -> None:
    assert not Estimate(mean=3.0, standard_error=None, low=None, high=None).is_proven
    assert not estimate(np.array([[0.4]])).is_proven


def test_parts_of_the_noise_that_cancel_are_not_written_as_numbers() -> None:
    effects = table_of(
        adc={"noise_share": 195.0}, wires={"noise_share": -34.9}, levels={"noise_share": 0.5}
    )
    layers = made_explanation().layers
    assert layers is not None
    rows = (replace(layers.rows[0], output_noise=-2.0), *layers.rows[1:])
    explanation = made_explanation(effects=effects, layers=replace(layers, rows=rows))
    text = printed(explanation)
    assert "1.95e+04" not in text
    assert "-3490" not in text.replace(",", "")
    assert "-200" not in text
    assert text.count("errors cancel ") >= 3
    assert "noise %: where errors of effects cancel" in " ".join(text.split())
    (whole,) = [line for line in text.splitlines() if "all of them" in line]
    assert "100" not in whole
    assert "-200" not in build_explanation_page(explanation, "x.json")
    said = sentences(replace(explanation, quantity=replace(explanation.quantity, name="snr_db")))
    assert "Errors of effects cancel" in said


def test_small_negative_parts_have_the_note_and_whole_ones_their_sum() -> None:
    some = {"levels": -0.02, "wires": 0.9, "variation": 0.06, "adc": 0.06, "compensation": 0.0}
    effects = table_of(**{name: {"noise_share": share} for name, share in some.items()})
    text = printed(made_explanation(effects=effects))
    assert "noise %: where errors" in text
    (whole,) = [line for line in text.splitlines() if "all of them" in line]
    assert "100" in whole
    assert "noise %:" not in printed(made_explanation(effects=table_of(wires={"noise_share": 1.0})))


def test_decibels_of_effects_carry_the_caveat_of_their_cap() -> None:
    explanation = made_explanation(quantity="snr_db", floating=100.0, none=100.0, all=18.0)
    for text in (printed(explanation), build_explanation_page(explanation, "x.json")):
        assert "counts as 100 dB, where the rounding of float32 ends" in " ".join(text.split())
    assert "rounding of float32 ends" not in printed(made_explanation())


@pytest.mark.parametrize(
    ("fresh", "where"),
    [
        (None, "on images that had no part in the choice"),
        (0, "on images that had no part in the choice, but on the chips that had"),
        (3, "on images and 3 chips that had no part in the choice"),
    ],
)
def test_verdict_and_file_say_what_confirmed(fresh: int | None, where: str) -> None:
    first, *others = made_attempts()
    first = replace(first, fresh_chips=fresh)
    explanation = made_explanation(attempts=(first, *others))
    assert f"{where}." in sentences(explanation)
    head = better_settings(explanation)
    assert head is not None
    assert f"{where}; 1 finalist of 4 tries confirmed\n" in head


def test_the_remedy_of_a_trap_is_in_the_verdict() -> None:
    first, second, *others = made_attempts()
    second = replace(second, trap="digital_offset", value=0.995, title="a reference column")
    explanation = made_explanation(attempts=(first, second, *others))
    assert (
        "The remedy of the trap digital offset: a reference column, 62.40 -> 99.50 %."
    ) in sentences(explanation)
    unproven = replace(second, gain=made_estimate(0.001))
    assert "99.50 % (not proven)." in sentences(made_explanation(attempts=(first, unproven)))
