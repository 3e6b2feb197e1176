"""LSTM, GRU and RNN in float64, step by step as ONNX defines them; the products are the caller's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Multiply = Callable[[str, Floats], Floats]
"""From the name of a product (`input`, `recurrent`, `recurrent_h`) and its input to its result."""

Function = Callable[[Floats], Floats]

FUNCTIONS: dict[str, Callable[[Floats, float, float], Floats]] = {
    "Relu": lambda x, a, b: np.maximum(x, 0),
    "Tanh": lambda x, a, b: np.tanh(x),
    "Sigmoid": lambda x, a, b: 1 / (1 + np.exp(-x)),
    "Affine": lambda x, a, b: a * x + b,
    "LeakyRelu": lambda x, a, b: np.where(x >= 0, x, a * x),
    "ThresholdedRelu": lambda x, a, b: np.where(x >= a, x, 0),
    "ScaledTanh": lambda x, a, b: a * np.tanh(b * x),
    "HardSigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "Elu": lambda x, a, b: np.where(x >= 0, x, a * np.expm1(np.minimum(x, 0))),
    "Softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "Softplus": lambda x, a, b: np.log1p(np.exp(x)),
}
HAS_ALPHA = ("Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu")
HAS_BETA = ("Affine", "ScaledTanh", "HardSigmoid")
USUAL = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}


@dataclass
class Cell:
    """A direction of a node: its products, bias, peepholes, bound, functions and attributes."""

    multiply: Multiply
    bias: Floats
    peepholes: Floats
    clip: float
    functions: list[Function]
    attributes: Mapping[str, Any]

    def clipped(self, x: Floats) -> Floats:
        """Bound what goes into a function."""
        return np.clip(x, -self.clip, self.clip)


def recurrent(
    op: str,
    tensors: Mapping[str, NDArray[Any]],
    attributes: Mapping[str, Any],
    products: Callable[[str, Mapping[str, Floats]], Multiply] | None = None,
) -> tuple[Floats, Floats, Floats]:
    """Return Y, Y_h and Y_c of a node, time first.

    Args:
        op: LSTM, GRU or RNN.
        tensors: its inputs by their names in ONNX, time first.
        attributes: its attributes; every alpha and beta that an activation takes is given.
        products: for a direction (forward or reverse) and its exact matrices, what multiplies.
    """
    given = {name: np.asarray(value, np.float64) for name, value in tensors.items()}
    way = attributes.get("direction", "forward")
    ways = ("forward", "reverse") if way == "bidirectional" else (way,)
    functions = _functions(op, attributes, len(ways))
    parts = [
        _along(op, given, place, reverse == "reverse", attributes, functions[place], products)
        for place, reverse in enumerate(ways)
    ]
    sequence, hidden, cell = zip(*parts, strict=True)
    return np.stack(sequence, axis=1), np.stack(hidden), np.stack(cell)


def _functions(op: str, attributes: Mapping[str, Any], directions: int) -> list[list[Function]]:
    names = attributes.get("activations", USUAL[op] * directions)
    alphas, betas = (iter(attributes.get(f"activation_{n}", ())) for n in ("alpha", "beta"))
    made: list[Function] = []
    for name in names:
        alpha = next(alphas) if name in HAS_ALPHA else 0.0
        beta = next(betas) if name in HAS_BETA else 0.0
        made.append(partial(_call, FUNCTIONS[name], alpha, beta))
    count = len(USUAL[op])
    return [made[place * count : (place + 1) * count] for place in range(directions)]


def _call(
    function: Callable[[Floats, float, float], Floats], alpha: float, beta: float, x: Floats
) -> Floats:
    return function(x, alpha, beta)


def exact(_direction: str, matrices: Mapping[str, Floats]) -> Multiply:
    """Multiply by the matrices as they are."""
    return lambda name, x: x @ matrices[name]


def matrices_of(
    op: str, weight: Floats, recurrent_weight: Floats, attributes: Mapping[str, Any]
) -> dict[str, Floats]:
    """Return the matrices (rows, columns) of a direction by the names of their products."""
    hidden = recurrent_weight.shape[1]
    if op == "GRU" and not attributes.get("linear_before_reset", 0):
        both = {
            "recurrent": recurrent_weight[: 2 * hidden].T,
            "recurrent_h": recurrent_weight[2 * hidden :].T,
        }
        return {"input": weight.T, **both}
    return {"input": weight.T, "recurrent": recurrent_weight.T}


def _along(
    op: str,
    given: Mapping[str, Floats],
    place: int,
    reverse: bool,
    attributes: Mapping[str, Any],
    functions: list[Function],
    products: Callable[[str, Mapping[str, Floats]], Multiply] | None,
) -> tuple[Floats, Floats, Floats]:
    x, weight, recurrent_weight = given["X"], given["W"][place], given["R"][place]
    steps, batch, hidden = len(x), x.shape[1], recurrent_weight.shape[1]
    matrices = matrices_of(op, weight, recurrent_weight, attributes)
    multiply = (products or exact)("reverse" if reverse else "forward", matrices)
    bias = given["B"][place] if "B" in given else np.zeros(2 * len(weight))
    peepholes = given["P"][place].reshape(3, hidden) if "P" in given else np.zeros((3, hidden))
    zero = np.zeros((batch, hidden))
    h = given["initial_h"][place].copy() if "initial_h" in given else zero.copy()
    c = given["initial_c"][place].copy() if "initial_c" in given else zero.copy()
    lengths = given["sequence_lens"] if "sequence_lens" in given else np.full(batch, steps)
    clip = attributes.get("clip", np.inf)
    step = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}[op]
    cell = Cell(multiply, bias, peepholes, clip, functions, attributes)
    driven = multiply("input", x)
    sequence = np.zeros((steps, batch, hidden))
    for t in range(steps - 1, -1, -1) if reverse else range(steps):
        new_h, new_c = step(cell, driven[t], h, c)
        within = (t < lengths)[:, None]
        h, c = np.where(within, new_h, h), np.where(within, new_c, c)
        sequence[t] = np.where(within, h, 0)
    some = (lengths > 0)[:, None]
    return sequence, np.where(some, h, 0), np.where(some, c, 0)


def _lstm(cell: Cell, x: Floats, h: Floats, c: Floats) -> tuple[Floats, Floats]:
    f, g, out = cell.functions
    total = x + cell.multiply("recurrent", h) + sum(np.split(cell.bias, 2))
    i, o, forget, new = np.split(total, 4, axis=-1)
    i = f(cell.clipped(i + cell.peepholes[0] * c))
    if cell.attributes.get("input_forget", 0):
        forget = 1 - i
    else:
        forget = f(cell.clipped(forget + cell.peepholes[2] * c))
    c = forget * c + i * g(cell.clipped(new))
    return f(cell.clipped(o + cell.peepholes[1] * c)) * out(c), c


def _gru(cell: Cell, x: Floats, h: Floats, c: Floats) -> tuple[Floats, Floats]:
    f, g = cell.functions
    size = h.shape[-1]
    wz, wr, wh, rz, rr, rh = np.split(cell.bias, 6)
    xz, xr, xh = np.split(x, 3, axis=-1)
    product = cell.multiply("recurrent", h)
    z = f(cell.clipped(xz + product[:, :size] + wz + rz))
    r = f(cell.clipped(xr + product[:, size : 2 * size] + wr + rr))
    if cell.attributes.get("linear_before_reset", 0):
        inner = r * (product[:, 2 * size :] + rh)
    else:
        inner = cell.multiply("recurrent_h", r * h) + rh
    return (1 - z) * g(cell.clipped(xh + inner + wh)) + z * h, c


def _rnn(cell: Cell, x: Floats, h: Floats, c: Floats) -> tuple[Floats, Floats]:
    total = x + cell.multiply("recurrent", h) + sum(np.split(cell.bias, 2))
    return cell.functions[0](cell.clipped(total)), c
