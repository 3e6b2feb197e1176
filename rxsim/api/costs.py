"""What a network costs, from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rxsim.api.accepted import (
    AnyData,
    AnyModel,
    AnySettings,
    as_data,
    as_model,
    opened,
    warn,
)
from rxsim.api.accepted import settings as resolved
from rxsim.api.shown import NetworkCost, shown
from rxsim.config import Cost, Settings
from rxsim.cost.price.network import NetworkCost as Priced
from rxsim.given import as_count, check_type
from rxsim.load import load_network, patched_before
from rxsim.pipeline import (
    Calibration,
    DataOptions,
    example_shapes,
    network_cost,
    stated_inputs,
    study_cost,
    with_stated,
)


def price(
    model: AnyModel,
    settings: AnySettings | None = None,
    data: AnyData | None = None,
    *,
    technology: str | Path | None = None,
    adc_model: str | None = None,
    replicate: int | None = None,
    array_energy: str | None = None,
    seed: int | None = None,
    limit: int | None = None,
    threads: int | None = None,
    memory: str | None = None,
    calibration: Calibration | str | Path | None = None,
) -> NetworkCost:
    """Do what `rxsim cost` does: area, energy and time of a network on crossbars.

    `rxsim.evaluate` with a section `cost` in its settings gives the same beside accuracy, in `cost` of
    its result. (`rxsim.cost` is the package of counts and technologies, hence the name.)

    Args:
        model: the ONNX file, or an onnx.ModelProto.
        settings: as `rxsim.evaluate` takes them; their section `cost` says what is priced.
        data: as `rxsim.evaluate` takes them; the arrays' energy is that on calibration inputs, made-up
            ones where there are no data.
        technology: name of a technology, or its file (.yaml).
        adc_model: published model of the ADC; table: the technology's own numbers.
        replicate: copy the slowest layers as far as so many arrays last.
        array_energy: circuit (solved on calibration inputs), or technology (its number for a read:
            nothing is run, and of the data only what `DataOptions` states of shapes is used).
        seed: of every random draw.
        limit: the size of an evaluated sample; calibration inputs are others where there are enough.
        threads: work done side by side; changes no result.
        memory: to stay under, such as "3GB"; half of what is free where left out; changes no result.
        calibration: as `rxsim.evaluate` takes it.

    Raises:
        InputError: the model, the data, the settings or an argument can't be used.

    Example:
        >>> cost = rxsim.price("models/digits_mlp.onnx", "128x128", technology="isaac")
        >>> cost.energy_j, cost.area_mm2, cost.latency_s
        >>> {part.name: part.energy_j for part in cost.components}
    """
    given = {"technology": technology, "adc_model": adc_model, "array_energy": array_energy}
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if value is not None:
            check_type(value, name, str | Path, "text such as 'isaac'")
            changes[f"cost.{name}"] = str(value)
    if replicate is not None:
        changes["cost.replicate"] = {"balance": as_count(replicate, "replicate")}
    chosen = resolved(settings, changes=changes, seed=seed)
    if (chosen.cost or Cost()).array_energy == "technology":
        return shown(_from_shapes(model, chosen, as_data(data, limit)), NetworkCost)
    study = opened(
        model,
        chosen,
        data,
        limit=limit,
        threads=threads,
        memory=memory,
        calibration=calibration,
        evaluates=False,
    )
    return shown(study_cost(study), NetworkCost)


def _from_shapes(model: AnyModel, settings: Settings, data: DataOptions) -> Priced:
    """Price from shapes alone."""
    network = load_network(as_model(model), settings.mapping.fold)
    warn(patched_before(network.original, network.path.name), depth=3)
    stated = stated_inputs(
        data.input_shapes, data.fix_axes, data.input_values, data.input_batch_axes
    )
    network = with_stated(network, data.input, stated)
    return network_cost(network, settings, example_shapes(network))
