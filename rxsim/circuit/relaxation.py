"""Exact solution of a mild array by line relaxation.

With the bitlines' voltages held, every wordline is a ladder that is solved in one walk to one end and
back; then every bitline with the wordlines held; and so on. Walks use the factors of `line_factors`
and sums of positive terms only. Starting from bitlines at 0 V, voltages rise to the solution;
`plan_sweeps` tells beforehand how many sweeps are enough.

16 wanted wordlines are driven side by side, innermost in memory. A sweep reads and writes the array
once: bitlines are folded up from top to bottom and from bottom to top in turns, and while one sweep's
bitline voltages are handed back along the rows, each row's wordline is solved at once and folded into
the next sweep. (Two ladders meet in a row: a bitline's voltages u, then the wordline's currents c from
right to left, its voltages x from left to right, then the bitlines' currents y of the next sweep.)

The 16 lanes are one LLVM vector: LLVM proves too little about plain loops over slices to keep them in
registers. numba does not see a change in a kernel that is imported from another file, so everything
that `relax` calls stands here.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic as _numba_intrinsic
from numba.extending import models, register_model
from numba.np.arrayobj import make_array

from rxsim.circuit.factors import (
    F_DOWN,
    F_UP,
    F_WL,
    G_SENSED,
    V_DRIVEN,
    Z_DOWN,
    Z_UP,
    Z_WL,
)

_jit = numba.njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"}
)
intrinsic: Any = _numba_intrinsic  # its stub asks callers for the typing context too
LANES = 16
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_FLAGS = ("contract", "reassoc", "nsz")


class _LanesType(types.Type):
    """16 float64 in one LLVM vector; lives within a kernel only."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


_lanes = _LanesType()


def _address(context: Any, builder: Any, kind: Any, array: Any, offset: Any) -> Any:
    """Point to an element of a contiguous array."""
    make: Any = make_array
    return builder.gep(make(kind)(context, builder, array).data, [offset])


def _spread(builder: Any, scalar: Any) -> Any:
    """Copy a scalar to all lanes."""
    zero = ir.Constant(ir.IntType(32), 0)
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, scalar, zero)
    mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, undefined, mask)


@intrinsic
def _at(_context, array, offset):  # type: ignore[no-untyped-def]
    """One element of a contiguous array, by its place in memory."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.load(_address(context, builder, signature.args[0], *args))

    return types.float64(array, types.intp), build


@intrinsic
def _load(_context, array, block):  # type: ignore[no-untyped-def]
    """16 elements of a contiguous array, from 16 block on."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        offset = builder.mul(args[1], ir.Constant(args[1].type, LANES))
        address = _address(context, builder, signature.args[0], args[0], offset)
        return builder.load(builder.bitcast(address, _VECTOR.as_pointer()), align=8)

    return _lanes(array, types.intp), build


@intrinsic
def _store(_context, array, block, lanes):  # type: ignore[no-untyped-def]
    """Put 16 elements into a contiguous array, from 16 block on."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        offset = builder.mul(args[1], ir.Constant(args[1].type, LANES))
        address = _address(context, builder, signature.args[0], args[0], offset)
        builder.store(args[2], builder.bitcast(address, _VECTOR.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, _lanes), build


@intrinsic
def _combine(_context, a, x, b, y):  # type: ignore[no-untyped-def]
    """A x + b y with scalars a and b."""

    def build(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        a, x, b, y = args
        left = builder.fmul(_spread(builder, a), x, flags=_FLAGS)
        return builder.fadd(left, builder.fmul(_spread(builder, b), y, flags=_FLAGS), flags=_FLAGS)

    return _lanes(types.float64, _lanes, types.float64, _lanes), build


@intrinsic
def _add(_context, a, x, y):  # type: ignore[no-untyped-def]
    """A x + y with a scalar a."""

    def build(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        a, x, y = args
        return builder.fadd(builder.fmul(_spread(builder, a), x, flags=_FLAGS), y, flags=_FLAGS)

    return _lanes(types.float64, _lanes, _lanes), build


@intrinsic
def _zeros(_context):  # type: ignore[no-untyped-def]
    """16 zeros."""

    def build(_context, _builder, _signature, _args):  # type: ignore[no-untyped-def]
        return ir.Constant(_VECTOR, [0.0] * LANES)

    return _lanes(), build


@_jit
def _wordline_currents(i, g, f_wl, f_bl, z_bl, y, u, c):  # type: ignore[no-untyped-def]
    """Bitline voltages u of the row next to row i become those of row i, and its currents c."""
    n = g.shape[1]
    arriving, f = _zeros(), 0.0
    for j in range(n - 1, -1, -1):
        k = i * n + j
        v = _combine(_at(z_bl, k), _load(y, k), _at(f_bl, k), _load(u, j))
        _store(u, j, v)
        arriving = _combine(_at(g, k), v, f, arriving)
        _store(c, j, arriving)
        f = _at(f_wl, k)


@_jit
def _fold_into_next(i, before, g, f_wl, z_wl, f_bl, c, y):  # type: ignore[no-untyped-def]
    """Wordline voltages of row i, and what they add to the bitlines' currents y from row `before`."""
    n = g.shape[1]
    x = _zeros()
    for j in range(n):
        k, k_before = i * n + j, before * n + j
        x = _combine(_at(z_wl, k), _load(c, j), _at(f_wl, k), x)
        _store(y, k, _combine(_at(g, k), x, _at(f_bl, k_before), _load(y, k_before)))


