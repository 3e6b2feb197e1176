"""Effects of cells, against which several remedies help."""

from __future__ import annotations

CELL_ERRORS = frozenset({"levels", "write_error", "variation", "drift", "read_noise"})
"""Errors that count in shares of the conductance range."""

FAULTY_CELLS = CELL_ERRORS | {"faults", "nonlinearity", "wires"}
"""All that makes a cell something else than its target."""
