"""Functions about a whole network: its accuracy, its ranges, its patched form, its arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from rxsim.api.accepted import (
    AnyData,
    AnyModel,
    AnySettings,
    as_destination,
    as_model,
    opened,
    warn,
)
from rxsim.api.accepted import settings as resolved
from rxsim.api.shown import Evaluation, Inventory, shown
from rxsim.config import check_layers, read_times, settings_over
from rxsim.errors import ModelError
from rxsim.files import write_atomically
from rxsim.given import as_count, check_type
from rxsim.load import InputSpec, load_network, patched_before, write_onnx
from rxsim.onnx_graph import with_values
from rxsim.pipeline import (
    Calibration,
    UntilCi,
    example_shapes,
    loss_limit,
    patched_chip,
    take_inventory,
    with_origin,
    with_ranks,
)
from rxsim.pipeline import calibrate as calibrate_study
from rxsim.pipeline import evaluate as evaluate_study
from rxsim.pipeline import until_ci as as_rule
from rxsim.scenarios import Scenario, as_built


def evaluate(
    model: AnyModel,
    settings: AnySettings | None = None,
    data: AnyData | None = None,
    *,
    trials: int | None = None,
    seed: int | None = None,
    limit: int | None = None,
    scenarios: Sequence[str | Scenario] | None = None,
    times: Sequence[float | str] | None = None,
    until_ci: float | None = None,
    yield_at: float | None = None,
    threads: int | None = None,
    memory: str | None = None,
    calibration: Calibration | str | Path | None = None,
) -> Evaluation:
    """Do what `rxsim eval` does: climb the ladder and look at every layer.

    Args:
        model: the ONNX file, or an onnx.ModelProto.
        settings: an array size such as "64x64", a settings file, a mapping of settings by name, or
            what `rxsim.settings` returned; the defaults where left out.
        data: a path, an array x, a pair of arrays (x, y), arrays by name, or `rxsim.DataOptions`; the
            card beside the model where left out.
        trials: programmed chips; with `until_ci` at most so many, 200 where left out.
        seed: of every random draw.
        limit: evaluate a seeded, class-balanced sample of this size.
        scenarios: the rungs after float32, such as ["weights", "only wires", "without adc",
            "nonideal"], or `Scenario` values; the ladder's where left out.
        times: after programming, in seconds or as text, such as [0, "1h", "1d"]: `over_time` of the
            result holds the same chips at each of them, and the ladder is that of the first.
        until_ci: add chips, from 10 on, until half the 95 % interval over chips for these images is
            this or less: points of accuracy or agreement, else the metric's own unit; `chips_needed`
            of the result says how many it took.
        yield_at: a loss in the same unit; `chip_yield` of the result tells the share of chips within
            it.
        threads: work done side by side; changes no result.
        memory: to stay under, such as "3GB"; half of what is free where left out; changes no result.
        calibration: what `rxsim.calibration` returned, or its file; measured anew where left out.

    Raises:
        InputError: the model, the data or the settings can't be used, or the calibration is of others.

    Example:
        >>> result = rxsim.evaluate("models/digits_mlp.onnx", "64x64", limit=100)
        >>> print(result)
        >>> result.rung("nonideal").table("accuracy").mean()
    """
    if scenarios is not None:
        check_type(scenarios, "scenarios", list | tuple, "a list such as ['weights', 'nonideal']")
        for scenario in scenarios:
            check_type(scenario, "scenarios", str | Scenario, "names of scenarios, or Scenario(..)")
    until, limit_of_loss = _checked(until_ci, yield_at, trials)
    seconds: tuple[float, ...] = ()
    if times is not None:
        check_type(times, "times", list | tuple, "a list such as [0, '1h', '1d']")
        seconds = read_times(times, "times")
        settings = settings_over(resolved(settings, trials=trials, seed=seed), seconds)[0]
    study = opened(
        model,
        settings,
        data,
        trials=trials,
        seed=seed,
        limit=limit,
        threads=threads,
        memory=memory,
        calibration=calibration,
    )
    result = evaluate_study(study, scenarios, seconds, until)
    return shown(replace(result, yield_at=limit_of_loss), Evaluation)


def _checked(
    until_ci: float | None, yield_at: float | None, trials: int | None
) -> tuple[UntilCi | None, float | None]:
    """Return the rule that adds chips, and the loss whose share of chips is wanted."""
    until = None
    if until_ci is not None:
        check_type(until_ci, "until_ci", float | int, "a number such as 0.5 (points)")
        until = as_rule(until_ci, None if trials is None else as_count(trials, "trials"))
    if yield_at is not None:
        check_type(yield_at, "yield_at", float | int, "a number such as 1 (points)")
    return until, loss_limit(yield_at)


def calibration(
    model: AnyModel,
    settings: AnySettings | None = None,
    data: AnyData | None = None,
    *,
    output: str | Path | None = None,
    seed: int | None = None,
    limit: int | None = None,
    threads: int | None = None,
    memory: str | None = None,
) -> Calibration:
    """Do what `rxsim calibrate` does: measure all ranges, and write them if asked.

    Args:
        model: the ONNX file, or an onnx.ModelProto.
        settings: as `rxsim.evaluate` takes them.
        data: as `rxsim.evaluate` takes them.
        output: where to write them, if anywhere.
        seed: of every random draw.
        limit: the size of the evaluated sample; calibration inputs are others where there are enough.
        threads: work done side by side; changes no result.
        memory: to stay under, such as "3GB"; half of what is free where left out; changes no result.

    Raises:
        InputError: the model, the data or the settings can't be used.
        WriteError: the file can't be written.

    Example:
        >>> ranges = rxsim.calibration("models/digits_mlp.onnx", "64x64")
        >>> rxsim.evaluate("models/digits_mlp.onnx", "64x64", calibration=ranges)
    """
    path = as_destination(output, model)
    measured = calibrate_study(
        opened(
            model,
            settings,
            data,
            seed=seed,
            limit=limit,
            threads=threads,
            memory=memory,
            takes_steps=False,
        )
    )
    if path is not None:
        write_atomically(path, measured.to_json().encode())
    return measured


def patched(
    model: AnyModel,
    settings: AnySettings | None = None,
    data: AnyData | None = None,
    *,
    output: str | Path | None = None,
    trial: int = 0,
    seed: int | None = None,
    limit: int | None = None,
    threads: int | None = None,
    memory: str | None = None,
    calibration: Calibration | str | Path | None = None,
) -> onnx.ModelProto:
    """Do what `rxsim patch` does: return the patched network of one chip, and write it if asked.

    Args:
        model: the ONNX file, or an onnx.ModelProto.
        settings: as `rxsim.evaluate` takes them.
        data: as `rxsim.evaluate` takes them.
        output: where to write it, if anywhere.
        trial: which chip.
        seed: of every random draw.
        limit: the size of the evaluated sample; calibration inputs are others where there are enough.
        threads: work done side by side; changes no result.
        memory: to stay under, such as "3GB"; half of what is free where left out; changes no result.
        calibration: what `rxsim.calibration` returned, or its file; measured anew where left out.

    Raises:
        InputError: the model, the data or the settings can't be used, or the calibration is of others.
        WriteError: the file can't be written.

    Example:
        >>> rxsim.patched("models/digits_mlp.onnx", "64x64", output="chip.onnx")
    """
    path = as_destination(output, model)
    chip = as_count(trial, "trial", 0)
    study = opened(
        model,
        settings,
        data,
        seed=seed,
        limit=limit,
        threads=threads,
        memory=memory,
        calibration=calibration,
        evaluates=False,
    )
    patched = patched_chip(study, chip)
    network = with_origin(patched.model, study, as_built(study.settings).name, chip)
    if path is not None:
        write_onnx(path, network)
    return with_values(network)


def inventory(
    model: AnyModel,
    settings: AnySettings | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Inventory:
    """Do what `rxsim map` does: what goes onto crossbars and what stays digital.

    Args:
        model: the ONNX file, or an onnx.ModelProto.
        settings: as `rxsim.evaluate` takes them; the array's size and the mapping count.
        input_shapes: shape of an input, batch axis included, where the model leaves axes free.

    Raises:
        InputError: the model or the settings can't be used.

    Example:
        >>> print(rxsim.inventory("models/digits_cnn.onnx", "64x64"))
    """
    chosen = resolved(settings)
    network = load_network(as_model(model), chosen.mapping.fold)
    warn(patched_before(network.original, network.path.name), depth=2)
    check_layers(chosen, [layer.name for layer in network.layers])
    shapes = {} if input_shapes is None else input_shapes
    check_type(shapes, "input_shapes", Mapping, "a mapping such as {'image': (1, 3, 224, 224)}")
    network = with_ranks(network, shapes)
    given = _shapes(shapes, network.inputs)
    for spec in network.inputs:  # counts are for one input
        if spec.name in given and spec.batch is not None:
            shape, axis = given[spec.name], spec.batch_axis or 0
            given[spec.name] = (*shape[:axis], 1, *shape[axis + 1 :])
    known = example_shapes(network)
    return shown(take_inventory(network, chosen, {**known, **given}), Inventory)


def _shapes(
    given: Mapping[str, tuple[int, ...]], inputs: Sequence[InputSpec]
) -> dict[str, tuple[int, ...]]:
    """Check shapes against the inputs that they are named after."""
    stated = {spec.name: spec.shape for spec in inputs}
    checked = {}
    for name, shape in given.items():
        if name not in stated:
            raise ModelError(
                f"input_shapes: found {name!r}, expected an input of the model ({', '.join(stated)}); "
                "correct the name"
            )
        check_type(shape, f"input_shapes: {name}", tuple | list, "a shape such as (1, 3, 224, 224)")
        axes = tuple(as_count(axis, f"input_shapes: {name}") for axis in shape)
        free = stated[name]
        if len(axes) != len(free) or any(
            w not in (None, h) for h, w in zip(axes, free, strict=True)
        ):
            raise ModelError(
                f"input_shapes: {name}: found {list(axes)}, expected "
                f"{['any' if axis is None else axis for axis in free]} as the model states; correct it"
            )
        checked[name] = axes
    return checked
