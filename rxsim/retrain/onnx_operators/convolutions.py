"""Conv and ConvTranspose of one, two or three axes, and products of matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rxsim.retrain.node import Kernel, Node, always
from rxsim.retrain.onnx_operators._windows import Pads, Windows, padded, split
from rxsim.retrain.torch_library import Tensor, functional, torch

_CONVS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_TRANSPOSED = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}


def _conv(node: Node) -> Kernel:
    windows, groups = Windows.of(node), node.get("group", 1)

    def conv(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        axes = weight.dim() - 2
        pads = windows.pads(x.shape[2:], weight.shape[2:])
        around: Sequence[int] = [before for before, _ in pads]
        if any(before != behind for before, behind in pads):
            x, around = padded(x, pads), [0] * axes
        steps, gaps = windows.steps(axes), windows.gaps(axes)
        return _CONVS[axes](x, weight, bias, steps, around, gaps, groups)

    return conv


def _conv_transpose(node: Node) -> Kernel:
    windows, groups = Windows.of(node), node.get("group", 1)
    wanted = tuple(node.get("output_shape", ()))

    def conv(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        axes = weight.dim() - 2
        steps, gaps = windows.steps(axes), windows.gaps(axes)
        whole = _TRANSPOSED[axes](x, weight, None, steps, 0, 0, groups, gaps)
        behind = tuple(node.get("output_padding", (0,) * axes))
        sizes = wanted[-axes:] if wanted else ()
        if not sizes and windows.auto_pad.startswith("SAME"):
            sizes = tuple(size * step for size, step in zip(x.shape[2:], steps, strict=True))
        if sizes:
            pads = _cut_to(whole.shape[2:], behind, sizes, windows.auto_pad == "SAME_UPPER")
        else:
            pads = windows.pads(x.shape[2:], weight.shape[2:])
        pairs = zip(pads, behind, strict=True)
        result = padded(whole, tuple((-first, more - last) for (first, last), more in pairs))
        return result if bias is None else result + bias.reshape(-1, *[1] * axes)

    return conv


def _cut_to(
    whole: Sequence[int], behind: Sequence[int], sizes: Sequence[int], more_behind: bool
) -> Pads:
    """Return what is cut at both ends to get an image of the wanted sizes."""
    given = zip(whole, behind, sizes, strict=True)
    return tuple(split(size + more - want, more_behind) for size, more, want in given)


def _gemm(node: Node) -> Kernel:
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    turn_a, turn_b = node.get("transA", 0), node.get("transB", 0)

    def gemm(a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
        a, b = a.t() if turn_a else a, b.t() if turn_b else b
        if c is not None:
            return torch.addmm(c, a, b, beta=beta, alpha=alpha)
        product = torch.mm(a, b)
        return product if alpha == 1 else alpha * product

    return gemm


def _einsum(node: Node) -> Kernel:
    equation = str(node.get("equation")).replace(" ", "")
    return lambda *inputs: torch.einsum(equation, *inputs)


OPERATORS: Mapping[str, Callable[[Node], Kernel]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": always(torch.matmul),
}
