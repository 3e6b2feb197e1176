"""`rxsim solve`."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from rxsim.circuit import solve_array, solve_cells
from rxsim.circuit.coarse import lumped
from rxsim.circuit.cropping import cropped
from rxsim.circuit.expense import solve_bytes, solve_seconds
from rxsim.circuit.lines import lines_of
from rxsim.commands.arguments import FILE, progress_options
from rxsim.commands.predistorted_array import (
    CELLS,
    Wanted,
    check_options,
    predistort_options,
    targets_of,
)
from rxsim.commands.progress import watched
from rxsim.compensate.predistortion import ScaleBy
from rxsim.config import Crossbar, Settings, load_settings
from rxsim.counted import counted
from rxsim.errors import DataError, SettingError
from rxsim.files import check_destination, parse_yaml, write_atomically
from rxsim.given import refuse_impossible
from rxsim.memory import require
from rxsim.parallel import ordered
from rxsim.pipeline.chip.room import LONG_SECONDS, duration
from rxsim.schema import validated
from rxsim.stages import Stages

_CELLS = tuple(f"{name}." for name in CELLS)
_RESISTANCES = {
    "r_wire_wl": "Ohm per cell of a wordline",
    "r_wire_bl": "Ohm per cell of a bitline",
    "r_driver": "Ohm per row",
    "r_sense": "Ohm per column",
    "r_access": "Ohm in series with each cell",
}


def _resistance_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for name, what in reversed(_RESISTANCES.items()):
        what += f"; instead of --set crossbar.{name}=.. [default: {getattr(Crossbar(), name):g}]"
        function = click.option(f"--{name.replace('_', '-')}", type=float, help=what)(function)
    return function


@click.command("solve")
@click.argument("conductances", type=FILE, metavar="G.npy")
@_resistance_options
@click.option("--v-in", type=FILE, metavar="V.npy", help="Source voltages: one for each row.")
@click.option("--config", type=FILE, metavar="FILE", help="Settings file (YAML).")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="One setting: crossbar.*, device.iv.*, input.v_read; may be repeated.",
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    metavar="OUT.npz",
    help="The result; may be left out with --predistort.",
)
@click.option("--plot", type=FILE, metavar="FILE.png", help="IR drop and g_eff/g as heat maps.")
@predistort_options
@progress_options
def command(
    conductances: Path,
    v_in: Path | None,
    config: Path | None,
    assignments: tuple[str, ...],
    output: Path | None,
    plot: Path | None,
    predistort: bool,
    scale: ScaleBy,
    headroom: float,
    shift: bool,
    verbose: bool,
    quiet: bool,
    **resistances: float | None,
) -> None:
    """Solve the circuit of one array of conductances (siemens; rows are wordlines).

    OUT.npz holds g_eff, and with --v-in also i_out and the node voltages v_wl and v_bl. --plot draws
    them, with every row at the read voltage where no --v-in is given. Non-linear cells (device.iv) have
    no g_eff and no plot: they are solved for --v-in, or for every row at the read voltage. What a
    settings file says of other things than the circuit of one array is left out of account; --set
    takes nothing else.

    --predistort first searches for other targets, within device.g_off and device.g_on, whose g_eff is
    nearest to G.npy, and reports how near. Write errors and variation of the settings (device.model,
    write_sigma, verify, d2d_sigma) count: they hold the gain near 1, and the error of programmed chips
    is told beside that of the targets. Everything else is then told of these targets, and OUT.npz holds
    them as g, with the gain and the shift that they hold.
    """
    check_options(click.get_current_context(), predistort=predistort)
    _check_files(conductances, v_in, config, output, plot, predistort=predistort)
    settings = load_settings(config, assignments=assignments)
    given = {name: value for name, value in resistances.items() if value is not None}
    _check_assigned(assignments, given, predistort=predistort)
    g = _conductances(conductances)
    values = {**settings.crossbar.model_dump(), **given, "rows": g.shape[0], "cols": g.shape[1]}
    crossbar = validated(Crossbar, values, "solve")
    voltages = None if v_in is None else _voltages(v_in, len(g))
    linear = settings.device.iv.form == "linear"
    needed = solve_bytes(g.size, nodes=not linear)
    require(needed, f"{conductances}: an array of {g.shape[0]}x{g.shape[1]}")
    held: dict[str, np.ndarray] = {}
    with watched(quiet=quiet, verbose=verbose) as watcher:
        stages = Stages(watcher)
        if predistort:
            with stages("predistort"):
                wanted = Wanted(g, str(conductances), crossbar, settings)
                g, held, told = targets_of(wanted, scale, headroom, shift=shift)
            click.echo(told)
        if output is None:
            return
        if linear:
            with_nodes = voltages is not None or plot is not None
            _announce(g, crossbar, stages, with_nodes=with_nodes)
            with stages("solve") as progress:
                v_read = settings.input.v_read
                arrays, said = _linear(g, crossbar, voltages, plot, v_read, progress)
        else:
            with stages("solve"):
                arrays, said = _nonlinear(g, crossbar, voltages, plot, settings)
    buffer = io.BytesIO()
    np.savez(buffer, **{**arrays, **held})
    write_atomically(output, buffer.getvalue())
    click.echo(
        f"{output}: {', '.join([*arrays, *held])} of a {g.shape[0]}x{g.shape[1]} array by {said}"
    )


def _check_files(
    conductances: Path,
    v_in: Path | None,
    config: Path | None,
    output: Path | None,
    plot: Path | None,
    *,
    predistort: bool,
) -> None:
    """Refuse to write over what is read, and to keep nothing of what is asked for."""
    if output is None and (plot is not None or not predistort):
        context = click.get_current_context()
        (option,) = (each for each in context.command.params if each.name == "output")
        raise click.MissingParameter(ctx=context, param=option)
    if output is not None:
        check_destination(output, (conductances, v_in, config, plot))
    if plot is not None:
        _check_picture(plot)
        check_destination(plot, (conductances, v_in, config, output))


def _check_picture(plot: Path) -> None:
    """Refuse a name that would hide what is in the file."""
    if plot.suffix.lower() not in (".png", ".pdf", ".svg"):
        ending = f"the ending {plot.suffix}" if plot.suffix else "no ending"
        raise SettingError(f"--plot {plot}: found {ending}, expected .png, .pdf or .svg; rename it")


def _check_assigned(
    assignments: Iterable[str], given: Mapping[str, float], *, predistort: bool
) -> None:
    """Refuse settings that a single array has no use for, or that options give too.

    Args:
        assignments: of --set, known to be valid.
        given: resistances given by options, by name.
        predistort: whether the range of the cells and their write errors count.

    Raises:
        SettingError: naming the setting.
    """
    for assignment in assignments:
        start, _, text = assignment.partition("=")
        for name in _names(start.strip(), parse_yaml(text, f"--set {start.strip()}")):
            section, _, key = name.partition(".")
            if name in ("crossbar.rows", "crossbar.cols"):
                raise SettingError(
                    f"--set {name}: found a size, but the array's size is that of its conductances, "
                    "expected none; leave it out"
                )
            if section == "crossbar" and key in given:
                option = f"--{key.replace('_', '-')}"
                raise SettingError(
                    f"found both {option} and --set {name}, expected one of them; leave one out"
                )
            known = section == "crossbar" or name == "input.v_read"
            known = known or (predistort and f"{name}.".startswith(_CELLS))
            if not known and not f"{name}.".startswith("device.iv."):
                raise SettingError(
                    f"--set {name}: found a setting that one array has no use for, expected "
                    "crossbar.*, device.iv.* or input.v_read; leave it out"
                )


def _names(start: str, value: Any) -> Iterator[str]:
    """Yield the dotted names that an assignment sets, those of a whole section too."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from _names(f"{start}.{name}", below)
    else:
        yield start


