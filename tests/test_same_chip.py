"""A trial is one chip: the same whatever was made before or beside it, and whatever else is on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from chips import foundry_of
from known import known

from rxsim.config import Device, load_settings
from rxsim.devices import Chip, program
from rxsim.pipeline import DataOptions, Foundry, MadeChip, open_study

MODEL = Path(__file__).parents[1] / "models" / "digits_mlp.onnx"
WRITE = "device.write_sigma=0.05"
CONVERTERS = ["adc.gain_sigma=0.02", "adc.offset_sigma=0.5", "dac.gain_sigma=0.01"]
OTHERS = {
    "converter errors": CONVERTERS,
    "converter bits": ["adc.n_bits=4", "dac.n_bits=3"],
    "thermal noise": ["adc.noise=0.3"],
    "random pulses": ["input.encoding=stochastic", "input.pulses=8"],
    "compensated drift": ["drift_compensation=layer"],
}


def foundry(*assignments: str, threads: int = 1) -> Foundry:
    settings = load_settings(xbar="32x32", assignments=[*assignments, "calibration.samples=16"])
    return foundry_of(open_study(MODEL, settings, DataOptions(limit=4), threads=threads))


def matrices(chip: MadeChip) -> list[np.ndarray]:
    return [matrix for transfer in chip.transfers for matrix in transfer.matrices]


def same(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def graph(chip: MadeChip) -> bytes:
    return chip.network.model.SerializeToString(deterministic=True)


def test_a_chip_is_the_same_in_any_order_and_beside_others() -> None:
    every = (WRITE, "device.d2d_sigma=0.1", *CONVERTERS)
    alone = graph(foundry(*every).make(3))
    backwards = foundry(*every, threads=3)
    assert [graph(backwards.make(trial)) for trial in (5, 3, 0, 3)][1::2] == [alone, alone]
    shared = foundry(*every)
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(lambda trial: graph(shared.make(trial)), (4, 3, 2, 3)))
    assert beside[1] == beside[3] == alone
    assert len(set(beside)) == 3


@pytest.mark.parametrize("other", OTHERS)
def test_write_errors_do_not_depend_on_converters_and_inputs(other: str) -> None:
    plain = foundry(WRITE)
    assert same(matrices(plain.make(3)), matrices(foundry(WRITE, *OTHERS[other]).make(3)))
    assert not same(matrices(plain.make(3)), matrices(plain.make(2)))


def test_converter_errors_do_not_depend_on_devices() -> None:
    sides = [foundry(*CONVERTERS, *more).make(3) for more in ([], [WRITE, "device.d2d_sigma=0.1"])]
    for layer in range(len(sides[0].converted)):
        one, other = (known(known(side.converted[layer].adc).errors) for side in sides)
        assert np.array_equal(one.gain, other.gain)
        assert np.array_equal(one.offset, other.offset)


@pytest.mark.parametrize(
    "more", [{"stuck_hrs": 0.1}, {"dead_rows": 0.1}, {"array_sigma": 0.1}, {"chip_sigma": 0.1}]
)
def test_write_errors_and_variation_are_the_same_with_and_without_each_other(
    more: dict[str, float],
) -> None:
    """g of both = (level + write error) x factor, each as it is alone, wherever nothing else struck."""
    array = foundry(WRITE).mapped.layers[0].array(2)

    def programmed(**device: float) -> np.ndarray:
        return program(array, 0, Device(**device), Chip(0, 3))

    level, written = programmed(), programmed(write_sigma=0.05)
    factor = programmed(d2d_sigma=0.1) / level
    both = programmed(write_sigma=0.05, d2d_sigma=0.1)
    assert both == pytest.approx(written * factor, rel=1e-12)
    assert not np.allclose(both, written)
    ((name, _),) = more.items()
    whole = programmed(write_sigma=0.05, d2d_sigma=0.1, **more)
    if name in ("stuck_hrs", "dead_rows"):
        struck = programmed(**more) != level
        assert 0 < struck.mean() < 0.5
        untouched = ~struck & (whole != level)
        assert whole[untouched] == pytest.approx(both[untouched], rel=1e-12)
    else:
        assert whole == pytest.approx(both * programmed(**more) / level, rel=1e-12)
