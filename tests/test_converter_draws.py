"""The draws of converters' static errors: their spread, their streams, and who shares them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from known import known
from twin.chip import stream
from twin.errors import curve_of

from rxsim.config import Settings, load_settings
from rxsim.converters import draw_adc_errors, draw_dac_errors


def settings_of(*assignments: str) -> Settings:
    return load_settings(None, assignments=assignments)


def draws(*assignments: str, count: int = 4000, codes: tuple[int, int] = (-31, 31)) -> Any:
    own = settings_of(*assignments)
    columns = np.arange(count)
    rng = stream(0, 0, 0, 4, 9)
    return draw_adc_errors(rng, own, (1, 1), np.zeros(count, dtype=int), columns, codes)


def test_draws_spread_as_they_are_told() -> None:
    errors = draws("adc.gain_sigma=0.02", "adc.offset_sigma=0.3", "adc.inl=1.5", "adc.dnl=0.25")
    for found, sigma in ((errors.gain, 0.02), (errors.offset, 0.3)):
        assert found.std() == pytest.approx(sigma, rel=0.05)
        assert abs(found.mean()) < 4 * sigma / np.sqrt(found.size)
    assert abs(np.corrcoef(errors.gain.ravel(), errors.offset.ravel())[0, 1]) < 0.06
    steps = np.diff(draws("adc.dnl=0.25").curves, axis=1)
    assert steps.std() == pytest.approx(0.25 * np.sqrt(1 - 1 / 62), rel=0.01)
    assert abs(steps.sum(axis=1)).max() < 1e-4
    smooth = draws("adc.inl=1.5").curves
    assert np.abs(smooth).max(axis=1) == pytest.approx(1.5, rel=1e-6)
    assert abs(np.diff(smooth, 2, axis=1)).max() < 0.2
    assert errors.curves == pytest.approx(smooth + draws("adc.dnl=0.25").curves, abs=1e-6)


def test_dac_draws_spread_as_they_are_told() -> None:
    own = settings_of("dac.gain_sigma=0.1", "dac.offset_sigma=0.7", "dac.inl=1.3", "dac.dnl=0.4")
    errors = known(draw_dac_errors(stream(0, 0, 0, 3, 9), own, (40, 10), (8, 8, 5), (-15, 15)))
    assert [some.shape for some in errors.gain] == [(40, 10, 8), (40, 10, 8), (40, 10, 5)]
    for some, sigma in ((errors.gain, 0.1), (errors.offset, 0.7)):
        values = np.concatenate([one.ravel() for one in some])
        assert values.std() == pytest.approx(sigma, rel=0.05)
        assert abs(values.mean()) < 4 * sigma / np.sqrt(values.size)
    assert known(errors.curve).shape == (31,)


def test_no_draw_depends_on_which_other_errors_are_on() -> None:
    alone = [draws(one) for one in ("adc.gain_sigma=0.02", "adc.offset_sigma=0.3", "adc.inl=1.5")]
    together = draws("adc.gain_sigma=0.02", "adc.offset_sigma=0.3", "adc.inl=1.5")
    assert (alone[0].gain == together.gain).all()
    assert (alone[1].offset == together.offset).all()
    assert (alone[2].curves == together.curves).all()
    for kind in ("gain_sigma", "offset_sigma"):
        one, all_of = (
            draw_dac_errors(stream(0, 0, 0, 3, 9), settings_of(*some), (2, 2), (4, 4), (0, 31))
            for some in (
                [f"dac.{kind}=0.5"],
                ["dac.gain_sigma=0.1", "dac.offset_sigma=0.7", "dac.inl=1", f"dac.{kind}=0.5"],
            )
        )
        name = kind.removesuffix("_sigma")
        for a, b in zip(getattr(one, name), getattr(all_of, name), strict=True):
            assert (a == b).all()


def test_neighbouring_columns_of_a_tile_share_a_converter() -> None:
    columns = np.array([0, 1, 2, 3, 4, 0, 1, 2])
    tiles = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    own = settings_of("adc.offset_sigma=1", "adc.inl=1", "adc.share=2")
    errors = known(draw_adc_errors(stream(0, 0, 0, 4, 9), own, (2, 3), tiles, columns, (0, 127)))
    assert errors.converters[0, 0].tolist() == [0, 0, 1, 1, 2, 3, 3, 4]
    assert known(errors.curves).shape == (2 * 3 * 5, 128)
    assert len(np.unique(errors.offset)) == 30
    assert (errors.offset[1, 2, [0, 2, 5]] == errors.offset[1, 2, [1, 3, 6]]).all()


def test_curves_are_the_described_ones() -> None:
    streams = [stream(0, 0, 0, 4, 9).spawn(4)[kind] for kind in (2, 3)]
    expected = curve_of(1.5, 0.2, 63, streams)
    found = draws("adc.inl=1.5", "adc.dnl=0.2", count=1).curves[0]
    assert found == pytest.approx(expected, abs=1e-6)
