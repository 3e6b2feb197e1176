"""The layers of published transformers, in operators of ONNX's set 17; see published_shapes.py.

Sources of the shapes:
- bert-base: Devlin et al., NAACL 2019, section 3 (12 layers, hidden 768, 12 heads, inner 3072) and the
  vocabulary of the uncased release (30,522 words, 512 positions, 2 segments); with its pooler.
- tinyllama: Zhang et al., arXiv 2401.02385, table 2: 22 layers, hidden 2048, 32 heads of which groups
  of 8 share a key and a value head, inner 5632, 32,000 words; embedding and output are not shared.

A sequence has 128 tokens. Rotary tables and the causal mask are computed numbers, not parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto
from shape_builder import FIXED, ShapeBuilder

TOKENS = 128
# Source: both papers' releases: epsilon of the normalisations, and the base of the rotary angles.
BERT_EPSILON, RMS_EPSILON, ROTARY_BASE = 1e-12, 1e-5, 10_000.0
# Assumption: stands for minus infinity before a softmax, and float32 holds sums with it.
MASKED = -1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """The lengths of a transformer.

    Attributes:
        layers: how many.
        hidden: length of a token's vector.
        heads: of queries.
        shared: heads of keys and values.
        inner: length between the two products behind the attention.
        words: of the vocabulary.
        positions: for which there are vectors; 0: positions turn queries and keys.
        tokens: of a sequence.
    """

    layers: int
    hidden: int
    heads: int
    shared: int
    inner: int
    words: int
    positions: int = 0
    tokens: int = TOKENS

    @property
    def per_head(self) -> int:
        """Length of a head's vectors."""
        return self.hidden // self.heads


BERT_BASE = Transformer(
    layers=12, hidden=768, heads=12, shared=12, inner=3072, words=30_522, positions=512
)
TINYLLAMA = Transformer(layers=22, hidden=2048, heads=32, shared=4, inner=5632, words=32_000)


def encoder(to: ShapeBuilder, of: Transformer) -> None:
    """Write an encoder with normalisations behind each part, and the pooler on its first token."""
    x = _embedded(to, of)
    for name, rows, used in (("position", of.positions, range(of.tokens)), ("segment", 2, [0])):
        table = to.normal(f"{name}.table", [rows, of.hidden], 0.02)
        indices = to.constant(f"{name}.indices", np.asarray(used, dtype=np.int64))
        x = to.add("Add", [x, to.add("Gather", [table, indices], name)], f"{name}.added")
    x = _layer_norm(to, x, "embedded.norm", of.hidden)
    for layer in range(1, of.layers + 1):
        name = f"layer{layer}"
        y = _attention(to, x, f"{name}.attention", of, bias=True)
        x = to.add("Add", [x, y], f"{name}.attended")
        x = _layer_norm(to, x, f"{name}.attention.norm", of.hidden)
        y = _gelu(to, _linear(to, x, f"{name}.wide", (of.hidden, of.inner)), f"{name}.gelu")
        y = _linear(to, y, f"{name}.narrow", (of.inner, of.hidden))
        x = _layer_norm(to, to.add("Add", [x, y], f"{name}.sum"), f"{name}.norm", of.hidden)
    first = to.constant("first", np.asarray(0, dtype=np.int64))
    x = to.add("Gather", [x, first], "first.token", axis=1)
    x = to.add("Tanh", [_linear(to, x, "pooler", (of.hidden, of.hidden))], "pooled")
    to.output(x, of.hidden)


def decoder(to: ShapeBuilder, of: Transformer) -> None:
    """Write a decoder with normalisations before each part, and its product over the words."""
    x = _embedded(to, of)
    for layer in range(1, of.layers + 1):
        name = f"layer{layer}"
        y = _rms_norm(to, x, f"{name}.attention.norm", of.hidden)
        x = to.add("Add", [x, _attention(to, y, f"{name}.attention", of)], f"{name}.attended")
        y = _rms_norm(to, x, f"{name}.norm", of.hidden)
        gate = to.product(y, f"{name}.gate", of.hidden, of.inner)
        gate = to.add("Mul", [gate, to.add("Sigmoid", [gate], f"{name}.sigmoid")], f"{name}.silu")
        y = to.add("Mul", [gate, to.product(y, f"{name}.up", of.hidden, of.inner)], f"{name}.gated")
        x = to.add("Add", [x, to.product(y, f"{name}.down", of.inner, of.hidden)], f"{name}.sum")
    x = _rms_norm(to, x, "norm", of.hidden)
    to.output(to.product(x, "words", of.hidden, of.words), of.tokens, of.words)


def _embedded(to: ShapeBuilder, of: Transformer) -> str:
    words = to.normal("words.table", [of.words, of.hidden], 0.02)
    tokens = to.input("tokens", of.tokens, kind=TensorProto.INT64)
    return to.add("Gather", [words, tokens], "embedded")


def _linear(
    to: ShapeBuilder, x: str, name: str, ends: tuple[int, int], *, bias: bool = True
) -> str:
    x = to.product(x, name, *ends)
    return to.add("Add", [x, to.bias(f"{name}.bias", ends[1])], f"{name}.biased") if bias else x


