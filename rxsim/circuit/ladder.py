"""What several kernels share: the folding of a resistor ladder, and the ends of a line.

A line whose cells lead to 0 V on their other side is a ladder: wires in series, cells to ground.
Folding it up from one end gives at every node the conductance of all that lies behind it. Nothing is
ever subtracted, so that a resistance of 0, an open end and an open cell are ordinary values.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from rxsim.circuit.jit import inner

SIDE_BY_SIDE = 8
"""Wordlines walked together: one walk alone waits at each node for its own last division."""


@inner
def fold(t, r):
    """Put a conductance behind a resistance.

    Args:
        t: conductance from a node to ground, all behind it included, siemens; infinite: shorted.
        r: resistance from the next node to this one, ohm; infinite: open.

    Returns:
        The attenuation f = 1/(1 + r t), of a voltage on its way to the node and of a current on its way
        back; the node's impedance to ground and the next node held at 0 V, z = r f, ohm; and the
        conductance that the next node sees, t f, siemens.
    """
    if r == np.inf:
        return 0.0, 1.0 / t, 0.0
    if t == np.inf:
        return (1.0 if r == 0.0 else 0.0), 0.0, 1.0 / r
    f = 1.0 / (1.0 + r * t)
    return f, r * f, t * f


@inner
def joined_ends(near, far, r_wire, n):
    """Return the ends of a line in ohm; without any wire between them both are one, at the near end.

    Args:
        near: from the line's first node to its source or sense, ohm; infinite: open.
        far: from its last node, ohm.
        r_wire: between neighbouring nodes, ohm.
        n: nodes of the line.
    """
    if (r_wire > 0.0 and n > 1) or far == np.inf:
        return near, far
    if near == np.inf:
        return far, np.inf
    total = near + far
    return (near * (far / total) if total > 0.0 else 0.0), np.inf


@inner
def number_places(wanted, places):
    """Give each of n lines its place in `wanted`, or -1 if it is not there; `places` is (n,)."""
    places[:] = -1
    for place in range(wanted.shape[0]):
        places[wanted[place]] = place


@inner
def copy_to(target, source):
    """Copy a row.

    numba takes a second and more to compile `target[:] = source`, for the words of its error messages.
    """
    for m in range(target.shape[0]):
        target[m] = source[m]
