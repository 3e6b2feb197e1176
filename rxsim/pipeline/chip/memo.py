"""What a study need not compute again: results kept by the content of all that they follow from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple
from importlib.metadata import version
from typing import Any

import numpy as np
import onnx

from rxsim.cache import content_key
from rxsim.calibrate import InputRange
from rxsim.circuit import OperatingPoint
from rxsim.config import Settings
from rxsim.converters import AdcLevels, MeasuredAdc
from rxsim.devices import Chip, Pulses, has_random_effects
from rxsim.mapping import MappedLayer
from rxsim.numerics import NUMERICS
from rxsim.pipeline.study.study import Study
from rxsim.session import identifying
from rxsim.tiles import LayerTransfer, identity_of_arrays


def remembered_transfer(
    study: Study,
    mapped: MappedLayer,
    settings: Settings,
    point: OperatingPoint | None,
    chip: Chip,
    solve: Callable[[], LayerTransfer],
) -> LayerTransfer:
    """Return a layer's transfer matrices with wires; solved where they are not known.

    Args:
        study: whose cache to look into.
        mapped: the layer on its arrays.
        settings: the layer's.
        point: where its arrays are made linear.
        chip: the chip.
        solve: solves the layer.
    """
    if study.cache is None:
        return solve()
    layer = mapped.layer
    # Chips whose programming is not random share the nominal one's arrays.
    drawn = has_random_effects(settings.device)
    linearised = None
    if point is not None:
        linearised = [point.volt, point.activity, settings.input.v_read]
    key = content_key(
        *("transfer", NUMERICS, layer.matrices, layer.op, list(layer.kernel), layer.arrays_of),
        identity_of_arrays(settings, mapped.counted_deviation),
        [chip.seed, chip.trial] if drawn else None,
        linearised,
        *([layer.name] if settings.device.faults is not None else []),
    )

    def arrays() -> dict[str, np.ndarray]:
        solved = solve()
        parts = {f"p{p}": matrix for p, matrix in enumerate(solved.matrices)}
        if solved.variances is not None:
            parts |= {f"v{p}": variance for p, variance in enumerate(solved.variances)}
        if solved.pulses is not None:
            parts["pulses"] = np.array(astuple(solved.pulses))
        return {**parts, "losses": solved.losses}

    kept, tiles = study.cache.remember(key, arrays), range(len(mapped.row_tiles))
    return LayerTransfer(
        mapped,
        tuple(kept[f"p{p}"] for p in tiles),
        kept["losses"],
        tuple(kept[f"v{p}"] for p in tiles) if "v0" in kept else None,
        Pulses(*kept["pulses"].tolist()) if "pulses" in kept else None,
    )


def remembered_outputs(
    study: Study, model: onnx.ModelProto, run: Callable[[], np.ndarray]
) -> np.ndarray:
    """Return a network's outputs for the evaluated inputs; run where they are not known."""
    if study.cache is None:
        return run()
    key = content_key(*_run_of("outputs", model), study.evaluated_identity(), study.output)
    return study.cache.remember(key, lambda: {"outputs": run()})["outputs"]


def remembered_input_ranges(
    study: Study, percentile: Mapping[str, float], measure: Callable[[], dict[str, InputRange]]
) -> dict[str, InputRange]:
    """Return the input ranges of a study's layers by name; measured where they are not known."""
    if study.cache is None:
        return measure()
    names = [layer.name for layer in study.network.layers]
    key = content_key(
        *_run_of("input ranges", study.network.model),
        study.calibration_identity(),
        [[layer.name, layer.input, percentile[layer.name]] for layer in study.network.layers],
    )

    def arrays() -> dict[str, np.ndarray]:
        measured = measure()
        return {
            f"n{at}": np.array([measured[name].x_max, measured[name].signed, *measured[name].shape])
            for at, name in enumerate(names)
        }

    kept = study.cache.remember(key, arrays)
    ranges = {}
    for at, name in enumerate(names):
        x_max, signed, *shape = kept[f"n{at}"].tolist()
        ranges[name] = InputRange(x_max, bool(signed), tuple(int(axis) for axis in shape))
    return ranges


def remembered_adcs(
    study: Study,
    model: onnx.ModelProto,
    rules: Sequence[tuple[str, Any]],
    blocks: Sequence[np.ndarray],
    measure: Callable[[], dict[str, MeasuredAdc]],
) -> dict[str, MeasuredAdc]:
    """Return ADC ranges and steps by layer name; measured where they are not known.

    Args:
        study: whose cache to look into, and whose calibration inputs are run.
        model: the open-ADC network.
        rules: name of each measured layer, and what its ranges and steps are chosen by, plain.
        blocks: which range each of its conversions uses.
        measure: runs the network.
    """
    if study.cache is None:
        return measure()
    key = content_key(
        *_run_of("adc ranges", model), study.calibration_identity(), list(rules), *blocks
    )
    names = [name for name, _ in rules]

    def arrays() -> dict[str, np.ndarray]:
        measured = measure()
        kept = {f"n{at}": measured[name].ranges for at, name in enumerate(names)}
        for at, name in enumerate(names):
            levels = measured[name].levels
            if levels is not None:
                kept |= {f"t{at}": levels.thresholds, f"v{at}": levels.values}
                kept[f"b{at}"] = levels.tables
        return kept

    kept = study.cache.remember(key, arrays)
    return {
        name: MeasuredAdc(
            kept[f"n{at}"],
            AdcLevels(kept[f"t{at}"], kept[f"v{at}"], kept[f"b{at}"]) if f"t{at}" in kept else None,
        )
        for at, name in enumerate(names)
    }


def _run_of(what: str, model: onnx.ModelProto) -> tuple[Any, ...]:
    """Identify a run of a network: the network itself, and who computes it."""
    content = identifying(model, f"the network ({what})")
    return what, NUMERICS, version("onnxruntime"), version("numpy"), content
