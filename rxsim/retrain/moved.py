"""What the optimiser moves: weights and biases, or gains in place of weights, and input ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from rxsim.load import Network
from rxsim.retrain.gains import Gains, channel_numbers
from rxsim.retrain.input_ranges import InputRanges
from rxsim.retrain.interpreter import OnnxModule
from rxsim.retrain.options import RetrainOptions
from rxsim.retrain.places import weight_name
from rxsim.retrain.torch_library import Tensor, torch

# Assumption: weights of trained networks are of the order of 0.1, so that factors at ten times their
# learning rate move as far, relatively.
_FACTORS_SHARE = 10.0


class Moved:
    """The tensors that an optimiser moves, and what becomes of its steps."""

    def __init__(
        self,
        network: Network,
        module: OnnxModule,
        options: RetrainOptions,
        fixed: Mapping[str, np.ndarray],
        ranges: InputRanges | None,
    ) -> None:
        """Choose them.

        Args:
            network: the network.
            module: holds weights and biases.
            options: what is trained, and how.
            fixed: which of their values stay as they are, boolean, by name.
            ranges: of the layers' inputs; None: not held on to.
        """
        self._trained = module.trained()
        self._options, self._ranges = options, ranges
        self._weights = {weight_name(layer) for layer in network.layers} & set(self._trained)
        by_gain = self._weights if options.train == "norms" else set()
        numbers = channel_numbers(network) if by_gain else {}
        self._gains = Gains(module, {name: numbers[name] for name in sorted(by_gain)})
        self._moving = {name: torch.from_numpy(~stay) for name, stay in fixed.items()}
        self._limits: dict[str, float] = {}
        if options.clip is not None:
            self._limits = {
                name: options.clip * float(self._trained[name].detach().std())
                for name in self._weights
            }
        self.tensors: dict[str, Tensor] = {
            name: held for name, held in self._trained.items() if name not in by_gain
        }
        self.tensors |= {f"gain of {name}": log for name, log in self._gains.parameters().items()}
        if ranges is not None:
            logs = ranges.parameters()
            self.tensors |= {f"range of {name}": log for name, log in logs.items()}
        with self.keeping_fixed():
            self._clip()

    def optimiser(self) -> torch.optim.Optimizer:
        """Return an optimiser of them; `share` of a group multiplies its learning rate."""
        rate = self._options.learning_rate
        plain = [each for name, each in self.tensors.items() if name in self._trained]
        logs = [each for name, each in self.tensors.items() if name not in self._trained]
        groups = [{"params": plain, "share": 1.0}, {"params": logs, "share": _FACTORS_SHARE}]
        groups = [group for group in groups if group["params"]]
        if self._options.optimiser == "adam":
            return torch.optim.Adam(groups, lr=rate)
        return torch.optim.SGD(groups, lr=rate, momentum=0.9)

    def pull(self) -> None:
        """Bring the gradients of weights to what is moved; what stays has none."""
        for name, moving in self._moving.items():
            gradient = self._trained[name].grad
            if gradient is not None:
                gradient.mul_(moving)
        self._gains.pull()

    def take_up(self) -> None:
        """Bring a step of the optimiser to weights and ranges, and clip."""
        with self.keeping_fixed():
            self._gains.take_up()
            self._clip()
        if self._ranges is not None:
            self._ranges.take_up()

    @contextmanager
    def keeping_fixed(self) -> Iterator[None]:
        """Put values that stay back to what they were, after what is done to weights and biases."""
        before = {name: self._trained[name].detach().clone() for name in self._moving}
        yield
        with torch.no_grad():
            for name, moving in self._moving.items():
                held = self._trained[name]
                held.copy_(torch.where(moving, held, before[name]))

    def _clip(self) -> None:
        with torch.no_grad():
            for name, limit in self._limits.items():
                self._trained[name].clamp_(-limit, limit)
