"""What the passes that fold constants into products share: the graph at hand, and new weights in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import onnx
from onnx import helper

from rxsim.load.passes.channelwise import Channels, Step
from rxsim.onnx_graph import Rewriting, drop_unused_constants
from rxsim.operators import Affine, Operator, operator_of

# Assumption: trained weights stay far below; a constant that drives them beyond is not folded.
_LARGEST = 1e18
# Sub counts where it subtracts from a constant, which turns the sign.
_SCALES = {"Mul", "Div", "BatchNormalization", "Sub"}
_BETWEEN = {"Add", "Identity", "Dropout", "Transpose", "Cast"}


class Folding:
    """A graph whose nodes lose what surrounds them.

    Attributes:
        graph: its constants, uses and shapes.
        nodes: those of the model as it came, in order.
        makers: by tensor, the node that gives it.
        readers: by tensor, a node that reads it.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._gone: set[int] = set()
        self._behind: dict[int, onnx.NodeProto] = {}
        self.graph = Rewriting(model)
        self.nodes = list(model.graph.node)
        self.makers = {name: node for node in self.nodes for name in node.output if name}
        self.readers = {name: node for node in self.nodes for name in node.input if name}

    def products(
        self, worth: Callable[[onnx.NodeProto], bool]
    ) -> Iterator[tuple[onnx.NodeProto, Operator, Affine]]:
        """Yield the products that constants can be folded into, with what they are and their weights.

        Args:
            worth: tells quickly whether there may be anything to fold.
        """
        for node in self.nodes:
            operator = operator_of(node)
            if operator is None or not worth(node):
                continue
            affine = operator.affine(node, self.graph.constants)
            if affine is not None and affine.weight.dtype.kind == "f":
                yield node, operator, affine

    def read_once(self, tensor: str) -> bool:
        """Tell whether a tensor is read in a single place, and is no output of the network."""
        return self.graph.uses[tensor] == 1

    def scales_behind(self, node: onnx.NodeProto) -> bool:
        """Tell quickly whether there may be anything to fold behind a node, without its weights."""
        tensor = node.output[0]
        while self.read_once(tensor) and tensor in self.readers:
            reader = self.readers[tensor]
            if reader.op_type in _SCALES:
                return True
            if reader.op_type not in _BETWEEN:
                return False
            tensor = reader.output[0]
        return False

    def scales_in_front(self, node: onnx.NodeProto) -> bool:
        """Tell quickly whether there may be anything to fold in front of a node."""
        tensor = node.input[0]
        while self.read_once(tensor) and tensor in self.makers:
            maker = self.makers[tensor]
            if maker.op_type in _SCALES:
                return True
            if maker.op_type not in _BETWEEN:
                return False
            tensor = self.data_of(maker)
        return False

    def data_of(self, node: onnx.NodeProto) -> str:
        """Return the name of a node's first input that is no constant; empty where there is none."""
        return next((name for name in node.input if name and name not in self.graph.constants), "")

    def outputs_of(self, node: onnx.NodeProto, affine: Affine) -> Channels:
        """Return where the channels of a product's result lie."""
        return self._channels(node.output[0], affine, affine.outputs)

    def inputs_of(self, node: onnx.NodeProto, affine: Affine) -> Channels | None:
        """Return where the channels of a product's input lie; None where nothing can be folded."""
        if affine.input_axis is None:
            return None
        return self._channels(node.input[0], affine, affine.inputs)

    def _channels(self, tensor: str, affine: Affine, count: int) -> Channels:
        if affine.channels_last:
            return Channels(axis=-1, rank=self.graph.ranks.get(tensor), count=count)
        rank = affine.weight.ndim
        return Channels(axis=1 - rank, rank=rank, count=count)

    def replace(
        self,
        node: onnx.NodeProto,
        operator: Operator,
        affine: Affine,
        values: tuple[np.ndarray, np.ndarray | None],
        steps: Iterable[Step],
    ) -> None:
        """Give a product weights and bias in place of the steps around it, which go.

        Args:
            node: the product, whose output has the name that the result shall have.
            operator: what it is.
            affine: its weights as they were.
            values: its weights and bias; None for no bias.
            steps: what is in them now.
        """
        self._gone.update(id(step.node) for step in steps)
        weight = self.graph.constant(f"{node.name}.weight_folded", values[0])
        if values[1] is None or (affine.outside and not values[1].any()):
            operator.set_affine(node, weight, "")
            return
        bias = self.graph.constant(f"{node.name}.bias_folded", values[1])
        if not affine.outside:
            operator.set_affine(node, weight, bias)
            return
        operator.set_affine(node, weight, "")
        inner = self.graph.name(f"{node.name}.product")
        addition = next((s.node.name for s in steps if s.node.op_type == "Add"), "")
        add = helper.make_node("Add", [inner, bias], [node.output[0]], addition)
        node.output[0] = inner
        self._behind[id(node)] = add

    def finish(self) -> None:
        """Write the nodes that are left."""
        if not self._gone:
            return
        left = []
        for node in self.nodes:
            if id(node) not in self._gone:
                left.append(node)
            if id(node) in self._behind:
                left.append(self._behind[id(node)])
        del self._model.graph.node[:]
        self._model.graph.node.extend(left)
        drop_unused_constants(self._model)


def rounded(
    weight: np.ndarray, factor: np.ndarray, bias: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Multiply weights by a factor that spreads over them, and round weights and bias once.

    Returns:
        Weights and bias of the type of the weights; None where that can't hold them.
    """
    largest = min(_LARGEST, float(np.finfo(weight.dtype).max))
    product = np.empty_like(weight)
    with np.errstate(all="ignore"):
        # In float64 and rounded once, without a copy of the weights in float64.
        np.multiply(weight, factor, out=product, dtype=np.float64, casting="same_kind")
        if not np.abs(product).max(initial=0) <= largest:
            return None
        if bias is not None and not np.abs(bias).max(initial=0) <= largest:
            return None
    return product, None if bias is None else bias.astype(weight.dtype)