def _announce(g: np.ndarray, crossbar: Crossbar, stages: Stages, *, with_nodes: bool) -> None:
    """Say how long it will take, where that is long."""
    left = cropped(g, lines_of(crossbar, *g.shape), *(np.arange(n) for n in g.shape)).g
    n_rows, n_cols = left.shape
    shape = n_rows, n_cols
    seconds = solve_seconds(lumped(left), shape, crossbar, n_rows, n_cols, nodes=with_nodes)
    if seconds > LONG_SECONDS:
        stages.tell(f"solve: about {duration(seconds)}, by a rough estimate")


def _linear(
    g: np.ndarray,
    crossbar: Crossbar,
    voltages: np.ndarray | None,
    plot: Path | None,
    v_read: float,
    progress: Callable[[int, int], None],
) -> tuple[dict[str, Any], str]:
    """Solve linear cells; return the arrays to write and the text to print."""
    driven = np.full(len(g), v_read) if voltages is None and plot is not None else voltages
    (solution,) = ordered(
        lambda array: solve_array(array, crossbar, driven, progress=progress), [g], threads=1
    )
    if plot is not None and driven is not None:
        from rxsim.report.array_plot import plot_array  # matplotlib: only where it is wanted

        kind = plot.suffix.lower().removeprefix(".")
        write_atomically(plot, plot_array(g, driven, solution, kind))
    through = "all cells are open"
    if g.sum() > 0:
        through = f"sum(g_eff)/sum(g) = {solution.g_eff.sum() / g.sum():.6f}"
    sweeps = f" ({counted(solution.sweeps, 'sweep')})" if solution.sweeps else ""
    names = ["g_eff"] if voltages is None else ["g_eff", "i_out", "v_wl", "v_bl"]
    arrays = {name: getattr(solution, name) for name in names}
    return arrays, f"{solution.method}{sweeps}, error below {solution.bound:.0e}; {through}"


