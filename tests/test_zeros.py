"""Zero has no minus, however small the negative number was that rounds to it."""

from __future__ import annotations

import pytest

from rxsim.metrics import all_metrics
from rxsim.report.explanation_words import decibel_of, percent_of
from rxsim.report.rung_cells import bounds_text, decibel, main_cells


@pytest.mark.parametrize("number", [-0.0, -1e-9, -0.00004])
def test_what_rounds_to_zero_is_written_without_a_minus(number: float) -> None:
    assert decibel_of(number) == decibel(number) == "0.0"
    assert bounds_text([number, 0.5]) == "0.0000 .. 0.5000"
    cells = main_cells(
        {"mean": number, "std": 0.0, "interval_these_images": None, "interval_new_images": None}
    )
    assert cells[0] == "0.0000"


def test_a_share_of_minus_nothing_is_nothing() -> None:
    assert percent_of(-0.0) == "0"
    assert percent_of(-0.0012) == "-0.12"  # where errors cancel it is below zero


def test_metrics_write_zero_alike() -> None:
    for metric in all_metrics().values():
        assert not metric.text(-0.0).startswith("-")
        assert not metric.figure_text(-0.0).startswith("-")


def test_numbers_below_zero_keep_their_minus() -> None:
    assert decibel_of(-0.06) == decibel(-0.06) == "-0.1"
    assert bounds_text([-0.0001, 0.5]) == "-0.0001 .. 0.5000"
