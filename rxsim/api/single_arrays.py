"""Functions about single arrays: solve one, compare some with another solver, write a netlist."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

from rxsim.api.accepted import AnyData, AnyModel, AnySettings, as_destination, opened
from rxsim.api.accepted import settings as resolved
from rxsim.api.shown import Verification, shown
from rxsim.circuit import ArraySolution, NonlinearSolution, solve_array, solve_cells
from rxsim.circuit.expense import solve_bytes
from rxsim.compensate.predistortion import (
    Predistorted,
    ScaleBy,
    refuse_beyond_range,
    with_write_errors,
)
from rxsim.compensate.predistortion import predistorted as search_targets
from rxsim.config import Crossbar
from rxsim.counted import counted
from rxsim.devices import nominal_deviation
from rxsim.errors import DataError, SettingError
from rxsim.files import write_atomically
from rxsim.given import as_count, check_type, refuse_impossible
from rxsim.memory import require
from rxsim.pipeline import Calibration, spice_netlist
from rxsim.pipeline import verify as verify_study
from rxsim.pipeline.inspect.verification import N_ARRAYS, N_VECTORS
from rxsim.scenarios import only_writing
from rxsim.schema import validated
from rxsim.verify import REFERENCES, TOLERANCE


def solve(
    conductances: np.ndarray,
    crossbar: Crossbar | Mapping[str, Any] | None = None,
    v_in: np.ndarray | None = None,
    *,
    settings: AnySettings | None = None,
) -> ArraySolution | NonlinearSolution:
    """Do what `rxsim solve` does: solve the circuit of one array.

    Args:
        conductances: siemens, (n_rows, n_cols).
        crossbar: its resistances, if not those of the settings: a `Crossbar`, or a mapping such as
            {"r_driver": 50}; rows and cols are not looked at.
        v_in: source voltages, volt, (n_rows,): also gives currents and node voltages.
        settings: as `rxsim.evaluate` takes them: crossbar, cells (device.iv) and read voltage count.

    Returns:
        The array's matrix; for cells that are not linear the operating point at v_in, or with every
        row at the read voltage.

    Raises:
        CircuitError: a conductance is negative, NaN or infinite, or no accuracy can be certified.
        InputError: an array is not one of real numbers, or of a wrong shape; or no such settings;
            or the array takes more memory than there is.

    Example:
        >>> g = numpy.full((64, 64), 1e-5)
        >>> rxsim.solve(g, {"r_wire_wl": 5}).g_eff.sum() / g.sum()
    """
    chosen = resolved(settings)
    bar = chosen.crossbar if crossbar is None else _crossbar(crossbar)
    g = _real(conductances, 2, "conductances")
    refuse_impossible(g, "conductances", "conductance", "S", least=0)
    volts = None if v_in is None else _real(v_in, 1, "v_in")
    if volts is not None:
        refuse_impossible(volts, "v_in", "voltage", "V", least=None)
    if volts is not None and len(volts) != len(g):
        raise DataError(
            f"v_in: found {counted(len(volts), 'voltage')}, expected one for each of "
            f"{counted(len(g), 'row')}; "
            "give as many"
        )
    linear = chosen.device.iv.form == "linear"
    size = f"{g.shape[0]}x{g.shape[1]}"
    require(solve_bytes(g.size, nodes=not linear), f"an array of {size}")
    if linear:
        return solve_array(g, bar, volts)
    return solve_cells(g, bar, chosen.device.iv, chosen.input.v_read, volts)


def predistorted(
    conductances: np.ndarray,
    crossbar: Crossbar | Mapping[str, Any] | None = None,
    *,
    settings: AnySettings | None = None,
    scale: ScaleBy = "layer",
    headroom: float | None = 0.0,
    passes: int = 12,
) -> Predistorted:
    """Do what `rxsim solve --predistort` does: search for targets whose g_eff is as wanted.

    Args:
        conductances: wanted, siemens, (n_rows, n_cols), between device.g_off and device.g_on, or 0 for
            a place without a cell.
        crossbar: the array's resistances, as `rxsim.solve` takes them.
        settings: as `rxsim.evaluate` takes them: crossbar, range of the cells, write errors and
            variation count.
        scale: what shares a gain that is divided out: "none", "layer" (the whole array) or "column".
        headroom: share of the range left free at each end; None: a shift of all cells is chosen, which
            a second array is to take away.
        passes: how often cells are moved at most.

    Returns:
        The targets, their g_eff, gain and shift, and the error before and after; with write errors or
        variation also that of programmed chips (`after_on_chip`, `after_expected`).

    Raises:
        CircuitError: no accuracy can be certified.
        InputError: a conductance is beyond the cells' range; or as `rxsim.solve`.

    Example:
        >>> g = numpy.random.default_rng(0).uniform(1 / 1.4e6, 1 / 200e3, (64, 64))
        >>> found = rxsim.predistorted(g, {"r_wire_wl": 5})
        >>> found.before, found.after
    """
    chosen = resolved(settings)
    bar = chosen.crossbar if crossbar is None else _crossbar(crossbar)
    g = _real(conductances, 2, "conductances")
    refuse_impossible(g, "conductances", "conductance", "S", least=0)
    check_type(scale, "scale", str, f"one of {', '.join(get_args(ScaleBy))}")
    if scale not in get_args(ScaleBy):
        raise SettingError(
            f"scale: found {scale!r}, expected one of {', '.join(get_args(ScaleBy))}; choose one"
        )
    if headroom is not None:
        check_type(headroom, "headroom", int | float, "a share of the range such as 0.05, or None")
        if not 0 <= headroom <= 0.45:
            raise SettingError(
                f"headroom: found {headroom:g}, expected a share from 0 to 0.45; choose one"
            )
    if chosen.device.iv.form != "linear":
        raise SettingError(
            f"device.iv.form: found {chosen.device.iv.form}, expected linear cells: others have a "
            "g_eff only where a network drives them; use compensate: [predistort] in rxsim.evaluate"
        )
    limits = (chosen.device.g_off, chosen.device.g_on)
    refuse_beyond_range(g, limits, "conductances")
    require(solve_bytes(g.size, nodes=False), f"an array of {g.shape[0]}x{g.shape[1]}")
    times = as_count(passes, "passes")
    found = search_targets(
        *(g, limits, bar),
        scale=scale,
        headroom=headroom,
        passes=times,
        deviation=nominal_deviation(chosen.device),
    )
    return with_write_errors(found, g, only_writing(chosen).device, bar, chosen.seed)


def _crossbar(given: Any) -> Crossbar:
    if isinstance(given, Crossbar):
        return given
    if isinstance(given, Mapping):
        return validated(Crossbar, given, "crossbar")
    raise SettingError(
        f"crossbar: found a value of type {type(given).__name__}, expected a Crossbar or a mapping "
        "such as {'r_driver': 50}; give settings as settings=.."
    )


def _real(values: Any, axes: int, what: str) -> np.ndarray:
    """Refuse what is not an array of real numbers of the wanted number of axes."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError):
        array = np.empty(0, dtype=object)
    if array.ndim != axes or array.size == 0 or array.dtype.kind not in "fiu":
        raise DataError(
            f"{what}: found shape {list(array.shape)}, {array.dtype}, expected "
            f"{counted(axes, 'axis', 'axes')} of real "
            "numbers, none of them empty; reshape or convert it"
        )
    return np.ascontiguousarray(array, dtype=np.float64)


