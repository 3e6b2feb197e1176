"""An array's circuit as SPICE text that ngspice runs as it is.

Nodes: `in<i>` behind the source of wordline i, `w<i>_<j>` and `b<i>_<j>` where device (i, j) sits on
its wordline and bitline, `out<j>` where bitline j enters its sense; `vout<j>` measures i_out. ngspice
reads a resistor of 0 ohm as 1 mohm, so nodes joined by 0 ohm get one name. Open devices and open ends
are left out. So are nodes without a path to a source or sense: their voltage is undetermined, and
ngspice's matrix would be singular.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from rxsim.circuit.lines import Lines
from rxsim.verify.laws import CellLaw, exact

_OPTIONS = ".options reltol=1e-12 abstol=1e-20 vntol=1e-18 gmin=1e-30 pivrel=1e-3 pivtol=1e-30"


@dataclass(frozen=True, slots=True)
class _Branch:
    """An element between two nodes; its resistance is infinite if open, 0 if it joins them.

    `law` is the text of a behavioural current with `{v}` for the branch's voltage, or None.
    """

    name: str
    a: str
    b: str
    ohm: float
    law: str | None = None


def array_netlist(
    g: np.ndarray,
    lines: Lines,
    v_in: np.ndarray,
    *,
    r_access: float = 0.0,
    law: CellLaw | None = None,
    comments: Iterable[str] = (),
) -> str:
    """Write a netlist that prints `i_out[j] = ...` of every column at one operating point.

    Args:
        g: device conductances, siemens, (n_rows, n_cols); 0 is an open device.
        lines: wires and ends.
        v_in: source voltages, volt, (n_rows,).
        r_access: in series with every cell, ohm.
        law: current-voltage curve of the cells; None for linear cells, i = g v.
        comments: lines of the header; the first is the title.
    """
    n_cols = g.shape[1]
    sources = [f"vin{i} in{i} 0 dc {float(v)!r}" for i, v in enumerate(v_in)]
    control = ["op", f"let i_out = vector({n_cols + 1})"]  # one more: a scalar has no index
    control += [f"let i_out[{j}] = i(vout{j})" for j in range(n_cols)]
    control += [f"print i_out[{j}]" for j in range(n_cols)]
    head = [f"* {line}".rstrip() for line in comments] or ["* resistive crossbar"]
    return _deck([*head, *sources, *_circuit(g, lines, r_access, law)], control)


def sweep_netlist(
    g: np.ndarray,
    lines: Lines,
    v_in: np.ndarray,
    *,
    r_access: float = 0.0,
    law: CellLaw | None = None,
) -> str:
    """Write a netlist that prints the currents of several input vectors: `c<j>[<vector>] = ...`.

    The sources follow a selector that is swept over 0, 1, ..: ngspice orders its matrix once for all
    vectors, where an `op` for each would order it anew (most of its time).

    Args:
        g: device conductances, siemens, (n_rows, n_cols); 0 is an open device.
        lines: wires and ends.
        v_in: source voltages, volt, (n_vectors, n_rows).
        r_access: in series with every cell, ohm.
        law: current-voltage curve of the cells; None for linear cells, i = g v.
    """
    points = v_in if len(v_in) > 1 else np.repeat(v_in, 2, axis=0)  # a sweep needs two
    sources = ["vsel sel 0 dc 0"]
    for i, volts in enumerate(points.T):
        value = exact(float(volts[-1]))
        for k in range(len(volts) - 2, -1, -1):
            value = f"(v(sel) < {k + 0.5} ? {exact(float(volts[k]))} : {value})"
        sources.append(f"bin{i} in{i} 0 v = {value}")
    control = [f"dc vsel 0 {len(points) - 1} 1"]
    control += [f"let c{j} = i(vout{j})" for j in range(g.shape[1])]
    control += [f"print c{j}[{k}]" for j in range(g.shape[1]) for k in range(len(v_in))]
    return _deck(["* rxsim verify", *sources, *_circuit(g, lines, r_access, law)], control)


def _deck(circuit: list[str], control: list[str]) -> str:
    body = [".control", "set numdgt=17", *control, "quit 0", ".endc", ".end"]
    return "\n".join([*circuit, _OPTIONS, *body, ""])


def _circuit(g: np.ndarray, lines: Lines, r_access: float, law: CellLaw | None) -> list[str]:
    """Write the circuit without its sources, an element per line."""
    n_rows, n_cols = g.shape
    names = _Names([f"in{i}" for i in range(n_rows)] + [f"out{j}" for j in range(n_cols)])
    branches = [
        branch
        for branch in (*_lines(lines, n_rows, n_cols), *_cells(g, r_access, law))
        if np.isfinite(branch.ohm)
    ]
    for branch in branches:
        if branch.ohm == 0:
            names.join(branch.a, branch.b)
    elements = [
        _Branch(branch.name, names.of(branch.a), names.of(branch.b), branch.ohm, branch.law)
        for branch in branches
        if branch.ohm > 0
    ]
    elements = [element for element in elements if element.a != element.b]
    alive = _reached(elements, names.fixed)
    written = [f"vout{j} out{j} 0 dc 0" for j in range(n_cols)]
    return written + [_element(element) for element in elements if element.a in alive]


def _lines(lines: Lines, n_rows: int, n_cols: int) -> Iterator[_Branch]:
    """Yield the wires and ends of all wordlines, then of all bitlines."""
    for i in range(n_rows):
        yield _Branch(f"rleft{i}", f"in{i}", f"w{i}_0", float(lines.left[i]))
        for j in range(n_cols - 1):
            yield _Branch(f"rw{i}_{j}", f"w{i}_{j}", f"w{i}_{j + 1}", lines.r_wire_wl)
        yield _Branch(f"rright{i}", f"w{i}_{n_cols - 1}", f"in{i}", float(lines.right[i]))
    for j in range(n_cols):
        yield _Branch(f"rtop{j}", f"b0_{j}", f"out{j}", float(lines.top[j]))
        for i in range(n_rows - 1):
            yield _Branch(f"rb{i}_{j}", f"b{i}_{j}", f"b{i + 1}_{j}", lines.r_wire_bl)
        yield _Branch(f"rbottom{j}", f"b{n_rows - 1}_{j}", f"out{j}", float(lines.bottom[j]))


def _cells(g: np.ndarray, r_access: float, law: CellLaw | None) -> Iterator[_Branch]:
    """Yield every device that is not open.

    A linear cell is a resistor that includes its access resistance. A non-linear cell has a separate
    access resistor, from its wordline to the node `a<i>_<j>`.
    """
    for i, j in zip(*np.nonzero(g), strict=True):
        wordline, bitline = f"w{i}_{j}", f"b{i}_{j}"
        siemens = float(g[i, j])
        if law is None:
            yield _Branch(f"rx{i}_{j}", wordline, bitline, 1 / siemens + r_access)
            continue
        yield _Branch(f"ra{i}_{j}", wordline, f"a{i}_{j}", r_access)
        yield _Branch(f"bx{i}_{j}", f"a{i}_{j}", bitline, 1.0, law(siemens, "{v}"))


def _element(branch: _Branch) -> str:
    if branch.law is None:
        return f"{branch.name} {branch.a} {branch.b} {branch.ohm!r}"
    expression = branch.law.replace("{v}", f"v({branch.a},{branch.b})")
    return f"{branch.name} {branch.a} {branch.b} i = {expression}"


class _Names:
    """Union-find of nodes joined by 0 ohm; a node of known voltage keeps its name.

    Attributes:
        fixed: the nodes of known voltage; no two of them are ever joined.
    """

    def __init__(self, fixed: list[str]) -> None:
        self.fixed = fixed
        self._known = set(fixed)
        self._parent: dict[str, str] = {}

    def of(self, node: str) -> str:
        """Return the common name of the nodes joined to a node."""
        root = node
        while root in self._parent:
            root = self._parent[root]
        while node != root:
            self._parent[node], node = root, self._parent[node]
        return root

    def join(self, a: str, b: str) -> None:
        """Join two nodes."""
        a, b = self.of(a), self.of(b)
        if a == b:
            return
        if b in self._known:
            a, b = b, a
        self._parent[b] = a


def _reached(elements: list[_Branch], fixed: list[str]) -> set[str]:
    """Find the nodes that are connected to a node of known voltage."""
    neighbours: dict[str, list[str]] = {}
    for element in elements:
        neighbours.setdefault(element.a, []).append(element.b)
        neighbours.setdefault(element.b, []).append(element.a)
    seen, waiting = set(fixed), list(fixed)
    while waiting:
        for node in neighbours.get(waiting.pop(), []):
            if node not in seen:
                seen.add(node)
                waiting.append(node)
    return seen
