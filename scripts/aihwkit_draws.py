"""Draws of aihwkit's own phase-change memory models, for `compare_aihwkit.py`.

It runs in an environment that holds aihwkit, and imports nothing of rxsim: what to draw comes as JSON
on the command line, and the conductances go into a file of numpy arrays.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch
from aihwkit.inference.converter.conductance import SinglePairConductanceConverter
from aihwkit.inference.noise.hermes import HermesNoiseModel
from aihwkit.inference.noise.pcm import PCMLikeNoiseModel
from aihwkit.version import __version__

# rxsim's preset -> aihwkit's model of the same device, with that device's largest conductance.
MODELS = {
    "pcm-nandakumar": lambda g_max, read: PCMLikeNoiseModel(
        g_converter=SinglePairConductanceConverter(g_max=g_max), read_noise_scale=read
    ),
    "pcm-hermes": lambda g_max, read: HermesNoiseModel(
        g_max=g_max, num_devices=2, read_noise_scale=read
    ),
    "pcm-hermes-1device": lambda g_max, read: HermesNoiseModel(
        g_max=g_max, num_devices=1, read_noise_scale=read
    ),
}


def drawn(model: Any, targets: np.ndarray, seconds: float | None) -> np.ndarray:
    """Program new cells and read them.

    Args:
        model: aihwkit's noise model.
        targets: wanted conductances, microsiemens, of any shape.
        seconds: from programming to the reading; None: as programmed, not read.

    Returns:
        Microsiemens, of the targets' shape.
    """
    g_target = torch.from_numpy(targets)
    g = model.apply_programming_noise_to_conductance(g_target)
    if seconds is not None:
        exponents = model.generate_drift_coefficients(g_target)
        g = model.apply_drift_noise_to_conductance(g, exponents, seconds)
    return np.asarray(g.numpy())


def main() -> None:
    """Draw what the first argument asks for; write it to the file that it names."""
    asked = json.loads(sys.argv[1])
    torch.manual_seed(asked["seed"])
    torch.set_num_threads(1)
    drawings: dict[str, np.ndarray] = {"version": np.array(__version__)}
    for name, g_max in asked["g_max"].items():
        levels = g_max * np.array(asked["shares"])
        targets = np.repeat(levels[:, None], asked["cells"], axis=1)
        for key, seconds, read in asked["states"]:
            drawings[f"{name}/{key}"] = drawn(MODELS[name](g_max, read), targets, seconds)
    np.savez(asked["file"], **drawings)


if __name__ == "__main__":
    main()