def verification(
    model: AnyModel,
    settings: AnySettings | None = None,
    data: AnyData | None = None,
    *,
    arrays: int = N_ARRAYS,
    vectors: int = N_VECTORS,
    tolerance: float = TOLERANCE,
    reference: str = "auto",
    trial: int = 0,
    seed: int | None = None,
    limit: int | None = None,
    threads: int | None = None,
    memory: str | None = None,
    calibration: Calibration | str | Path | None = None,
) -> Verification:
    """Do what `rxsim verify` does: compare solved arrays with an independent solver.

    A difference beyond the tolerance raises nothing: look at `passed` and `worst`.

    Args:
        model: the ONNX file, or an onnx.ModelProto.
        settings: as `rxsim.evaluate` takes them.
        data: as `rxsim.evaluate` takes them.
        arrays: how many arrays: one in every layer as far as they go, the others anywhere.
        vectors: real input vectors for each.
        tolerance: allowed |difference| of a current, of the largest i_out of its array and vector.
        reference: "ngspice", "sparse", or "auto": ngspice where it is installed and arrays are at most
            64x64.
        trial: which chip.
        seed: of every random draw.
        limit: the size of the evaluated sample; calibration inputs are others where there are enough.
        threads: work done side by side; changes no result.
        memory: to stay under, such as "3GB"; half of what is free where left out; changes no result.
        calibration: what `rxsim.calibration` returned, or its file; measured anew where left out.

    Raises:
        InputError: the model, the data, the settings or an argument can't be used.

    Example:
        >>> rxsim.verification("models/digits_mlp.onnx", "32x32", arrays=4, vectors=2).passed
    """
    check_type(reference, "reference", str, f"one of {', '.join(REFERENCES)}")
    check_type(tolerance, "tolerance", int | float, "a number above 0 such as 1e-9")
    counts = {
        "arrays": as_count(arrays, "arrays"),
        "vectors": as_count(vectors, "vectors"),
        "trial": as_count(trial, "trial", 0),
    }
    study = opened(
        model,
        settings,
        data,
        seed=seed,
        limit=limit,
        threads=threads,
        memory=memory,
        calibration=calibration,
    )
    result = verify_study(study, tolerance=float(tolerance), reference=reference, **counts)
    return shown(result, Verification)


