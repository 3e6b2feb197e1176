"""Crossbars solved by ngspice, in one process per array.

ngspice reads a resistor of 0 ohm as 1 mohm, so nodes joined by 0 ohm get one name. Devices of 0 S
and branches of infinite resistance are left out, and so are parts of the circuit that then have
no path to a source or to ground, as they would make ngspice's matrix singular. Currents are
measured by 0 V sources between the sense resistors and ground.
"""

import math
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .ends import Ends, chosen

_OPTIONS = ".options reltol=1e-12 abstol=1e-20 vntol=1e-18 gmin=1e-30 pivrel=1e-3 pivtol=1e-30"
_TIMEOUT_S = 300.0
_CURRENT = re.compile(r"^vm(\d+)#branch = (\S+)$", re.MULTILINE)
_DELIVERED = re.compile(r"^vs(\d+)#branch = (\S+)$", re.MULTILINE)

_Resistor = tuple[str, str, str, float]


def available() -> bool:
    """Return whether ngspice is installed."""
    return shutil.which("ngspice") is not None


def netlist(
    g: ArrayLike,
    r_wire_wl: float,
    r_wire_bl: float,
    r_driver: float,
    r_sense: float,
    v_in: ArrayLike,
    *,
    ends: Ends | None = None,
) -> str:
    """Return a netlist that prints the sensed currents at the given input voltages.

    Args:
        g: Device conductances in S, shape (n_rows, n_cols); 0 is an open device.
        r_wire_wl: Resistance between neighbouring wordline nodes in ohm.
        r_wire_bl: Resistance between neighbouring bitline nodes in ohm.
        r_driver: Resistance between each source and its wordline in ohm.
        r_sense: Resistance between each bitline and ground in ohm.
        v_in: Source voltages in V, shape (n_rows,).
        ends: What all lines have at both ends, in place of r_driver and r_sense.

    Returns:
        The netlist; source i is ``vs<i>`` and the current of column j that of ``vm<j>``.
    """
    g = np.asarray(g, dtype=np.float64)
    both = chosen(ends, g.shape, r_driver, r_sense)
    circuit = _circuit(g, r_wire_wl, r_wire_bl, both, np.asarray(v_in, np.float64))
    return _deck(circuit, ["op", *_prints(g.shape[1])])


def g_eff(
    g: ArrayLike,
    r_wire_wl: float,
    r_wire_bl: float,
    r_driver: float = 0.0,
    r_sense: float = 0.0,
    *,
    ends: Ends | None = None,
) -> NDArray[np.float64]:
    """Return the effective conductance matrix, one operating point per row in one process.

    Args:
        g: Device conductances in S, shape (n_rows, n_cols); 0 is an open device.
        r_wire_wl: Resistance between neighbouring wordline nodes in ohm.
        r_wire_bl: Resistance between neighbouring bitline nodes in ohm.
        r_driver: Resistance between each source and its wordline in ohm.
        r_sense: Resistance between each bitline and ground in ohm.
        ends: What all lines have at both ends, in place of r_driver and r_sense.

    Returns:
        Effective conductances in S, shape (n_rows, n_cols).

    Raises:
        RuntimeError: If ngspice fails or does not report every current.
    """
    g = np.asarray(g, dtype=np.float64)
    values = currents(sweep(g, r_wire_wl, r_wire_bl, r_driver, r_sense, ends=ends))
    if values.size != g.size:
        raise RuntimeError(f"ngspice reported {values.size} currents instead of {g.size}")
    return values.reshape(g.shape)


def sweep(
    g: ArrayLike,
    r_wire_wl: float,
    r_wire_bl: float,
    r_driver: float = 0.0,
    r_sense: float = 0.0,
    *,
    ends: Ends | None = None,
) -> str:
    """Return a netlist that prints the sensed currents for 1 V on each row in turn.

    The arguments are those of ``g_eff``.
    """
    g = np.asarray(g, dtype=np.float64)
    n_rows, n_cols = g.shape
    both = chosen(ends, g.shape, r_driver, r_sense)
    circuit = _circuit(g, r_wire_wl, r_wire_bl, both, np.zeros(n_rows))
    control = []
    for i in range(n_rows):
        control += [f"alter vs{i} dc = 1", "op", *_prints(n_cols), f"alter vs{i} dc = 0"]
        control.append("destroy all")
    return _deck(circuit, control)


def currents(deck: str) -> NDArray[np.float64]:
    """Run a netlist and return the sensed currents in the order it prints them.

    Args:
        deck: A netlist from ``netlist``.

    Returns:
        Currents in A, shape (n_cols,) for one operating point.

    Raises:
        RuntimeError: If ngspice fails or a current is missing.
    """
    output = _run(deck)
    found = _CURRENT.findall(output)
    asked = re.findall(r"^print vm(\d+)#branch$", deck, re.MULTILINE)
    if [j for j, _ in found] != asked:
        raise RuntimeError(f"ngspice did not report every current:\n{output[-2000:]}")
    return np.array([float(value) for _, value in found])