def _layer_norm(to: ShapeBuilder, x: str, name: str, length: int) -> str:
    inputs = [
        x,
        to.normal(f"{name}.scale", [length], 0.1, 1.0),
        to.normal(f"{name}.shift", [length], 0.1),
    ]
    return to.add("LayerNormalization", inputs, name, axis=-1, epsilon=BERT_EPSILON)


def _rms_norm(to: ShapeBuilder, x: str, name: str, length: int) -> str:
    """Divide by the root of the mean square."""
    mean = to.add("Mul", [x, x], f"{name}.squares")
    mean = to.add("ReduceMean", [mean], f"{name}.mean", axes=[-1])
    mean = to.add("Add", [mean, _number(to, f"{name}.epsilon", RMS_EPSILON)], f"{name}.positive")
    x = to.add("Div", [x, to.add("Sqrt", [mean], f"{name}.root")], f"{name}.divided")
    return to.add("Mul", [x, to.normal(f"{name}.scale", [length], 0.1, 1.0)], name)


def _gelu(to: ShapeBuilder, x: str, name: str) -> str:
    """Write x/2 (1 + erf(x / 2^(1/2)))."""
    half = to.add("Mul", [x, _number(to, f"{name}.half", 0.5)], f"{name}.halved")
    part = to.add("Mul", [x, _number(to, f"{name}.root", 0.5**0.5)], f"{name}.scaled")
    part = to.add("Erf", [part], f"{name}.erf")
    part = to.add("Add", [part, _number(to, f"{name}.one", 1.0)], f"{name}.share")
    return to.add("Mul", [half, part], name)


def _attention(to: ShapeBuilder, x: str, name: str, of: Transformer, *, bias: bool = False) -> str:
    """Write the attention of all heads; positions that turn come with a causal mask."""
    width, group = of.shared * of.per_head, of.heads // of.shared
    turns = not of.positions

    def heads(part: str, columns: int, count: int) -> str:
        y = _linear(to, x, f"{name}.{part}", (of.hidden, columns), bias=bias)
        y = _reshaped(to, y, f"{name}.{part}.heads", (of.tokens, of.shared, count, of.per_head))
        y = to.add("Transpose", [y], f"{name}.{part}.first", perm=[0, 2, 3, 1, 4])
        return _turned(to, y, f"{name}.{part}.turned", of) if turns and part != "value" else y

    query, key, value = (
        heads("query", of.hidden, group),
        heads("key", width, 1),
        heads("value", width, 1),
    )
    key = to.add("Transpose", [key], f"{name}.key.columns", perm=[0, 1, 2, 4, 3])
    scores = to.add("MatMul", [query, key], f"{name}.products")
    scale = _number(to, f"{name}.scale", of.per_head**-0.5)
    scores = to.add("Mul", [scores, scale], f"{name}.scores")
    if turns:
        later = np.triu(np.full((of.tokens, of.tokens), MASKED, dtype=np.float32), 1)
        mask = to.constant(f"{name}.mask{FIXED}", later)
        scores = to.add("Add", [scores, mask], f"{name}.masked")
    shares = to.add("Softmax", [scores], f"{name}.shares", axis=-1)
    y = to.add("MatMul", [shares, value], f"{name}.mixed")
    y = to.add("Transpose", [y], f"{name}.tokens", perm=[0, 3, 1, 2, 4])
    y = _reshaped(to, y, f"{name}.joined", (of.tokens, of.hidden))
    return _linear(to, y, f"{name}.output", (of.hidden, of.hidden), bias=bias)


def _turned(to: ShapeBuilder, x: str, name: str, of: Transformer) -> str:
    """Turn pairs of numbers half a head apart by angles that grow with the position.

    Source: Su et al., arXiv 2104.09864, equation 34, paired as Llama's release does.
    """
    half = of.per_head // 2
    speeds = ROTARY_BASE ** (-np.arange(half) / half)
    angles = np.tile(np.outer(np.arange(of.tokens), speeds), 2)
    tables = [
        to.constant(f"{name}.{part}{FIXED}", table.astype(np.float32))
        for part, table in (("cos", np.cos(angles)), ("sin", np.sin(angles)))
    ]
    halves = [f"{name}.low", f"{name}.high"]
    to.split(x, halves, axis=-1)
    other = to.add("Neg", [halves[1]], f"{name}.negated")
    other = to.add("Concat", [other, halves[0]], f"{name}.other", axis=-1)
    straight = to.add("Mul", [x, tables[0]], f"{name}.straight")
    crossed = to.add("Mul", [other, tables[1]], f"{name}.crossed")
    return to.add("Add", [straight, crossed], name)


def _reshaped(to: ShapeBuilder, x: str, name: str, lengths: tuple[int, ...]) -> str:
    shape = to.constant(f"{name}.shape", np.asarray([0, *lengths], dtype=np.int64))
    return to.add("Reshape", [x, shape], name)


def _number(to: ShapeBuilder, name: str, value: float) -> str:
    return to.constant(f"{name}{FIXED}", np.asarray(value, dtype=np.float32))
