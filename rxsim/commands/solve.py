"""`rxsim solve`."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import click
import numpy as np

from rxsim.circuit import solve_array
from rxsim.commands.options import FILE
from rxsim.config import V_READ, Crossbar
from rxsim.errors import DataError
from rxsim.files import check_destination, write_atomically
from rxsim.parallel import ordered
from rxsim.schema import validated

_DEFAULTS = Crossbar()


@click.command("solve")
@click.argument("conductances", type=FILE, metavar="G.npy")
@click.option("--r-wire-wl", default=_DEFAULTS.r_wire_wl, show_default=True, help="Ohm per cell.")
@click.option("--r-wire-bl", default=_DEFAULTS.r_wire_bl, show_default=True, help="Ohm per cell.")
@click.option("--r-driver", default=_DEFAULTS.r_driver, show_default=True, help="Ohm per row.")
@click.option("--r-sense", default=_DEFAULTS.r_sense, show_default=True, help="Ohm per column.")
@click.option("--r-access", default=_DEFAULTS.r_access, show_default=True, help="Ohm per cell.")
@click.option("--v-in", type=FILE, metavar="V.npy", help="Source voltages: one for each row.")
@click.option("-o", "--output", type=FILE, required=True, metavar="OUT.npz", help="The result.")
@click.option("--plot", type=FILE, metavar="FILE.png", help="IR drop and g_eff/g as heat maps.")
def command(
    conductances: Path, v_in: Path | None, output: Path, plot: Path | None, **resistances: float
) -> None:
    """Solve the circuit of one array of conductances (siemens; rows are wordlines).

    OUT.npz holds g_eff, and with --v-in also i_out and the node voltages v_wl and v_bl. --plot draws
    them, with every row at the default read voltage where no --v-in is given.
    """
    check_destination(output, (conductances, v_in, plot))
    if plot is not None:
        check_destination(plot, (conductances, v_in, output))
    g = _conductances(conductances)
    voltages = None if v_in is None else _voltages(v_in, len(g))
    driven = np.full(len(g), V_READ) if voltages is None and plot is not None else voltages
    values = {"rows": g.shape[0], "cols": g.shape[1], **resistances}
    crossbar = validated(Crossbar, values, "solve")
    (solution,) = ordered(lambda array: solve_array(array, crossbar, driven), [g], threads=1)
    names = ["g_eff"] if voltages is None else ["g_eff", "i_out", "v_wl", "v_bl"]
    buffer = io.BytesIO()
    np.savez(buffer, **{name: getattr(solution, name) for name in names})
    write_atomically(output, buffer.getvalue())
    if plot is not None and driven is not None:
        from rxsim.report.array_plot import plot_array  # matplotlib: only where it is wanted

        write_atomically(plot, plot_array(g, driven, solution))
    through = "all cells are open"
    if g.sum() > 0:
        through = f"sum(g_eff)/sum(g) = {solution.g_eff.sum() / g.sum():.6f}"
    sweeps = f" ({solution.sweeps} sweeps)" if solution.sweeps else ""
    click.echo(
        f"{output}: {', '.join(names)} of a {g.shape[0]}x{g.shape[1]} array by "
        f"{solution.method}{sweeps}, error below {solution.bound:.0e}; {through}"
    )


def _conductances(path: Path) -> np.ndarray:
    g = _read(path, 2)
    if g.size == 0 or g.min() < 0:
        found = "no cells" if g.size == 0 else f"a conductance of {g.min()} S"
        raise DataError(
            f"{path}: found {found}, expected conductances of 0 S (open) and above; clean the data"
        )
    return g


def _voltages(path: Path, n_rows: int) -> np.ndarray:
    voltages = _read(path, 1)
    if len(voltages) != n_rows:
        raise DataError(
            f"{path}: found {len(voltages)} voltages, expected one for each of {n_rows} rows; "
            "give as many"
        )
    return voltages


def _read(path: Path, axes: int) -> np.ndarray:
    """Read an npy file of finite real numbers."""
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
        raise DataError(f"{path}: found {kind}, expected {axes} axes of real numbers; reshape it")
    if not np.isfinite(array).all():
        raise DataError(f"{path} holds NaN or infinity, expected finite numbers; clean the data")
    return array.astype(np.float64)
