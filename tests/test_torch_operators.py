"""ONNX's operators in torch: onnxruntime's numbers, and the slopes of finite differences."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto
from torch_cases import CASES, Case

from rxsim.session import Session

torch = pytest.importorskip("torch")
interpreter = pytest.importorskip("rxsim.retrain.interpreter")
OnnxModule = interpreter.OnnxModule


@pytest.mark.parametrize("name", CASES)
def test_an_operator_gives_what_onnxruntime_gives(name: str) -> None:
    model, x = CASES[name].built()
    (wanted,) = _reference(model, name, x)
    scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=0)
    for straight_through in (True, False):
        module = OnnxModule(model, straight_through=straight_through)
        result = module({"x": torch.from_numpy(x)})["y"].numpy()
        assert (result.shape, result.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-5 * scale)


def _reference(model: onnx.ModelProto, name: str, x: np.ndarray) -> list[np.ndarray]:
    """Run a case in onnxruntime; in numpy the LRN over an even number of channels, which it lacks."""
    if name != "lrn even":
        return Session(model, name).run(["y"], {"x": x})
    # Source: ONNX's LRN: channels c - floor((size - 1) / 2) to c + ceil((size - 1) / 2), beta 0.75.
    sums = [(x[:, max(c - 1, 0) : c + 3] ** 2).sum(axis=1) for c in range(x.shape[1])]
    return [x / (1 + np.float32(0.5 / 4) * np.stack(sums, axis=1)) ** np.float32(0.75)]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.smooth])
def test_a_gradient_is_the_slope_that_finite_differences_measure(name: str) -> None:
    """In float64, along random directions of all inputs and constants together.

    A central difference of step h is off by h^2 times a third derivative and by rounding over h:
    1e-10 and 1e-10 at h = 1e-5, of which a factor of 1,000 is left.
    """
    case = CASES[name]
    model, x = case.built(np.float64)
    doubles = {
        item.name for item in model.graph.initializer if item.data_type == TensorProto.DOUBLE
    }
    module = OnnxModule(model, trainable=doubles - set(case.untrained))
    held = [torch.from_numpy(x).requires_grad_(), *module.trained().values()]
    rng = np.random.default_rng(11)
    result = module({"x": held[0]})["y"]
    weights = torch.from_numpy(rng.standard_normal(result.shape))
    grads = torch.autograd.grad((result * weights).sum(), held, allow_unused=True)
    for _ in range(1):
        along = [torch.from_numpy(np.asarray(rng.standard_normal(item.shape))) for item in held]
        slope = sum(
            float((grad * way).sum())
            for grad, way in zip(grads, along, strict=True)
            if grad is not None
        )
        sides = []
        with torch.no_grad():
            for step in (1e-5, -2e-5, 1e-5):
                for item, way in zip(held, along, strict=True):
                    item += step * way
                sides.append(float((module({"x": held[0]})["y"] * weights).sum()))
        measured = (sides[0] - sides[1]) / 2e-5
        assert slope == pytest.approx(measured, rel=1e-6, abs=1e-7)


@st.composite
def windows(draw: st.DrawFn) -> Case:
    """A Conv or a pool whose windows fit the image once at least."""
    op = draw(st.sampled_from(["Conv", "MaxPool", "AveragePool"]))
    axes = draw(st.integers(1, 2))
    kernel, steps, gaps = (draw(_lengths(axes, 1, 3)) for _ in range(3))
    spans = [(k - 1) * gap + 1 for k, gap in zip(kernel, gaps, strict=True)]
    sizes = [draw(st.integers(span, span + 5)) for span in spans]
    # onnxruntime refuses pools with pads as long as their kernel.
    pads = [draw(st.integers(0, k - 1)) for k in kernel * 2]
    stated = f"kernel_shape={kernel}, strides={steps}, dilations={gaps}, pads={pads}"
    if op == "Conv":
        return Case(f"y = Conv<{stated}>(x, w)", (1, 2, *sizes), {"w": (3, 2, *kernel)})
    stated += f", ceil_mode={draw(st.integers(0, 1))}"
    if op == "AveragePool":
        stated += f", count_include_pad={draw(st.integers(0, 1))}"
    return Case(f"y = {op}<{stated}>(x)", (1, 2, *sizes))


def _lengths(axes: int, low: int, high: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(low, high), min_size=axes, max_size=axes)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(windows())
def test_windows_of_any_form_slide_as_in_onnxruntime(case: Case) -> None:
    model, x = case.built()
    (wanted,) = Session(model, case.nodes).run(["y"], {"x": x})
    result = OnnxModule(model)({"x": torch.from_numpy(x)})["y"].numpy()
    assert result.shape == wanted.shape
    np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
