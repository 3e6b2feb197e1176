"""The exporters themselves, where they are installed: the same networks as their twins in ONNX text."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import exported_sklearn
import exported_torch
import numpy as np
import onnx
import pytest
from exported import Exported


def torch_modules() -> dict[str, tuple[Any, Exported]]:
    """Return torch's networks by name, each with the twin that has its shape and its count."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)

    class Cnn(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.c, self.n = nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4)
            self.t, self.f = nn.ConvTranspose2d(4, 3, 2, stride=2), nn.Linear(3, 5)

        def forward(self, x: Any) -> Any:
            return self.f(self.t(torch.relu(self.n(self.c(x)))).mean((2, 3)))

    class Recurrent(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.l = nn.LSTM(4, 3, batch_first=True, bidirectional=True)
            self.g, self.f = nn.GRU(6, 3, batch_first=True), nn.Linear(3, 2)

        def forward(self, x: Any) -> Any:
            return self.f(self.g(self.l(x)[0])[0][:, -1])

    class Attention(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.q, self.o = nn.Linear(8, 24), nn.Linear(8, 8)

        def forward(self, x: Any) -> Any:
            b, t, d = x.shape
            q, k, v = (p.reshape(b, t, 2, 4).transpose(1, 2) for p in self.q(x).chunk(3, -1))
            a = torch.softmax(q @ k.transpose(-1, -2) / 2, -1)
            return self.o((a @ v).transpose(1, 2).reshape(b, t, d))

    class Experts(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.g, self.w = nn.Linear(6, 3), nn.Parameter(torch.randn(3, 6, 4))

        def forward(self, x: Any) -> Any:
            p = torch.softmax(self.g(x), -1)
            return torch.einsum("be,beo->bo", p, torch.einsum("bi,eio->beo", x, self.w))

    return {
        "cnn": (Cnn(), exported_torch.torch_cnn()),
        "recurrent": (Recurrent(), exported_torch.torch_recurrent()),
        "attention": (Attention(), exported_torch.torch_attention()),
        "experts": (Experts(), exported_torch.torch_experts()),
    }


def of_torch(name: str, dynamo: bool, folder: Path) -> Exported:
    """Export one of torch's networks with a free batch."""
    module, twin = torch_modules()[name]
    if dynamo:
        pytest.importorskip("onnxscript")
    torch, path = pytest.importorskip("torch"), folder / "model.onnx"
    free = (
        {"dynamic_shapes": {"x": {0: torch.export.Dim("batch")}}}
        if dynamo
        else {"dynamic_axes": {"x": {0: "batch"}}}
    )
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            (torch.randn(2, *twin.shape),),
            path,
            input_names=["x"],
            output_names=["y"],
            dynamo=dynamo,
            verbose=False,
            **free,
        )
    model = onnx.load(path)
    return Exported(model=model, shape=twin.shape, mapped=twin.mapped, digital=twin.digital)


def of_sklearn(name: str) -> Exported:
    """Fit one of scikit-learn's networks on made-up points and convert it."""
    skl2onnx = pytest.importorskip("skl2onnx")
    linear, neural, pipeline, preprocessing = (
        pytest.importorskip(f"sklearn.{name}")
        for name in ("linear_model", "neural_network", "pipeline", "preprocessing")
    )
    x = np.random.default_rng(0).standard_normal((60, 6)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)
    network, twin = {
        "mlp": (
            neural.MLPClassifier((5,), max_iter=20, random_state=0),
            exported_sklearn.skl_mlp(),
        ),
        "pipeline": (
            pipeline.make_pipeline(
                preprocessing.StandardScaler(),
                neural.MLPRegressor(hidden_layer_sizes=(4,), max_iter=20, random_state=0),
            ),
            exported_sklearn.skl_scaled_regressor(),
        ),
        "logistic": (linear.LogisticRegression(), exported_sklearn.skl_logistic_regression()),
        "linear": (linear.LinearRegression(), exported_sklearn.skl_linear_regression()),
    }[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = skl2onnx.to_onnx(network.fit(x, y), x[:1])
    _rename(model, "X", "x")
    return Exported(model=model, shape=twin.shape, mapped=twin.mapped)


def _rename(model: onnx.ModelProto, old: str, new: str) -> None:
    model.graph.input[0].name = new
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = new if name == old else name
