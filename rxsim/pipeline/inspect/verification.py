"""Verify the circuit solver on a user's network: sampled arrays and vectors, independent solvers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rxsim.config import Settings, as_plain
from rxsim.errors import CircuitError, InputError, SettingError
from rxsim.mapping import MappedLayer
from rxsim.parallel import ordered
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.chip.mapped import Mapped
from rxsim.pipeline.chip.room import check_room
from rxsim.pipeline.inspect.probe import (
    LayerInput,
    array_currents,
    inputs_of,
    program_array,
    settings_of,
)
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import as_built
from rxsim.seeds import Sample, sample_generator
from rxsim.session import Progress
from rxsim.verify import TOLERANCE, ArrayCheck, Circuit, check_array
from rxsim.verify.compare import reference_for

SCHEMA_VERSION = 1
N_ARRAYS = 6
N_VECTORS = 3


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Verification:
    """What a verification found.

    Attributes:
        model: the model file's name.
        checks: the arrays, in the order of their layers.
        layers: how many layers are on crossbars.
        arrays: how many arrays they have.
        samples: the calibration inputs that gave every array a vector each.
        tolerance: allowed difference of a current, of its vector's largest.
        trial: which chip.
        settings: resolved settings.
        provenance: model, data, seed and versions.
        seconds: wall time by stage.
    """

    model: str
    checks: tuple[ArrayCheck, ...]
    layers: int
    arrays: int
    samples: tuple[int, ...]
    tolerance: float
    trial: int
    settings: Mapping[str, Any]
    provenance: Mapping[str, Any]
    seconds: Mapping[str, float]

    @property
    def worst(self) -> ArrayCheck:
        """The array with the largest error."""
        return max(self.checks, key=lambda check: check.worst)

    @property
    def passed(self) -> bool:
        """Whether every current is within the tolerance."""
        return self.worst.worst <= self.tolerance

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values; an error that is not finite is null."""
        return {
            "schema_version": SCHEMA_VERSION,
            "model": self.model,
            "passed": self.passed,
            "tolerance": self.tolerance,
            "worst": _numbers(self.worst.decisive)["max"],
            "trial": self.trial,
            "layers": self.layers,
            "arrays": self.arrays,
            "vectors": len(self.samples),
            "calibration_inputs": list(self.samples),
            "checks": [_check_as_json(check) for check in self.checks],
            "settings": dict(self.settings),
            "provenance": dict(self.provenance),
            "timing": {"seconds": dict(self.seconds)},
        }


def verify(
    study: Study,
    *,
    arrays: int = N_ARRAYS,
    vectors: int = N_VECTORS,
    tolerance: float = TOLERANCE,
    reference: str = "auto",
    trial: int = 0,
) -> Verification:
    """Compare sampled arrays with an independent solver: what `rxsim verify` does.

    Args:
        study: the study.
        arrays: how many arrays: one in every layer as far as they go, the others anywhere.
        vectors: real input vectors for each.
        tolerance: allowed |difference| of a current, of the largest i_out of its array and vector.
        reference: auto, ngspice or sparse.
        trial: which chip.

    Raises:
        InputError: an argument is out of its range, or ngspice is asked for and not installed.
    """
    _check_arguments(arrays, vectors, tolerance, trial)
    settings = study.settings
    reference_for(reference, (1, 1))  # what can't be used is told before any work
    check_room(study)
    mapped = Foundries(study).map(as_built(study.settings))
    for layer in mapped.layers:
        _check_linear(layer.layer.name, settings_of(study, layer))
    rng = sample_generator(settings.seed, Sample.VERIFICATION)
    chosen = _choose_arrays([layer.n_arrays for layer in mapped.layers], arrays, rng)
    with study.stages("inputs") as progress:
        samples = _choose_samples(len(study.calibration), vectors, rng)
        vectors_of = _choose_vectors(study, mapped, chosen, samples, trial, rng, progress)
    checks = []
    with study.stages("verify") as progress:
        work = partial(_check, study, mapped, vectors_of, reference, tolerance, trial)
        for check in ordered(work, chosen, study.threads):
            checks.append(check)
            progress(len(checks), len(chosen))
    return Verification(
        model=study.network.path.name,
        checks=tuple(checks),
        layers=len(mapped.layers),
        arrays=sum(layer.n_arrays for layer in mapped.layers),
        samples=tuple(samples),
        tolerance=tolerance,
        trial=trial,
        settings=as_plain(settings),
        provenance=study.provenance_of_result(("numpy", "scipy", "numba", "onnx")),
        seconds=study.stages.seconds,
    )


def _check_linear(layer: str, settings: Settings) -> None:
    for name, given, expected in (
        ("device.iv.form", settings.device.iv.form, "linear"),
        ("crossbar.topology", settings.crossbar.topology, "crossbar"),
    ):
        if given != expected:
            raise SettingError(
                f"layer {layer}: found {name}: {given}, but one matrix holds for every input of "
                f"linear cells that stay on only, expected {expected}; 'rxsim spice' writes other "
                "arrays for ngspice"
            )


_Place = tuple[int, int]
"""A layer's place among the mapped ones, and the index of one of its arrays."""


