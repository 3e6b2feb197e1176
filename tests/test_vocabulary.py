"""The patched graph against the vocabulary's twin, for random settings and networks.

Each layer of the twin is fed what the patched graph fed to its own, so that one value on a
converter's threshold can't hide behind its consequences. Outputs may differ only where the twin says
that a value lies on a threshold (float32 may then round to the other side).
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, note
from hypothesis import settings as how
from oracles import sparse
from vocabulary import Network, build
from vocabulary.drawn import Case, some_case
from vocabulary.package import Package, build_package

from rxsim.devices import Chip, program

N_CALIBRATION, N_IMAGES = 6, 4
TOLERANCE = 2e-6  # of all that was added and subtracted in a layer: what float32 may be off by
quietly = partial(
    how,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def engines(case: Case, wires: bool) -> tuple[Package, Network]:
    """The package's network and the twin's, calibrated on the same inputs."""
    note(case.settings.model_dump_json(exclude_defaults=True))
    calibration = case.inputs(N_CALIBRATION, 0)
    twin = build(case.model, case.settings, calibration, None, sparse.g_eff if wires else None)
    # A calibration input on a DAC's threshold may change a range: nothing to compare then.
    assume(not any(layer.calibration_risk for layer in twin.layers.values()))
    return build_package(case.model, case.settings, calibration), twin


def compare(package: Package, twin: Network, x: np.ndarray) -> tuple[int, int]:
    """Compare all layers; return the numbers of outputs and of risky ones."""
    found = package.run(x)
    layers = package.study.network.layers
    assert set(twin.layers) == {layer.name for layer in layers}
    total = risky_total = 0
    for layer in layers:
        theirs, risky, size = twin.layers[layer.name].forward(found[layer.input])
        off = np.abs(found[layer.output] - theirs)
        differs = (off > TOLERANCE * size.max()) & ~risky
        assert not differs.any(), (
            f"{layer.name}: {differs.sum()} of {differs.size} outputs differ where no threshold is "
            f"near, by {off[differs].max() / np.abs(theirs).max():.2g} of the largest"
        )
        total += risky.size
        risky_total += int(risky.sum())
    return total, risky_total


def compare_many(examples: int, wires: bool) -> None:
    """Compare for so many random cases; most outputs must be far from any threshold."""
    counts = []

    @quietly(max_examples=examples, derandomize=examples < 100)
    @given(some_case(wires))
    def check(case: Case) -> None:
        package, twin = engines(case, wires)
        counts.append(compare(package, twin, case.inputs(N_IMAGES, 1)))

    check()
    total, risky = np.sum(counts, axis=0)
    print(f"{len(counts)} cases, {total} outputs, {risky} near a threshold")
    assert risky < 0.1 * total


@pytest.mark.parametrize("wires", [False, True], ids=["perfect", "wires"])
def test_any_vocabulary_gives_what_the_twin_gives(wires):
    compare_many(40, wires)


@pytest.mark.slow
@pytest.mark.parametrize("wires", [False, True], ids=["perfect", "wires"])
def test_very_many_vocabularies_give_what_the_twin_gives(wires):
    compare_many(2000, wires)


@quietly(max_examples=30, derandomize=True)
@given(some_case(True))
def test_any_vocabulary_puts_the_same_conductances_on_the_same_arrays(case):
    """Array by array, cell by cell, in the order of their numbers."""
    package, twin = engines(case, False)
    for mapped in package.foundry.mapped.layers:
        expected = twin.layers[mapped.layer.name].arrays
        assert mapped.n_arrays == len(expected)
        for number, array in enumerate(expected):
            found = program(mapped.array(number), mapped.layer.index, mapped.device, None)
            assert found == pytest.approx(array, rel=1e-9, abs=1e-18)


def test_a_chip_with_errors_gives_what_the_twin_gives_with_its_arrays():
    """Random draws are an input of the physics: the twin takes the package's programmed arrays."""

    @quietly(max_examples=12, derandomize=True)
    @given(some_case(True))
    def check(case: Case) -> None:
        values = case.settings.model_dump(mode="json", exclude_defaults=True)
        values.setdefault("device", {}).update(write_sigma=0.05, stuck_lrs=0.02)
        chosen = type(case.settings).model_validate(values)
        package, _ = engines(Case(**{**vars(case), "settings": chosen}), True)
        mapped = package.foundry.mapped.layers
        chip = Chip(chosen.seed, 0)

        def make(layer: int, number: int) -> np.ndarray:
            return program(mapped[layer].array(number), layer, mapped[layer].device, chip)

        twin = build(
            case.model,
            chosen,
            case.inputs(N_CALIBRATION, 0),
            make,
            sparse.g_eff,
        )
        compare(package, twin, case.inputs(N_IMAGES, 1))

    check()
