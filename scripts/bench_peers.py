"""The peers that `bench_circuit.py` times: g_eff by scipy's SuperLU, badcrossbar 1.1.0 and ngspice."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import platform
import re
import subprocess
from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from rxsim.circuit.lines import lines_of
from rxsim.config import Crossbar
from rxsim.verify.ngspice import ngspice_currents, ngspice_installed

Work = Callable[[], np.ndarray]


def superlu(g: np.ndarray, bar: Crossbar) -> np.ndarray:
    """g_eff by nodal analysis: wordline nodes first, then bitline nodes; all resistances above 0."""
    n_rows, n_cols = g.shape
    wl = np.arange(g.size).reshape(g.shape)
    bl = wl + g.size
    pairs = [
        (wl, bl, g),
        (wl[:, :-1], wl[:, 1:], np.full((n_rows, n_cols - 1), 1 / bar.r_wire_wl)),
        (bl[:-1], bl[1:], np.full((n_rows - 1, n_cols), 1 / bar.r_wire_bl)),
    ]
    a, b, c = (np.concatenate([part[k].ravel() for part in pairs]) for k in range(3))
    ends = np.concatenate([wl[:, 0], bl[-1]])
    to_fixed = np.repeat([1 / bar.r_driver, 1 / bar.r_sense], [n_rows, n_cols])
    row = np.concatenate([a, b, a, b, ends])
    col = np.concatenate([a, b, b, a, ends])
    matrix = sp.csc_matrix((np.concatenate([c, c, -c, -c, to_fixed]), (row, col)))
    factor = splu(
        matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    drive = np.zeros((2 * g.size, n_rows))
    drive[wl[:, 0], np.arange(n_rows)] = 1 / bar.r_driver
    return np.asarray(factor.solve(drive)[bl[-1]].T / bar.r_sense)


def of_superlu(g: np.ndarray, bar: Crossbar) -> tuple[Work, Crossbar]:
    """Return what to time, and the crossbar whose g_eff it finds."""
    return (lambda: superlu(g, bar)), bar


def of_badcrossbar(g: np.ndarray, bar: Crossbar) -> tuple[Work, Crossbar] | None:
    """Let badcrossbar drive all wordlines in turn; its ends are one wire resistance each.

    Returns:
        What to time, and the crossbar whose g_eff it finds; None where it is not installed.
    """
    if importlib.util.find_spec("badcrossbar") is None:
        return None
    import badcrossbar

    logging.getLogger("badcrossbar").setLevel(logging.ERROR)
    drive, ohms = np.eye(len(g)), 1 / g
    wires = {"r_i_word_line": bar.r_wire_wl, "r_i_bit_line": bar.r_wire_bl}

    def work() -> np.ndarray:
        found = badcrossbar.compute(drive, ohms, node_voltages=False, all_currents=False, **wires)
        return np.asarray(found.currents.output)

    ends = {"r_driver": bar.r_wire_wl, "r_sense": bar.r_wire_bl}
    return work, bar.model_copy(update=ends)


def of_ngspice(g: np.ndarray, bar: Crossbar) -> tuple[Work, Crossbar] | None:
    """Sweep over the drivers (.dc orders the matrix once; an .op for each takes five times more).

    Returns:
        What to time, and the crossbar whose g_eff it finds; None where it is not installed.
    """
    if not ngspice_installed():
        return None
    lines = lines_of(bar, *g.shape)
    return (lambda: ngspice_currents(g, lines, np.eye(len(g)))), bar


def machine() -> str:
    """Name the processor."""
    try:
        listed = subprocess.run(["lscpu"], capture_output=True, text=True, check=True).stdout
        found = re.search(r"^Model name:\s*(.+)$", listed, re.MULTILINE)
        return found.group(1) if found else platform.machine()
    except (OSError, subprocess.CalledProcessError):
        return platform.machine()


def versions() -> str:
    """Name the versions of everything that is timed."""
    found = [f"Python {platform.python_version()}"]
    for package in ("rxsim", "numpy", "scipy", "numba", "badcrossbar"):
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} -")
    if ngspice_installed():
        said = subprocess.run(["ngspice", "--version"], capture_output=True, text=True, check=False)
        number = re.search(r"ngspice-(\S+)", said.stdout)
        found.append(f"ngspice {number.group(1) if number else '?'}")
    else:
        found.append("ngspice -")
    return ", ".join(found)
