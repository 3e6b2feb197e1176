"""A network that grows layer by layer, with random weights of the size that keeps activations alive.

Weights are normal with the standard deviation (2 / inputs of an output)^(1/2) (He et al., ICCV 2015),
biases with 0.01. Every method returns the name of its result, and names its node as it is told.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

BIAS_SIGMA = 0.01
FIXED = ".fixed"
"""How the names of computed numbers end, which are no parameters."""


class ShapeBuilder:
    """A model under construction.

    Args:
        name: of the graph.
        seed: of its weights.
    """

    def __init__(self, name: str, seed: int) -> None:
        opset = [helper.make_opsetid("", 17)]
        empty = helper.make_graph([], name, [], [])
        self.model = helper.make_model(empty, opset_imports=opset, ir_version=8)
        self._rng = np.random.default_rng(seed)

    def input(self, name: str, *shape: int, kind: int = TensorProto.FLOAT) -> str:
        """Add an input with a free batch before its shape."""
        self.model.graph.input.append(_described(name, shape, kind))
        return name

    def output(self, name: str, *shape: int) -> None:
        """Declare an output with a free batch before its shape."""
        self.model.graph.output.append(_described(name, shape))

    def add(self, op: str, inputs: Sequence[str], name: str, **attributes: object) -> str:
        """Add a node of one output."""
        self.model.graph.node.append(
            helper.make_node(op, inputs, [f"{name}.out"], name, **attributes)
        )
        return f"{name}.out"

    def split(self, x: str, halves: Sequence[str], axis: int) -> None:
        """Cut a tensor into two halves of these names."""
        name = f"{halves[0]}.split"
        self.model.graph.node.append(helper.make_node("Split", [x], halves, name, axis=axis))

    def constant(self, name: str, values: np.ndarray) -> str:
        """Add an initializer straight into the model: of large ones there is no room for copies."""
        tensor = self.model.graph.initializer.add()
        tensor.name, tensor.data_type = name, helper.np_dtype_to_tensor_dtype(values.dtype)
        tensor.dims.extend(values.shape)
        tensor.raw_data = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
        return name

    def normal(self, name: str, shape: Sequence[int], sigma: float, mean: float = 0.0) -> str:
        """Add normally distributed numbers."""
        values = self._rng.standard_normal(shape, dtype=np.float32)
        values *= np.float32(sigma)
        values += np.float32(mean)
        return self.constant(name, values)

    def weights(self, name: str, shape: Sequence[int], fan_in: int) -> str:
        """Add weights of outputs with so many inputs."""
        return self.normal(name, shape, (2 / fan_in) ** 0.5)

    def bias(self, name: str, length: int) -> str:
        """Add biases."""
        return self.normal(name, [length], BIAS_SIGMA)

    def conv(
        self,
        x: str,
        name: str,
        channels: tuple[int, int],
        kernel: int,
        *,
        stride: int = 1,
        pad: int | None = None,
        bias: bool = True,
    ) -> str:
        """Add a convolution of square windows.

        Args:
            x: its input.
            name: of the node.
            channels: into it and out of it.
            kernel: side of a window.
            stride: of the windows.
            pad: on each side; by default half of the kernel.
            bias: whether it has biases.
        """
        c_in, c_out = channels
        inputs = [
            x,
            self.weights(f"{name}.weight", [c_out, c_in, kernel, kernel], c_in * kernel**2),
            *([self.bias(f"{name}.bias", c_out)] if bias else []),
        ]
        pads = [kernel // 2 if pad is None else pad] * 4
        return self.add(
            "Conv", inputs, name, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads
        )

    def normalised(self, x: str, name: str, channels: int, scale: float = 1.0) -> str:
        """Add a BatchNormalization whose statistics differ a little from 0 and 1.

        Args:
            x: its input.
            name: of the node.
            channels: of the input.
            scale: about which its factors lie.
        """
        variance = 1 + 0.3 * self._rng.uniform(-1, 1, channels).astype(np.float32)
        inputs = [
            x,
            self.normal(f"{name}.scale", [channels], 0.1 * scale, scale),
            self.normal(f"{name}.shift", [channels], 0.1),
            self.normal(f"{name}.mean", [channels], 0.1),
            self.constant(f"{name}.variance", variance),
        ]
        return self.add("BatchNormalization", inputs, name)

    def pool(self, x: str, name: str, *, pad: int = 0, stride: int = 2, ceil: bool = False) -> str:
        """Add the largest of windows of 3x3."""
        more = {"ceil_mode": 1} if ceil else {}
        return self.add(
            "MaxPool", [x], name, kernel_shape=[3, 3], strides=[stride] * 2, pads=[pad] * 4, **more
        )

    def dense(self, x: str, name: str, n_in: int, n_out: int) -> str:
        """Add a Gemm with biases."""
        weight = self.weights(f"{name}.weight", [n_out, n_in], n_in)
        return self.add("Gemm", [x, weight, self.bias(f"{name}.bias", n_out)], name, transB=1)

    def product(self, x: str, name: str, n_in: int, n_out: int) -> str:
        """Add a MatMul along the last axis."""
        return self.add("MatMul", [x, self.weights(f"{name}.weight", [n_in, n_out], n_in)], name)

    def lstm(
        self, x: str, name: str, n_in: int, hidden: int, states: Sequence[str] = ()
    ) -> tuple[str, list[str]]:
        """Add an LSTM over steps that lie first: (steps, batch, values).

        Of ONNX's two biases of a gate one is 0, as a network has one.

        Args:
            x: its input.
            name: of the node.
            n_in: values of a step.
            hidden: length of its states.
            states: hidden and cell state before the first step; none is 0.

        Returns:
            Its sequence (steps, batch, hidden), and its last states (1, batch, hidden).
        """
        columns = 4 * hidden
        bias = self._rng.standard_normal((1, 2 * columns), dtype=np.float32) * np.float32(
            BIAS_SIGMA
        )
        bias[:, columns:] = 0
        inputs = [
            x,
            self.weights(f"{name}.W", [1, columns, n_in], n_in),
            self.weights(f"{name}.R", [1, columns, hidden], hidden),
            self.constant(f"{name}.B", bias),
            *(["", *states] if states else []),
        ]
        outputs = [f"{name}.directed", f"{name}.hidden", f"{name}.cell"]
        self.model.graph.node.append(
            helper.make_node("LSTM", inputs, outputs, name, hidden_size=hidden)
        )
        axis = self.constant(f"{name}.direction", np.asarray([1], dtype=np.int64))
        sequence = self.add("Squeeze", [outputs[0], axis], f"{name}.sequence")
        return sequence, outputs[1:]

    def swapped(self, x: str, name: str) -> str:
        """Swap batch and steps."""
        return self.add("Transpose", [x], name, perm=[1, 0, 2])


def _described(
    name: str, shape: Sequence[int], kind: int = TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, ["batch", *shape])