def netlist(
    model: AnyModel,
    settings: AnySettings | None = None,
    data: AnyData | None = None,
    *,
    layer: str,
    array: int,
    output: str | Path | None = None,
    sample: int = 0,
    position: int | None = None,
    trial: int = 0,
    seed: int | None = None,
    limit: int | None = None,
    threads: int | None = None,
    memory: str | None = None,
    calibration: Calibration | str | Path | None = None,
) -> str:
    """Do what `rxsim spice` does: return one array as a netlist for ngspice, and write it if asked.

    Args:
        model: the ONNX file, or an onnx.ModelProto.
        settings: as `rxsim.evaluate` takes them.
        data: as `rxsim.evaluate` takes them.
        layer: the layer's name.
        array: the array's index in it.
        output: where to write it, if anywhere.
        sample: which calibration input drives it.
        position: which vector of that input; the one with the largest sum of |voltage| if left out.
        trial: which chip.
        seed: of every random draw.
        limit: the size of the evaluated sample; calibration inputs are others where there are enough.
        threads: work done side by side; changes no result.
        memory: to stay under, such as "3GB"; half of what is free where left out; changes no result.
        calibration: what `rxsim.calibration` returned, or its file; measured anew where left out.

    Raises:
        InputError: the model, the data, the settings or an argument can't be used.
        WriteError: the file can't be written.

    Example:
        >>> rxsim.netlist("models/digits_mlp.onnx", "32x32", layer="fc1", array=0, output="fc1.cir")
    """
    path = as_destination(output, model)
    check_type(layer, "layer", str, "the name of a layer")
    index, chip = as_count(array, "array", 0), as_count(trial, "trial", 0)
    which = as_count(sample, "sample", 0)
    vector = None if position is None else as_count(position, "position", 0)
    study = opened(
        model,
        settings,
        data,
        seed=seed,
        limit=limit,
        threads=threads,
        memory=memory,
        calibration=calibration,
    )
    made = spice_netlist(study, layer, index, sample=which, position=vector, trial=chip)
    if path is not None:
        write_atomically(path, made.text.encode())
    return made.text
