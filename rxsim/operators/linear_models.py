"""LinearClassifier and LinearRegressor, as scikit-learn exports them: they become a Gemm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from rxsim.onnx_graph import GraphBuilder, Rewriting, Shape, attributes
from rxsim.operators import Constants, Operator
from rxsim.operators._without_products import WithoutProducts

_TRANSFORMS = {"NONE": "", "LOGISTIC": "Sigmoid", "SOFTMAX": "Softmax"}
_DOMAIN = "ai.onnx.ml"


class LinearModels(WithoutProducts):
    """Rows of features by coefficients that are attributes, a transform, and the label of a class."""

    op_types = ((_DOMAIN, "LinearClassifier"), (_DOMAIN, "LinearRegressor"))

    def normalised(self, node: onnx.NodeProto, graph: Rewriting) -> list[onnx.NodeProto]:
        """Write Gemm, the transform, and for a classifier the choice of the label."""
        if self.why_not(node, graph.constants) or graph.ranks.get(node.input[0], 2) != 2:
            return [node]
        given, targets = attributes(node), _targets(node)
        build = graph.builder(node.name)
        source = node.input[0]
        if graph.element_type(source) != onnx.TensorProto.FLOAT:
            source = build.add("Cast", [source], "features", to=onnx.TensorProto.FLOAT)
        coefficients = np.asarray(given["coefficients"], dtype=np.float32).reshape(targets, -1)
        inputs = [source, build.constant("coefficients", coefficients)]
        if given.get("intercepts"):
            intercepts = np.asarray(given["intercepts"], dtype=np.float32)
            inputs.append(build.constant("intercepts", intercepts))
        scores = build.add_named(node.name, "Gemm", inputs, "scores", transB=1)
        if node.op_type == "LinearRegressor":
            build.give(_transformed(build, scores, _transform(node)), node.output[0])
            return graph.finish(build)
        if node.output[0]:
            _add_label(build, scores, given, targets, node.output[0])
        if len(node.output) > 1 and node.output[1]:
            outputs = _transformed(build, scores, _transform(node))
            if targets == 1:
                one = build.constant("one", np.asarray(1, dtype=np.float32))
                other = build.add("Sub", [one, outputs], "other_class")
                outputs = build.add("Concat", [other, outputs], "both_classes", axis=1)
            if outputs == scores:
                outputs = build.add("Identity", [scores], "untransformed")
            build.give(outputs, node.output[1])
        return graph.finish(build)

    def why_not(self, node: onnx.NodeProto, constants: Constants) -> str:
        """Say why a node can't be rewritten."""
        given, transform = attributes(node), _transform(node)
        if node.input[0] in constants:
            return "its input is constant"
        if transform not in _TRANSFORMS:
            return f"its post_transform {transform} is not known"
        targets = _targets(node)
        if targets < 1 or not given.get("coefficients") or len(given["coefficients"]) % targets:
            return "its coefficients do not fit its number of results"
        if node.op_type == "LinearRegressor":
            return ""
        labels = _labels(given)
        if labels.size != max(targets, 2) or (targets == 1 and transform == "SOFTMAX"):
            return "its labels do not fit its number of results"
        return ""

    def macs(self, node: onnx.NodeProto, shapes: Mapping[str, Shape | None]) -> int | None:
        """Count the coefficients for each row."""
        shape = shapes.get(node.input[0])
        rows = 1 if shape is None or len(shape) == 1 else shape[0]
        known = shape is not None and rows is not None
        return len(attributes(node)["coefficients"]) * int(rows or 0) if known else None


def _transform(node: onnx.NodeProto) -> str:
    return str(attributes(node).get("post_transform", b"NONE").decode())


def _targets(node: onnx.NodeProto) -> int:
    """Return how many results a row gives.

    Source: onnxruntime's LinearClassifier counts its intercepts, where it has none its labels.
    """
    given = attributes(node)
    if node.op_type == "LinearRegressor":
        return int(given.get("targets", 1))
    return len(given.get("intercepts", ())) or int(_labels(given).size)


def _labels(given: dict[str, Any]) -> np.ndarray:
    """Return a classifier's labels."""
    if given.get("classlabels_strings"):
        return np.asarray([item.decode() for item in given["classlabels_strings"]], dtype=object)
    return np.asarray(given.get("classlabels_ints", ()), dtype=np.int64)


def _transformed(build: GraphBuilder, scores: str, transform: str) -> str:
    """Write a transform of scores; nothing to do for none."""
    op = _TRANSFORMS[transform]
    if not op:
        return scores
    along: dict[str, Any] = {"axis": 1} if op == "Softmax" else {}
    return build.add(op, [scores], "transformed", **along)


def _add_label(
    build: GraphBuilder, scores: str, given: dict[str, Any], targets: int, output: str
) -> None:
    """Choose the label of the highest score, or of a single score by its sign."""
    if targets == 1:
        zero = build.constant("zero", np.asarray(0, dtype=np.float32))
        positive = build.add("Greater", [scores, zero], "positive")
        place = build.add("Cast", [positive], "place", to=onnx.TensorProto.INT64)
        axis = build.constant("class_axis", np.asarray([1]))
        place = build.add("Squeeze", [place, axis], "class")
    else:
        place = build.add("ArgMax", [scores], "class", axis=1, keepdims=0)
    build.add("Gather", [build.constant("labels", _labels(given)), place], "label", output, axis=0)


OPERATOR: Operator = LinearModels()
