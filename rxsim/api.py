"""The Python interface: one function for each command, with the same results.

Nothing here prints or writes unless it is given a path; unusable input raises
`rxsim.errors.InputError` with the sentence that the command would print.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from rxsim.circuit import ArraySolution, NonlinearSolution, solve_array, solve_cells
from rxsim.config import Crossbar, Settings, load_settings
from rxsim.devices import check_presets
from rxsim.errors import DataError, SettingError
from rxsim.files import check_destination, write_atomically
from rxsim.gate import Check, check_cases, read_baseline, read_cases
from rxsim.load import load_network
from rxsim.pipeline import (
    Calibration,
    DataOptions,
    Evaluation,
    Inventory,
    Study,
    Verification,
    open_study,
    patched_chip,
    read_calibration,
    spice_netlist,
    take_inventory,
)
from rxsim.pipeline import calibrate as calibrate_study
from rxsim.pipeline import evaluate as evaluate_study
from rxsim.pipeline import verify as verify_study
from rxsim.pipeline.inspect.verification import N_ARRAYS, N_VECTORS
from rxsim.session import default_threads
from rxsim.store import open_results
from rxsim.sweep import LocalPool, SweepEnd, ending, memory_for, read_plan
from rxsim.sweep import run_sweep as run_plan
from rxsim.verify import TOLERANCE


def settings(
    config: str | Path | None = None,
    *,
    xbar: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Settings:
    """Resolve settings as `--config`, `--xbar` and `--set` do.

    Args:
        config: a settings file.
        xbar: the array's size, such as "64x64".
        changes: values by dotted name, such as {"adc.n_bits": 8}.

    Raises:
        SettingError: a setting is unknown, of the wrong type or out of range.
    """
    assignments = [
        f"{name}={json.dumps(value, default=np.generic.item)}"
        for name, value in (changes or {}).items()
    ]
    path = None if config is None else Path(config)
    resolved = load_settings(path, xbar=xbar, assignments=assignments)
    check_presets(resolved)
    return resolved


def evaluate(
    model: str | Path,
    settings: Settings | None = None,
    data: DataOptions | None = None,
    *,
    threads: int | None = None,
    calibration: Calibration | str | Path | None = None,
) -> Evaluation:
    """Do what `rxsim eval` does: climb the ladder and look at every layer.

    Args:
        model: the ONNX file.
        settings: see `rxsim.settings`; the defaults where left out.
        data: where the inputs come from; the card beside the model where left out.
        threads: work done side by side; changes no result.
        calibration: what `rxsim.calibration` returned, or its file; measured anew where left out.

    Raises:
        InputError: the model, the data or the settings can't be used, or the calibration is of others.
    """
    study = _study(model, settings, data, threads, calibration)
    return evaluate_study(study)


def calibration(
    model: str | Path,
    output: str | Path | None = None,
    settings: Settings | None = None,
    data: DataOptions | None = None,
    *,
    threads: int | None = None,
) -> Calibration:
    """Do what `rxsim calibrate` does: measure all ranges, and write them if asked.

    Args:
        model: the ONNX file.
        output: where to write them, if anywhere.
        settings: see `rxsim.settings`; the defaults where left out.
        data: where the inputs come from; the card beside the model where left out.
        threads: work done side by side; changes no result.

    Raises:
        InputError: the model, the data or the settings can't be used.
        WriteError: the file can't be written.
    """
    study = _study(model, settings, data, threads)
    found = calibrate_study(study)
    if output is not None:
        write_atomically(Path(output), found.to_json().encode())
    return found


def _study(
    model: str | Path,
    settings: Settings | None,
    data: DataOptions | None,
    threads: int | None,
    calibration: Calibration | str | Path | None = None,
    *,
    evaluates: bool = True,
) -> Study:
    """Open a study with the defaults filled in, and the calibration read where its file is given."""
    known = (
        read_calibration(Path(calibration)) if isinstance(calibration, str | Path) else calibration
    )
    return open_study(
        Path(model),
        settings or Settings(),
        data,
        threads=threads,
        calibration=known,
        evaluates=evaluates,
    )


def patched(
    model: str | Path,
    output: str | Path | None = None,
    settings: Settings | None = None,
    data: DataOptions | None = None,
    *,
    trial: int = 0,
    threads: int | None = None,
    calibration: Calibration | str | Path | None = None,
) -> onnx.ModelProto:
    """Do what `rxsim patch` does: return the patched network of one chip, and write it if asked.

    Args:
        model: the ONNX file.
        output: where to write it, if anywhere.
        settings: see `rxsim.settings`; the defaults where left out.
        data: where the inputs come from; the card beside the model where left out.
        trial: which chip.
        threads: work done side by side; changes no result.
        calibration: what `rxsim.calibration` returned, or its file; measured anew where left out.

    Raises:
        InputError: the model, the data or the settings can't be used, or the calibration is of others.
        WriteError: the file can't be written.
    """
    study = _study(model, settings, data, threads, calibration, evaluates=False)
    network = patched_chip(study, trial).model
    if output is not None:
        write_atomically(Path(output), network.SerializeToString())
    return network


def inventory(
    model: str | Path,
    settings: Settings | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Inventory:
    """Do what `rxsim map` does: what goes onto crossbars and what stays digital.

    Args:
        model: the ONNX file.
        settings: the array's size and the mapping.
        input_shapes: shape of an input, batch axis included, where the model leaves axes free.

    Raises:
        ModelError: the model can't be used.
    """
    network = load_network(Path(model))
    known = {spec.name: spec.smallest for spec in network.inputs if spec.smallest is not None}
    return take_inventory(network, settings or Settings(), {**known, **(input_shapes or {})})


def solve(
    conductances: np.ndarray,
    crossbar: Crossbar | None = None,
    v_in: np.ndarray | None = None,
    *,
    settings: Settings | None = None,
) -> ArraySolution | NonlinearSolution:
    """Do what `rxsim solve` does: solve the circuit of one array.

    Args:
        conductances: siemens, (n_rows, n_cols).
        crossbar: its resistances, if not those of the settings; rows and cols are not looked at.
        v_in: source voltages, volt, (n_rows,): also gives currents and node voltages.
        settings: crossbar, cells (device.iv) and read voltage.

    Returns:
        The array's matrix; for cells that are not linear the operating point at v_in, or with every
        row at the read voltage.

    Raises:
        CircuitError: a conductance is negative, NaN or infinite, or no accuracy can be certified.
        DataError: an array is not one of real numbers, or of a wrong shape.
    """
    own = settings or Settings()
    if not isinstance(own, Settings) or not isinstance(crossbar, Crossbar | None):
        raise SettingError(
            f"solve: found {type(crossbar).__name__} and {type(own).__name__}, expected a Crossbar and "
            "Settings; give settings=rxsim.settings(..)"
        )
    g = _real(conductances, 2, "conductances")
    volts = None if v_in is None else _real(v_in, 1, "v_in")
    if volts is not None and len(volts) != len(g):
        raise DataError(
            f"v_in: found {len(volts)} voltages, expected one for each of {len(g)} rows"
        )
    bar = crossbar or own.crossbar
    if own.device.iv.form == "linear":
        return solve_array(g, bar, volts)
    return solve_cells(g, bar, own.device.iv, own.input.v_read, volts)


def _real(values: np.ndarray, axes: int, what: str) -> np.ndarray:
    """Refuse what is not an array of real numbers of the wanted number of axes."""
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.empty(0, dtype=object)
    if array.ndim != axes or array.size == 0 or array.dtype.kind not in "fiu":
        raise DataError(
            f"{what}: found shape {list(array.shape)}, {array.dtype}, expected {axes} axes of real "
            "numbers, none of them empty; reshape or convert it"
        )
    return np.ascontiguousarray(array, dtype=np.float64)


def verification(
    model: str | Path,
    settings: Settings | None = None,
    data: DataOptions | None = None,
    *,
    arrays: int = N_ARRAYS,
    vectors: int = N_VECTORS,
    tolerance: float = TOLERANCE,
    reference: str = "auto",
    trial: int = 0,
    threads: int | None = None,
    calibration: Calibration | str | Path | None = None,
) -> Verification:
    """Do what `rxsim verify` does: compare solved arrays with an independent solver.

    A difference beyond the tolerance raises nothing: look at `passed` and `worst`.

    Args:
        model: the ONNX file.
        settings: see `rxsim.settings`; the defaults where left out.
        data: where the inputs come from; the card beside the model where left out.
        arrays: how many arrays: one in every layer as far as they go, the others anywhere.
        vectors: real input vectors for each.
        tolerance: allowed |difference| of a current, of the largest i_out of its array and vector.
        reference: "ngspice", "sparse", or "auto": ngspice where it is installed and arrays are at most
            64x64.
        trial: which chip.
        threads: work done side by side; changes no result.
        calibration: what `rxsim.calibration` returned, or its file; measured anew where left out.

    Raises:
        InputError: the model, the data, the settings or an argument can't be used.
    """
    study = _study(model, settings, data, threads, calibration)
    return verify_study(
        study,
        arrays=arrays,
        vectors=vectors,
        tolerance=tolerance,
        reference=reference,
        trial=trial,
    )


def netlist(
    model: str | Path,
    output: str | Path | None = None,
    settings: Settings | None = None,
    data: DataOptions | None = None,
    *,
    layer: str,
    array: int,
    sample: int = 0,
    position: int | None = None,
    trial: int = 0,
    threads: int | None = None,
    calibration: Calibration | str | Path | None = None,
) -> str:
    """Do what `rxsim spice` does: return one array as a netlist for ngspice, and write it if asked.

    Args:
        model: the ONNX file.
        output: where to write it, if anywhere.
        settings: see `rxsim.settings`; the defaults where left out.
        data: where the inputs come from; the card beside the model where left out.
        layer: the layer's name.
        array: the array's index in it.
        sample: which calibration input drives it.
        position: which vector of that input; the one with the largest sum of |voltage| if left out.
        trial: which chip.
        threads: work done side by side; changes no result.
        calibration: what `rxsim.calibration` returned, or its file; measured anew where left out.

    Raises:
        InputError: the model, the data, the settings or an argument can't be used.
        WriteError: the file can't be written.
    """
    study = _study(model, settings, data, threads, calibration)
    made = spice_netlist(study, layer, array, sample=sample, position=position, trial=trial)
    if output is not None:
        write_atomically(Path(output), made.text.encode())
    return made.text


def run_sweep(
    file: str | Path,
    output: str | Path,
    *,
    workers: int | None = None,
    cache: str | Path | None = None,
) -> SweepEnd:
    """Do what `rxsim sweep` does: evaluate every trial of a sweep that the results do not hold yet.

    Workers are spawned: call it below `if __name__ == "__main__":`. `rxsim.store` reads the results.

    Args:
        file: the sweep's YAML.
        output: the results file; made, or gone on with.
        workers: processes, one thread each; the machine's processors by default.
        cache: folder where solved arrays and ranges are kept; nothing is kept where left out.

    Returns:
        How many trials are new, known, failed and needless.

    Raises:
        InputError: the sweep, a network, the data or a point's settings can't be used.
        WriteError: the disk is full; earlier trials are safe.
    """
    plan = read_plan(Path(file))
    check_destination(Path(output), [Path(file), *(planned.model for planned in plan.points)])
    count = workers or default_threads()
    with (
        ending(LocalPool(count, memory_for(count))) as pool,
        open_results(Path(output), write=True) as results,
    ):
        return run_plan(plan, results, pool, cache=None if cache is None else Path(cache))


def check(file: str | Path, baseline: str | Path) -> Check:
    """Do what `rxsim check` does: compare accuracies with those of a baseline.

    A regression raises nothing: look at the verdicts.

    Args:
        file: the gate's YAML.
        baseline: what `rxsim check --update` wrote.

    Raises:
        InputError: a case can't be evaluated, or is not what the baseline was measured with.
    """
    return check_cases(read_cases(Path(file)), read_baseline(Path(baseline)))