def source_currents(deck: str, n_rows: int) -> NDArray[np.float64]:
    """Run a netlist and return what its sources ``vs<i>`` deliver.

    Args:
        deck: A netlist of one operating point.
        n_rows: Number of sources.

    Returns:
        Currents in A, shape (n_rows,); ngspice counts what flows into a source as positive.
    """
    prints = [f"print vs{i}#branch" for i in range(n_rows)]
    output = _run(deck.replace("quit 0", "\n".join([*prints, "quit 0"])))
    found = {int(i): -float(value) for i, value in _DELIVERED.findall(output)}
    return np.array([found[i] for i in range(n_rows)])


def _circuit(
    g: NDArray[np.float64],
    r_wire_wl: float,
    r_wire_bl: float,
    ends: Ends,
    v_in: NDArray[np.float64],
) -> list[str]:
    """Return the element lines of a netlist."""
    n_rows, n_cols = g.shape
    if v_in.shape != (n_rows,):
        raise ValueError(f"v_in must have shape {(n_rows,)}, got {v_in.shape}")
    lines = [f"vs{i} s{i} 0 dc {float(v)!r}" for i, v in enumerate(v_in)]
    lines += [f"vm{j} m{j} 0 dc 0" for j in range(n_cols)]
    anchors = {f"s{i}" for i in range(n_rows)} | {f"m{j}" for j in range(n_cols)}
    resistors = _resistors(g, r_wire_wl, r_wire_bl, ends)
    connected = _reachable(resistors, anchors)
    lines += [f"{name} {a} {b} {r!r}" for name, a, b, r in resistors if a in connected]
    return lines


def _line(
    fixed: str, name: str, n_nodes: int, r_wire: float, ends: tuple[float, float]
) -> list[str]:
    """Return the names of a line's nodes; those joined by 0 ohm have one name."""
    shorted = [r == 0 for r in ends]
    if r_wire == 0:
        return [fixed if any(shorted) else name] * n_nodes
    names = [f"{name}_{k}" for k in range(n_nodes)]
    for place, short in zip((0, -1), shorted, strict=True):
        if short:
            names[place] = fixed
    return names


def _resistors(
    g: NDArray[np.float64], r_wire_wl: float, r_wire_bl: float, ends: Ends
) -> list[_Resistor]:
    """Return name, nodes and resistance in ohm of every branch that is neither 0 nor open."""
    branches: list[_Resistor] = []
    lines: dict[str, list[list[str]]] = {"w": [], "b": []}
    for kind, fixed, n_nodes, r_wire, first_ends, last_ends in (
        ("w", "s", g.shape[1], r_wire_wl, ends.left, ends.right),
        ("b", "m", g.shape[0], r_wire_bl, ends.top, ends.bottom),
    ):
        for k, (first, last) in enumerate(zip(first_ends, last_ends, strict=True)):
            end, name = f"{fixed}{k}", f"{kind}{k}"
            names = _line(end, name, n_nodes, r_wire, (first, last))
            lines[kind].append(names)
            branches.append((f"rf{name}", names[0], end, float(first)))
            branches.append((f"rl{name}", names[-1], end, float(last)))
            for m in range(n_nodes - 1):
                branches.append((f"r{name}_{m}", names[m], names[m + 1], float(r_wire)))
    for i, j in np.ndindex(*g.shape):
        if g[i, j] > 0:
            branches.append((f"rx{i}_{j}", lines["w"][i][j], lines["b"][j][i], 1 / float(g[i, j])))
    return [branch for branch in branches if 0 < branch[3] < math.inf and branch[1] != branch[2]]


def _reachable(resistors: list[_Resistor], anchors: set[str]) -> set[str]:
    """Return the nodes with a path through resistors to a node of known voltage."""
    neighbours: dict[str, list[str]] = {}
    for _, a, b, _ in resistors:
        neighbours.setdefault(a, []).append(b)
        neighbours.setdefault(b, []).append(a)
    seen, stack = set(anchors), list(anchors)
    while stack:
        for node in neighbours.get(stack.pop(), []):
            if node not in seen:
                seen.add(node)
                stack.append(node)
    return seen


def _prints(n_cols: int) -> list[str]:
    """Return the commands that print the sensed currents."""
    return [f"print vm{j}#branch" for j in range(n_cols)]


def _deck(circuit: list[str], control: list[str]) -> str:
    """Return a complete ngspice input file."""
    head = ["* resistive crossbar", *circuit, _OPTIONS]
    body = [".control", "set numdgt=17", *control, "quit 0", ".endc", ".end"]
    return "\n".join([*head, *body, ""])


def _run(deck: str) -> str:
    """Return what ngspice prints for an input file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "crossbar.cir"
        path.write_text(deck)
        done = subprocess.run(
            ["ngspice", "-n", "-b", str(path)],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            cwd=folder,
            check=False,
        )
    if done.returncode != 0 or "singular" in done.stderr.lower():
        raise RuntimeError(f"ngspice failed ({done.returncode}):\n{done.stderr[-2000:]}")
    return done.stdout
