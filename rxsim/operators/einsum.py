"""Einsum with a constant operand that is a matrix product; any other is counted.

It becomes a MatMul, or a 1x1 Conv in groups where a letter stands in both operands and in the result.
With more than two operands, constants are multiplied out where that takes no more weights than they
have; of a constant and several activations, the constant is multiplied by one of them first.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from rxsim.onnx_graph import Rewriting, Shape, attributes, values_of
from rxsim.operators import Constants, Operator
from rxsim.operators._contraction import Letters, contraction, why_no_contraction
from rxsim.operators._shared import why_not_weights
from rxsim.operators._without_products import WithoutProducts


@dataclass(frozen=True, slots=True)
class Equation:
    """An equation without dots: a letter for every axis.

    Attributes:
        operands: letters of each operand.
        result: letters of the result.
    """

    operands: tuple[str, ...]
    result: str

    @staticmethod
    def of(node: onnx.NodeProto, ranks: Sequence[int | None]) -> Equation | None:
        """Read a node's equation; None where it can't be: damaged, or dots over unknown axes.

        Args:
            node: the node.
            ranks: of its operands; None where they are not known.
        """
        given = attributes(node).get("equation", b"")
        text = given.decode("utf-8", "replace").replace(" ", "")
        left, arrow, right = text.partition("->")
        terms = left.split(",")
        if len(terms) != len(ranks):
            return None
        plain = left + right
        spare = [letter for letter in string.ascii_letters if letter not in plain]
        operands, dots = [], ""
        for term, rank in zip(terms, ranks, strict=True):
            before, dotted, after = term.partition("...")
            axes = ""
            if dotted:
                count = -1 if rank is None else rank - len(before) - len(after)
                if not 0 <= count <= len(spare):
                    return None
                axes = "".join(spare[:count][::-1])  # the last axes of all operands are the same
                dots = max(dots, axes, key=len)
            operands.append(before + axes + after)
        if arrow:
            result = right.replace("...", dots)
        else:
            once = sorted({letter for letter in left.replace(",", "") if left.count(letter) == 1})
            result = dots + "".join(letter for letter in once if letter != ".")
        letters = "".join(operands)
        if not (letters + result).isalpha() and letters + result:
            return None
        if not set(result) <= set(letters) or not set(dots) <= set(result):
            return None
        if any(
            rank is not None and rank != len(term)
            for term, rank in zip(operands, ranks, strict=True)
        ):
            return None
        return Equation(tuple(operands), result)


class Einsum(WithoutProducts):
    """Sums of products over named axes."""

    op_types = (("", "Einsum"),)

    def normalised(self, node: onnx.NodeProto, graph: Rewriting) -> list[onnx.NodeProto]:
        """Turn a product of an activation and a constant into a MatMul or a Conv in groups."""
        ranks = [_rank(graph.shape(name)) for name in node.input]
        equation = Equation.of(node, ranks)
        if equation is None or len(node.input) < 2:
            return [node]
        constant = [name in graph.constants for name in node.input]
        activations = constant.count(False)
        if activations == 0 or activations == len(node.input):
            return [node]
        if any(
            why_not_weights(graph.constants[name]) for name in node.input if name in graph.constants
        ):
            return [node]
        if len(node.input) == 2:
            return _product(node, graph, equation) or [node]
        if activations == 1:
            return _constants_multiplied(node, graph, equation) or [node]
        if constant.count(True) == 1:
            return _constant_first(node, graph, equation) or [node]
        return [node]

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Tell what is left: no constant, no sum over it, or axes that are not known."""
        if len(node.input) < 2:
            return "its single operand is multiplied by nothing"
        held = [constants[name] for name in node.input if name in constants]
        if not held:
            words = "two" if len(node.input) == 2 else "several"
            return f"product of {words} activations"
        if len(held) == len(node.input):
            return "all of its operands are constant"
        problem = next((why for why in map(why_not_weights, held) if why), "")
        if problem:
            return problem
        if len(node.input) > 2:
            return (
                "a product of more than two operands that is not exactly one of an activation and a "
                "constant first"
            )
        ranks = [len(constants[name].dims) if name in constants else None for name in node.input]
        equation = Equation.of(node, ranks)
        if equation is None:
            return "its equation can't be read, or the rank of its input is not known"
        place = 0 if node.input[1] in constants else 1
        letters = Letters(equation.operands[place], equation.operands[1 - place], equation.result)
        problem = why_no_contraction(letters)
        return problem or "the shape of its input is not known, or does not fit its constant"

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Multiply the lengths of all letters, and by the products in a term.

        With one operand nothing is multiplied. With more than two it is the plain sum over all letters
        at once, as numpy computes it without `optimize`: a term has a product less than operands.
        """
        given = [shapes.get(name) for name in node.input]
        equation = Equation.of(node, [_rank(shape) for shape in given])
        if len(given) == 1:
            return 0
        if equation is None:
            return None
        lengths: dict[str, int] = {}
        for letters, shape in zip(equation.operands, given, strict=True):
            if shape is None:
                return None
            for letter, length in zip(letters, shape, strict=True):
                if length is None:
                    return None
                lengths[letter] = max(lengths.get(letter, 1), length)
        return math.prod(lengths.values()) * (len(given) - 1)


def _rank(shape: Shape | None) -> int | None:
    return None if shape is None else len(shape)


def _product(
    node: onnx.NodeProto, graph: Rewriting, equation: Equation
) -> list[onnx.NodeProto] | None:
    """Write the product of an activation and a constant."""
    place = 0 if node.input[1] in graph.constants else 1
    letters = Letters(equation.operands[place], equation.operands[1 - place], equation.result)
    if why_no_contraction(letters):
        return None
    stored = values_of(graph.constants[node.input[1 - place]])
    return contraction(graph, node, node.input[place], stored, letters)


def _constants_multiplied(
    node: onnx.NodeProto, graph: Rewriting, equation: Equation
) -> list[onnx.NodeProto] | None:
    """Multiply several constants by each other, where the product is no larger than they are."""
    held = [place for place, name in enumerate(node.input) if name in graph.constants]
    (free,) = (place for place in range(len(node.input)) if place not in held)
    data, result = equation.operands[free], equation.result
    terms = [equation.operands[place] for place in held]
    kept = "".join(letter for letter in dict.fromkeys("".join(terms)) if letter in data + result)
    values = [values_of(graph.constants[node.input[place]]) for place in held]
    lengths = _common_lengths(terms, values)
    if lengths is None:
        return None
    size = math.prod(lengths[letter] for letter in kept)
    if size > sum(value.size for value in values):
        return None
    wide = [value.astype(np.float64) for value in values]
    merged = np.einsum(f"{','.join(terms)}->{kept}", *wide, optimize=True)
    letters = Letters(data, kept, result)
    if why_no_contraction(letters):
        return None
    stored = np.asarray(merged, dtype=values[0].dtype)
    return contraction(graph, node, node.input[free], stored, letters)


def _common_lengths(terms: Sequence[str], values: Sequence[np.ndarray]) -> dict[str, int] | None:
    """Return the length of each letter; None where operands contradict each other."""
    lengths: dict[str, int] = {}
    for term, value in zip(terms, values, strict=True):
        for letter, length in zip(term, value.shape, strict=True):
            if lengths.setdefault(letter, length) != length:
                return None
    return lengths


def _constant_first(
    node: onnx.NodeProto, graph: Rewriting, equation: Equation
) -> list[onnx.NodeProto] | None:
    """Multiply the constant by the activation that it shares most sums with, then by the others.

    What is summed over first stands in no other operand, nor in the result: the two steps are exact.
    """
    (held,) = (place for place, name in enumerate(node.input) if name in graph.constants)
    weight = equation.operands[held]
    places = [place for place in range(len(node.input)) if place != held]

    def kept_of(place: int) -> str:
        others = [equation.operands[other] for other in places if other != place]
        outside = set(equation.result).union(*others)
        letters = dict.fromkeys(equation.operands[place] + weight)
        return "".join(letter for letter in letters if letter in outside)

    def summed(place: int) -> int:
        return len(set(weight) & set(equation.operands[place]) - set(kept_of(place)))

    place = max(places, key=summed)
    kept = kept_of(place)
    others = [other for other in places if other != place]
    first, shape = node.input[place], graph.shape(node.input[place])
    if why_no_contraction(Letters(equation.operands[place], weight, kept)) or shape is None:
        return None
    constant = graph.constants[node.input[held]]
    lengths: dict[str, int | None] = dict(zip(weight, constant.dims, strict=True))
    lengths |= dict(zip(equation.operands[place], shape, strict=True))
    if any(lengths[letter] == 1 for letter in weight):  # may spread over the other operand's
        return None
    inner = graph.name(f"{node.name}.first")
    graph.note(inner, constant.data_type, tuple(lengths[letter] for letter in kept))
    step = onnx.helper.make_node(
        "Einsum",
        [first, node.input[held]],
        [inner],
        node.name,
        equation=f"{equation.operands[place]},{weight}->{kept}",
    )
    terms = [kept, *(equation.operands[other] for other in others)]
    rest = onnx.helper.make_node(
        "Einsum",
        [inner, *(node.input[other] for other in others)],
        list(node.output),
        graph.name(f"{node.name}.rest"),
        equation=f"{','.join(terms)}->{equation.result}",
    )
    return [step, rest]


OPERATOR: Operator = Einsum()
