"""Compare the currents of an array by rxsim with those of an independent reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.circuit.lines import Lines
from rxsim.errors import CircuitError, InputError
from rxsim.verify.ngspice import ngspice_currents, ngspice_installed

TOLERANCE = 1e-9
"""Allowed difference of a current, relative to the largest current of its array and vector."""
REFERENCES = ("auto", "ngspice", "sparse")
# ngspice takes some 5 s for a 64x64 array and over a minute for a 128x128 one.
_LARGEST_FOR_NGSPICE = 64


@dataclass(frozen=True, slots=True, eq=False)
class Circuit:
    """A programmed array of linear cells and its input vectors.

    Attributes:
        g: device conductances, siemens, (n_rows, n_cols).
        lines: wires and ends.
        r_access: in series with every cell, ohm.
        v_in: source voltages, volt, (n_vectors, n_rows).
    """

    g: np.ndarray
    lines: Lines
    r_access: float
    v_in: np.ndarray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ArrayCheck:
    """The errors of an array's currents against a reference.

    Attributes:
        layer: the layer's name.
        array: the array's index in it.
        reference: the first reference, ngspice or sparse.
        errors: |difference| of every current over its vector's largest, (n_vectors, n_cols).
        refined: the same errors against the refined sparse solve, where ngspice failed or differs from
            rxsim by more than the tolerance; these errors decide then.
        idle: number of vectors that are 0 on all rows of the array: all their currents are 0.
        note: why ngspice failed, or empty.
    """

    layer: str
    array: int
    reference: str
    errors: np.ndarray
    refined: np.ndarray | None
    idle: int
    note: str = ""

    @property
    def decisive(self) -> np.ndarray:
        """The deciding errors: refined where there are any, (n_vectors, n_cols)."""
        return self.errors if self.refined is None else self.refined

    @property
    def worst(self) -> float:
        """The largest deciding error."""
        return float(self.decisive.max(initial=0.0))


def reference_for(wanted: str, shape: tuple[int, ...]) -> str:
    """Choose the reference: ngspice where it is installed and the array is at most 64x64.

    Raises:
        InputError: ngspice is asked for and is not installed, or there is no such reference.
    """
    if wanted not in REFERENCES:
        raise InputError(
            f"reference: found {wanted!r}, expected one of {', '.join(REFERENCES)}; choose one"
        )
    if wanted == "ngspice" and not ngspice_installed():
        raise InputError(
            "reference: found ngspice, but there is no program ngspice on the PATH; install it "
            "(Debian: apt install ngspice) or use --reference sparse"
        )
    if wanted != "auto":
        return wanted
    small = max(shape) <= _LARGEST_FOR_NGSPICE
    return "ngspice" if small and ngspice_installed() else "sparse"


def check_array(
    layer: str,
    array: int,
    circuit: Circuit,
    i_out: np.ndarray,
    columns: np.ndarray,
    *,
    reference: str,
    tolerance: float,
) -> ArrayCheck:
    """Compare the currents of an array.

    Args:
        layer: the layer's name.
        array: the array's index.
        circuit: the array and its vectors.
        i_out: rxsim's currents of some columns, ampere, (n_vectors, n_columns).
        columns: numbers of these columns.
        reference: ngspice or sparse.
        tolerance: where errors against ngspice are larger, the sparse reference is asked too.

    Raises:
        CircuitError: the sparse reference does not settle.
    """
    # Its scipy.sparse takes a tenth of the time of all imports: for checks alone.
    from rxsim.verify.sparse_direct import sparse_currents

    idle = int((circuit.v_in == 0).all(axis=1).sum())
    solved = (circuit.g, circuit.lines, circuit.v_in, circuit.r_access)
    note = ""
    if reference == "ngspice":
        try:
            errors = current_errors(i_out, ngspice_currents(*solved)[:, columns])
        except CircuitError as error:
            note, errors = str(error), np.full(i_out.shape, np.inf)
        if errors.max(initial=0.0) <= tolerance:
            return ArrayCheck(
                layer=layer,
                array=array,
                reference=reference,
                errors=errors,
                refined=None,
                idle=idle,
            )
        refined = current_errors(i_out, sparse_currents(*solved)[:, columns])
        return ArrayCheck(
            layer=layer,
            array=array,
            reference=reference,
            errors=errors,
            refined=refined,
            idle=idle,
            note=note,
        )
    errors = current_errors(i_out, sparse_currents(*solved)[:, columns])
    return ArrayCheck(
        layer=layer, array=array, reference=reference, errors=errors, refined=None, idle=idle
    )


def current_errors(i_out: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return |i_out - reference| over the largest |reference| of each vector's columns.

    The error is infinite where a current is not a number, or not 0 while the whole reference is 0.

    Args:
        i_out: ampere, (n_vectors, n_cols).
        reference: ampere, (n_vectors, n_cols).
    """
    largest = np.abs(reference).max(axis=1, keepdims=True, initial=0.0)
    difference = np.abs(i_out - reference)
    errors = np.full(difference.shape, np.inf)
    np.divide(difference, largest, out=errors, where=(largest > 0) & np.isfinite(difference))
    errors[difference == 0] = 0.0
    return errors