def _check_arguments(arrays: int, vectors: int, tolerance: float, trial: int) -> None:
    for name, value, least in (("arrays", arrays, 1), ("vectors", vectors, 1), ("trial", trial, 0)):
        if value < least:
            raise InputError(f"{name}: found {value}, expected {least} or above; give more")
    if not 0 < tolerance < math.inf:
        raise InputError(
            f"tol: found {tolerance:g}, expected a number above 0 such as {TOLERANCE:g}; give one"
        )


def _choose_arrays(counts: list[int], wanted: int, rng: np.random.Generator) -> list[_Place]:
    """Choose arrays: one in each layer (or in as many layers as wanted), the rest anywhere."""
    places = [(layer, index) for layer, count in enumerate(counts) for index in range(count)]
    if wanted >= len(places):
        return places
    layers = np.arange(len(counts))
    if wanted < len(counts):
        layers = rng.choice(layers, wanted, replace=False)
    chosen = {(int(layer), int(rng.integers(counts[layer]))) for layer in layers}
    others = [place for place in places if place not in chosen]
    more = rng.choice(len(others), wanted - len(chosen), replace=False)
    return sorted(chosen | {others[int(place)] for place in more})


def _choose_samples(n_samples: int, count: int, rng: np.random.Generator) -> list[int]:
    """Choose calibration inputs, each once as long as there are enough."""
    return [int(k) for k in rng.choice(n_samples, count, replace=count > n_samples)]


def _choose_vectors(
    study: Study,
    mapped: Mapped,
    chosen: list[_Place],
    samples: list[int],
    trial: int,
    rng: np.random.Generator,
    progress: Progress,
) -> dict[_Place, np.ndarray]:
    """Take one vector of each of some calibration inputs for every array, (n_samples, n_rows).

    The same inputs serve all arrays. A vector is what the layer's encoding drives in one pass: the
    pass is taken at random among those that drive any of the array's rows, then one of the pass's
    vectors that do, and of pulses of some width an instant before the longest ends. Where an input
    drives none, the array idles.
    """
    layers = sorted({layer for layer, _ in chosen})
    vectors: dict[_Place, list[np.ndarray]] = {place: [] for place in chosen}
    for done, sample in enumerate(samples):
        wanted = [mapped.layers[place] for place in layers]
        inputs = inputs_of(study, mapped, wanted, sample, trial)
        by_layer = dict(zip(layers, inputs, strict=True))
        for layer, index in chosen:
            vectors[(layer, index)].append(_vector(by_layer[layer], index, rng))
        progress(done + 1, len(samples))
    return {place: np.array(of_place) for place, of_place in vectors.items()}


def _vector(given: LayerInput, index: int, rng: np.random.Generator) -> np.ndarray:
    array = given.layer.array(index)
    for number in rng.permutation(given.count):
        wordlines = given.voltages(int(number))
        active = np.flatnonzero(wordlines.activity(array.rows) > 0)
        if not active.size:
            continue
        position = np.array([rng.choice(active)])
        widths = wordlines.widths(array.rows, position)
        level = 0.0 if widths is None else float(rng.random() * widths.max())
        volts: np.ndarray = wordlines.volts(array.rows, array.row_signs, position, level)[0]
        return volts
    return np.zeros(len(array.rows))


def _check(
    study: Study,
    mapped: Mapped,
    vectors_of: Mapping[_Place, np.ndarray],
    reference: str,
    tolerance: float,
    trial: int,
    place: _Place,
) -> ArrayCheck:
    """Program, solve and compare one array; an error names it."""
    layer = mapped.layers[place[0]]
    try:
        return _compared(study, layer, place[1], vectors_of[place], reference, tolerance, trial)
    except CircuitError as error:
        raise CircuitError(f"layer {layer.layer.name}, array {place[1]}: {error}") from None


def _compared(
    study: Study,
    layer: MappedLayer,
    index: int,
    v_in: np.ndarray,
    reference: str,
    tolerance: float,
    trial: int,
) -> ArrayCheck:
    programmed = program_array(study, layer, index, trial)
    array = programmed.array
    columns = np.union1d(np.flatnonzero(array.cols >= 0), array.references[array.references >= 0])
    return check_array(
        layer.layer.name,
        index,
        Circuit(programmed.g, programmed.lines, programmed.settings.crossbar.r_access, v_in),
        array_currents(programmed, v_in, columns),
        columns,
        reference=reference_for(reference, programmed.g.shape),
        tolerance=tolerance,
    )


def _numbers(errors: np.ndarray) -> dict[str, float | None]:
    """Return maximum and mean; None where they are not finite."""
    values = {"max": float(errors.max(initial=0.0)), "mean": float(errors.mean())}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _check_as_json(check: ArrayCheck) -> dict[str, Any]:
    refined = None if check.refined is None else _numbers(check.refined)
    return {
        "layer": check.layer,
        "array": check.array,
        "reference": check.reference,
        "error": _numbers(check.errors),
        "error_of_refined_sparse": refined,
        "idle_vectors": check.idle,
        "note": check.note,
    }
