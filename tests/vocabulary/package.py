"""The package's answers for the vocabulary's tests: patched networks of given models and inputs."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from rxsim.config import Settings
from rxsim.load import load_network
from rxsim.pipeline.chip.foundry import Foundry
from rxsim.pipeline.study.study import Study
from rxsim.session import Session, with_outputs
from tests.chips import bare_study, foundry_of


class Whole:
    """Inputs that are fed at once."""

    labels = None

    def __init__(self, name: str, tensor: NDArray) -> None:
        self._feeds = {name: np.asarray(tensor, np.float32)}
        self._length = len(tensor)

    def __len__(self) -> int:
        return self._length

    def feeds(self, start: int, stop: int) -> dict[str, NDArray]:
        """Return all of them."""
        assert (start, stop) == (0, self._length)
        return self._feeds


@dataclass
class Package:
    """A network mapped and calibrated by the package.

    Attributes:
        study: The network with its settings and calibration inputs.
        foundry: What makes its chips.
    """

    study: Study
    foundry: Foundry

    def run(self, x: NDArray, trial: int = 0, **names: str) -> dict[str, NDArray]:
        """Return tensors by name: every layer's input and output, and ``y``."""
        layers = self.study.network.layers
        wanted = [name for layer in layers for name in (layer.input, layer.output)]
        wanted = list(dict.fromkeys([*wanted, self.study.output, *names.values()]))
        patched = self.foundry.make(trial).network
        session = Session(with_outputs(patched.model, wanted), "the patched network")
        found = session.run(wanted, {"x": np.asarray(x, np.float32)})
        return dict(zip(wanted, found, strict=True))

    def output(self, x: NDArray, trial: int = 0) -> NDArray:
        """Return the network's output."""
        return self.run(x, trial)[self.study.output]


def build_package(model: onnx.ModelProto, settings: Settings, calibration: NDArray) -> Package:
    """Map a network with one input ``x`` and calibrate it on given inputs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        path.write_bytes(model.SerializeToString())
        network = load_network(path)
    inputs = Whole("x", calibration)
    study = bare_study(network, settings, inputs, len(calibration))
    return Package(study, foundry_of(study))
