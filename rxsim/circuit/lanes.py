"""16 numbers side by side in one LLVM vector: what the relaxation's innermost loops are made of.

LLVM proves too little about plain loops over slices to keep 16 values in registers. A vector lives
within a kernel only; in memory it is 16 neighbouring elements of a contiguous float64 array.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic as _numba_intrinsic
from numba.extending import models, register_model
from numba.np.arrayobj import make_array

from rxsim.circuit.jit import FASTMATH

LANES = 16
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_FLAGS = tuple(sorted(FASTMATH))
intrinsic: Any = _numba_intrinsic  # its stub asks callers for the typing context too


class _LanesType(types.Type):
    """16 float64 in one LLVM vector."""

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
def element(_context, array, offset):
    """One element of a contiguous array, by its place in memory."""

    def build(context, builder, signature, args):
        return builder.load(_address(context, builder, signature.args[0], *args))

    return types.float64(array, types.intp), build


@intrinsic
def load(_context, array, block):
    """16 elements of a contiguous array, from 16 block on."""

    def build(context, builder, signature, args):
        offset = builder.mul(args[1], ir.Constant(args[1].type, LANES))
        address = _address(context, builder, signature.args[0], args[0], offset)
        return builder.load(builder.bitcast(address, _VECTOR.as_pointer()), align=8)

    return _lanes(array, types.intp), build


@intrinsic
def store(_context, array, block, lanes):
    """Put 16 elements into a contiguous array, from 16 block on."""

    def build(context, builder, signature, args):
        offset = builder.mul(args[1], ir.Constant(args[1].type, LANES))
        address = _address(context, builder, signature.args[0], args[0], offset)
        builder.store(args[2], builder.bitcast(address, _VECTOR.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, _lanes), build


@intrinsic
def combine(_context, a, x, b, y):
    """A x + b y with scalars a and b."""

    def build(_context, builder, _signature, args):
        a, x, b, y = args
        left = builder.fmul(_spread(builder, a), x, flags=_FLAGS)
        return builder.fadd(left, builder.fmul(_spread(builder, b), y, flags=_FLAGS), flags=_FLAGS)

    return _lanes(types.float64, _lanes, types.float64, _lanes), build


@intrinsic
def add(_context, a, x, y):
    """A x + y with a scalar a."""

    def build(_context, builder, _signature, args):
        a, x, y = args
        return builder.fadd(builder.fmul(_spread(builder, a), x, flags=_FLAGS), y, flags=_FLAGS)

    return _lanes(types.float64, _lanes, _lanes), build


@intrinsic
def zeros(_context):
    """16 zeros."""

    def build(_context, _builder, _signature, _args):
        return ir.Constant(_VECTOR, [0.0] * LANES)

    return _lanes(), build
