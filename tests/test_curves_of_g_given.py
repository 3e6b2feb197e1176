"""A curve of a preset that is no list of pieces is refused in words that show the form."""

from __future__ import annotations

from typing import Any

import pytest

import rxsim
from rxsim.devices import check_presets
from rxsim.errors import SettingError


@pytest.mark.parametrize(
    ("curve", "words"),
    [
        (
            0.05,
            r"nu_mean: found 0.05, expected a list of pieces.*0.05 everywhere is \[\{polynomial",
        ),
        ([0.05], r"nu_mean: found 0.05, expected a list of pieces"),
        ({"polynomial": [0.05]}, r"nu_mean: found .*polynomial.*, expected a list of pieces"),
        ("flat", r"nu_mean: found 'flat', expected a list of pieces"),
        (None, r"nu_mean"),
        ([], r"nu_mean: found \[\], expected a list of at least 1 value"),
    ],
)
def test_what_is_no_curve_is_refused(curve: Any, words: str) -> None:
    drift = {"law": "power_drift", "t0": 20, "nu_mean": curve, "nu_sd": [{"polynomial": [0.01]}]}
    model = {"schema_version": 1, "about": "a", "source": "-", "status": "assumption"}
    with pytest.raises(SettingError, match=words):
        check_presets(rxsim.settings(changes={"device.model": {**model, "laws": {"drift": drift}}}))


def test_the_piece_that_the_message_shows_is_taken() -> None:
    curve = [{"polynomial": [0.05]}]
    drift = {"law": "power_drift", "t0": 20, "nu_mean": curve, "nu_sd": curve}
    model = {"schema_version": 1, "about": "a", "source": "-", "status": "assumption"}
    check_presets(rxsim.settings(changes={"device.model": {**model, "laws": {"drift": drift}}}))
