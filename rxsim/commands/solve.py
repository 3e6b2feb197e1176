"""`rxsim solve`."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import click
import numpy as np

from rxsim.circuit import solve_array
from rxsim.commands.options import FILE
from rxsim.config import Crossbar
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
def command(conductances: Path, v_in: Path | None, output: Path, **resistances: float) -> None:
    """Solve the circuit of one array of conductances (siemens; rows are wordlines).

    OUT.npz holds g_eff, and with --v-in also i_out and the node voltages v_wl and v_bl.
    """
    check_destination(output, (conductances, v_in))
    g = _read(conductances, 2)
    if g.size == 0 or g.min() < 0:
        raise DataError(
            f"{conductances}: found {'no cells' if g.size == 0 else f'a conductance of {g.min()} S'}"
            ", expected conductances of 0 S (open) and above; clean the data"
        )
    voltages = None if v_in is None else _read(v_in, 1)
    if voltages is not None and len(voltages) != len(g):
        raise DataError(
            f"{v_in}: found {len(voltages)} voltages, expected one for each of {len(g)} rows; "
            "give as many"
        )
    values = {"rows": g.shape[0], "cols": g.shape[1], **resistances}
    crossbar = validated(Crossbar, values, "solve")
    (solution,) = ordered(lambda array: solve_array(array, crossbar, voltages), [g], threads=1)
    found = {
        name: value
        for name in ("g_eff", "i_out", "v_wl", "v_bl")
        if (value := getattr(solution, name)) is not None
    }
    buffer = io.BytesIO()
    np.savez(buffer, **found)
    write_atomically(output, buffer.getvalue())
    through = "all cells are open"
    if g.sum() > 0:
        through = f"sum(g_eff)/sum(g) = {solution.g_eff.sum() / g.sum():.6f}"
    click.echo(f"{output}: {', '.join(found)} of a {g.shape[0]}x{g.shape[1]} array; {through}")


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