def _nonlinear(
    g: np.ndarray,
    crossbar: Crossbar,
    voltages: np.ndarray | None,
    plot: Path | None,
    settings: Settings,
) -> tuple[dict[str, Any], str]:
    """Solve non-linear cells for an input; return the arrays to write and the text to print."""
    if plot is not None:
        raise SettingError(
            f"found --plot with device.iv.form: {settings.device.iv.form}, expected linear cells: "
            "non-linear ones have no g_eff to draw; leave out --plot"
        )
    v_read = settings.input.v_read
    iv = settings.device.iv
    (solution,) = ordered(
        lambda array: solve_cells(array, crossbar, iv, v_read, voltages), [g], threads=1
    )
    names = ("i_out", "v_wl", "v_bl", "device_currents")
    arrays = {name: getattr(solution, name)[0] for name in names}
    steps, bound = int(solution.iterations[0]), float(solution.bound[0])
    at = f"every row at {v_read:g} V" if voltages is None else "the given voltages"
    return arrays, f"Newton's method ({counted(steps, 'step')}) at {at}, error below {bound:.0e} A"


def _conductances(path: Path) -> np.ndarray:
    g = _read(path, 2)
    if g.size == 0:
        raise DataError(
            f"{path}: found no cells, expected conductances of 0 S (open) and above; clean the data"
        )
    refuse_impossible(g, str(path), "conductance", "S", least=0)
    return g


def _voltages(path: Path, n_rows: int) -> np.ndarray:
    voltages = _read(path, 1)
    refuse_impossible(voltages, str(path), "voltage", "V", least=None)
    if len(voltages) != n_rows:
        raise DataError(
            f"{path}: found {counted(len(voltages), 'voltage')}, expected one for each of "
            f"{counted(n_rows, 'row')}; "
            "give as many"
        )
    return voltages


def _read(path: Path, axes: int) -> np.ndarray:
    """Read an npy file of real numbers."""
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise DataError(
            f"{path} can't be read: {error.strerror or 'it is not an npy file'}; check the path"
        ) from None
    except (ValueError, EOFError, zipfile.BadZipFile):
        raise DataError(
            f"{path} is not an npy file of plain numbers (pickled data are never loaded), expected "
            "one written by numpy.save"
        ) from None
    if not isinstance(array, np.ndarray) or array.ndim != axes or array.dtype.kind not in "fiu":
        kind = (
            f"shape {list(array.shape)}, {array.dtype}" if hasattr(array, "shape") else "an archive"
        )
        raise DataError(
            f"{path}: found {kind}, expected {counted(axes, 'axis', 'axes')} of real numbers; "
            "reshape it"
        )
    return array.astype(np.float64)
