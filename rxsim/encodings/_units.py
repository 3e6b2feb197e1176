"""The units of a pass: a part of each code, or a digit of a part; in numpy and as graph nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

FLOAT = 1
"""float32 in ONNX's numbering of types: describing nodes needs no more of ONNX than this."""


class Graph(Protocol):
    """A graph that takes the nodes of a patched network, such as `rxsim.onnx_graph.GraphBuilder`."""

    def add(self, op: str, inputs: list[str], part: str, **attributes: Any) -> str:
        """Add a node of one output and return the output's name."""

    def scalar(self, part: str, value: float, /) -> str:
        """Add a float32 constant without axes and return its name."""

    def constant(self, part: str, value: np.ndarray, /) -> str:
        """Add a constant and return its name."""


class Units(Protocol):
    """The part of each code that a pass drives, in whole units (shares of x_max without a DAC)."""

    @property
    def signed(self) -> bool:
        """Whether units of both signs occur."""

    @property
    def rest(self) -> int:
        """Units that an input of 0 drives."""

    @property
    def words(self) -> tuple[str, ...]:
        """Its name in words; empty for the whole code."""

    def of(self, codes: np.ndarray) -> np.ndarray:
        """Return the units of given codes, float64, those that an input of 0 drives included.

        Args:
            codes: whole numbers as float64, of any shape (of the input tensor's for random pulses).
        """

    def largest(self, code: int | None) -> int | None:
        """Return the largest unit.

        Args:
            code: the largest code; None without a DAC.
        """

    def add(self, graph: Graph, codes: str, *, less_rest: bool) -> str:
        """Add nodes that turn the tensor of codes into units, all exact in float32.

        Args:
            graph: takes the nodes.
            codes: name of the tensor of codes.
            less_rest: leave out the units that an input of 0 drives.

        Returns:
            The name of the tensor of units.
        """


Kind = Literal["whole", "positive", "negative", "sign", "low", "shifted"]
_WORDS: dict[Kind, str] = {
    "positive": "positive inputs",
    "negative": "negative inputs",
    "sign": "sign bit",
    "low": "two's complement",
    "shifted": "input with its offset",
    "whole": "",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a code q.

    Attributes:
        kind: whole: q; positive: max(q, 0); negative: max(-q, 0); sign: 1 where q < 0; low: q + offset
            where q < 0, else q (the low bits of its two's complement); shifted: q + offset.
        offset: in codes.
        signed: whether both signs occur.
    """

    kind: Kind
    offset: int = 0
    signed: bool = False

    @property
    def rest(self) -> int:
        """Units that an input of 0 drives."""
        return self.offset if self.kind == "shifted" else 0

    @property
    def words(self) -> tuple[str, ...]:
        """Its name in words."""
        return (_WORDS[self.kind],) if _WORDS[self.kind] else ()

    def of(self, codes: np.ndarray) -> np.ndarray:
        """Return the units of given codes (see `Units.of`)."""
        if self.kind == "whole":
            return codes
        if self.kind == "positive":
            return np.asarray(np.maximum(codes, 0))
        if self.kind == "negative":
            return np.asarray(np.maximum(-codes, 0))
        if self.kind == "sign":
            return (codes < 0) * 1.0
        if self.kind == "low":
            return np.asarray(codes + self.offset * (codes < 0))
        return np.asarray(codes + self.offset)

    def largest(self, code: int | None) -> int | None:
        """Return the largest unit (see `Units.largest`)."""
        if self.kind == "sign":
            return 1
        return 2 * self.offset - 1 if self.kind == "shifted" else code

    def add(self, graph: Graph, codes: str, *, less_rest: bool) -> str:
        """Add the nodes (see `Units.add`)."""
        if self.kind == "whole" or (self.kind == "shifted" and less_rest):
            return codes  # shifted by the offset, less the offset
        if self.kind == "positive":
            return graph.add("Relu", [codes], "positive")
        if self.kind == "negative":
            return graph.add("Relu", [graph.add("Neg", [codes], "negated")], "negative")
        offset = graph.scalar("offset", self.offset)
        if self.kind == "shifted":
            return graph.add("Add", [codes, offset], "shifted")
        below = graph.add("Less", [codes, graph.scalar("zero", 0)], "below_zero")
        sign = graph.add("Cast", [below], "sign", to=FLOAT)
        if self.kind == "sign":
            return sign
        return graph.add("Add", [codes, graph.add("Mul", [sign, offset], "lift")], "low_bits")


@dataclass(frozen=True, slots=True)
class Digit:
    """One digit of a part's magnitude, with the part's sign.

    Attributes:
        part: the part.
        first: the digit's least significant bit.
        bits: how many bits it has.
    """

    part: Part
    first: int
    bits: int

    @property
    def signed(self) -> bool:
        """Whether units of both signs occur."""
        return self.part.signed

    @property
    def rest(self) -> int:
        """Units that an input of 0 drives."""
        return int((self.part.rest >> self.first) % 2**self.bits)

    @property
    def words(self) -> tuple[str, ...]:
        """Its name in words."""
        last = self.first + self.bits - 1
        bits = f"bit {last}" if self.bits == 1 else f"bits {self.first} to {last}"
        return (*self.part.words, bits)

    def of(self, codes: np.ndarray) -> np.ndarray:
        """Return the units of given codes (see `Units.of`)."""
        values = self.part.of(codes)
        digit = np.floor(np.abs(values) / 2.0**self.first) % 2.0**self.bits
        return np.asarray(digit * np.sign(values))

    def largest(self, code: int | None) -> int | None:
        """Return the largest unit (see `Units.largest`)."""
        del code
        return int(2**self.bits) - 1

    def add(self, graph: Graph, codes: str, *, less_rest: bool) -> str:
        """Add the nodes (see `Units.add`)."""
        value, name = self.part.add(graph, codes, less_rest=False), f"digit_{self.first}"
        size = graph.add("Abs", [value], f"{name}_size") if self.signed else value
        shift = graph.scalar(f"{name}_shift", 2.0**-self.first)
        low = graph.add("Mul", [size, shift], f"{name}_shifted")
        low = graph.add("Floor", [low], f"{name}_floor")
        # From the code itself, as the next digit has it: runtimes then compute it once for both.
        above = graph.scalar(f"{name}_next", 2.0 ** -(self.first + self.bits))
        high = graph.add("Mul", [size, above], f"{name}_above")
        high = graph.add("Floor", [high], f"{name}_above_floor")
        base = graph.scalar(f"{name}_base", 2.0**self.bits)
        high = graph.add("Mul", [high, base], f"{name}_rest")
        digit = graph.add("Sub", [low, high], name)
        if self.signed:
            sign = graph.add("Sign", [value], f"{name}_sign")
            digit = graph.add("Mul", [digit, sign], f"{name}_signed")
        if less_rest and self.rest:
            rest = graph.scalar(f"{name}_zero", self.rest)
            digit = graph.add("Sub", [digit, rest], f"{name}_less_zero")
        return digit