@_jit
def _fold_first(i, g, f_wl, z_wl, c, y):  # type: ignore[no-untyped-def]
    """The same for the row that a sweep begins with."""
    n = g.shape[1]
    x = _zeros()
    for j in range(n):
        k = i * n + j
        x = _combine(_at(z_wl, k), _load(c, j), _at(f_wl, k), x)
        _store(y, k, _add(_at(g, k), x, _zeros()))


@_jit
def _fold_out(i, weights, f_wl, z_wl, c, out):  # type: ignore[no-untyped-def]
    """Wordline voltages of row i, and what they add to the sensed currents."""
    n = weights.shape[1]
    x = _zeros()
    for j in range(n):
        k = i * n + j
        x = _combine(_at(z_wl, k), _load(c, j), _at(f_wl, k), x)
        _store(out, j, _add(_at(weights, k), x, _load(out, j)))


@_jit
def _start(i, lane, g, v_driven, f_bl, up, y):  # type: ignore[no-untyped-def]
    """Fold up the bitlines with the driven wordlines at their voltages, all others at 0 V."""
    n_rows, n = g.shape
    y[:] = 0.0
    step = -1 if up else 1
    before = -1
    while 0 <= i < n_rows:
        if before >= 0:
            for j in range(n):
                k = before * n + j
                _store(y, i * n + j, _add(_at(f_bl, k), _load(y, k), _zeros()))
        if lane[i] >= 0:
            for j in range(n):
                y[(i * n + j) * LANES + lane[i]] += g[i, j] * v_driven[i, j]
        before = i
        i += step


@_jit
def _drive(i, lane, weights, v_driven, to, at):  # type: ignore[no-untyped-def]
    """Add what a driven wordline's own voltages give to row `at` of some currents."""
    n = weights.shape[1]
    if lane[i] >= 0:
        for j in range(n):
            to[(at * n + j) * LANES + lane[i]] += weights[i, j] * v_driven[i, j]


@_jit
def _sweep(up, last_one, lane, g, factors, y, u, c, out):  # type: ignore[no-untyped-def]
    """One sweep; the bitlines come folded upwards (`up`) or downwards."""
    n_rows = g.shape[0]
    f_wl, z_wl = factors[F_WL], factors[Z_WL]
    v_driven, sensed = factors[V_DRIVEN], factors[G_SENSED]
    f_bl, z_bl = (factors[F_UP], factors[Z_UP]) if up else (factors[F_DOWN], factors[Z_DOWN])
    f_next = factors[F_DOWN] if up else factors[F_UP]
    u[:] = 0.0
    for count in range(n_rows):
        i = count if up else n_rows - 1 - count
        before = i - 1 if up else i + 1
        _wordline_currents(i, g, f_wl, f_bl, z_bl, y, u, c)
        if last_one:
            _fold_out(i, sensed, f_wl, z_wl, c, out)
            _drive(i, lane, sensed, v_driven, out, 0)
        else:
            if count == 0:
                _fold_first(i, g, f_wl, z_wl, c, y)
            else:
                _fold_into_next(i, before, g, f_wl, z_wl, f_next, c, y)
            _drive(i, lane, g, v_driven, y, i)


@_jit
def relax(g, factors, rows, cols, sweeps, y):  # type: ignore[no-untyped-def]
    """Relax an array in a number of sweeps (see `plan_sweeps`).

    Args:
        g: conductances, siemens, float64 (n_rows, n_cols).
        factors: those of `line_factors`.
        rows: int64, wanted wordlines.
        cols: int64, wanted bitlines.
        sweeps: how many; 0 gives what wordlines in front of bitlines at 0 V give.
        y: to work in, float64 (n_rows n_cols LANES,), contiguous.

    Returns:
        g_eff between the wanted wordlines and bitlines, siemens, float64 (wanted rows, wanted cols).
    """
    n_rows, n_cols = g.shape
    v_driven, sensed = factors[V_DRIVEN], factors[G_SENSED]
    result = np.empty((rows.shape[0], cols.shape[0]))
    u, c, out = (np.empty(n_cols * LANES), np.empty(n_cols * LANES), np.empty(n_cols * LANES))
    lane = np.full(n_rows, -1)
    for first in range(0, rows.shape[0], LANES):
        driven = rows[first : first + LANES]
        lane[:] = -1
        for place in range(driven.shape[0]):
            lane[driven[place]] = place
        out[:] = 0.0
        if sweeps == 0:
            for place in range(driven.shape[0]):
                _drive(driven[place], lane, sensed, v_driven, out, 0)
        else:
            # The first fold goes to the nearer side: behind the driven rows all is at 0 V.
            low, high = driven.min(), driven.max()
            up = low + high < n_rows
            f_bl = factors[F_UP] if up else factors[F_DOWN]
            _start(high if up else low, lane, g, v_driven, f_bl, up, y)
            for sweep in range(sweeps):
                _sweep(up, sweep == sweeps - 1, lane, g, factors, y, u, c, out)
                up = not up
        for place in range(driven.shape[0]):
            for at in range(cols.shape[0]):
                result[first + place, at] = out[cols[at] * LANES + place]
    return result
