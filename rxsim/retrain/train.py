"""The training itself: batches, refreshes, the curve, the best weights.

for each iteration
    at every refresh: held-out loss, a chip with the weights as they are, a checkpoint
    outputs of the batch with hooks in place of layers -> loss -> gradients -> step
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from rxsim.errors import InputError, RxsimError
from rxsim.pipeline import Study
from rxsim.retrain.batches import Batches
from rxsim.retrain.checkpoint import Checkpoint
from rxsim.retrain.forward import ExactForward, FloatForward, Forward, GaussianForward
from rxsim.retrain.interpreter import OnnxModule
from rxsim.retrain.loss import Loss, agreement, distillation, label_loss
from rxsim.retrain.options import RetrainOptions
from rxsim.retrain.places import weight_name
from rxsim.retrain.result import CurvePoint, Training
from rxsim.retrain.torch_library import Tensor, torch
from rxsim.run.predict import predict
from rxsim.sealed import hash_of

Keep = Callable[[Checkpoint], None]
"""Is given a checkpoint at every refresh."""


class NotFiniteError(RxsimError):
    """The loss is NaN or infinite."""


@dataclass
class _State:
    """What changes while training.

    Attributes:
        iteration: batches that are done.
        points: the curve.
        best: of its points.
        best_values: weights of the best point.
        losses: of the batches since the last refresh.
    """

    iteration: int = 0
    points: list[CurvePoint] = field(default_factory=list)
    best: int = 0
    best_values: dict[str, np.ndarray] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)


class Trainer:
    """Trains the layers of a study's network."""

    def __init__(
        self,
        study: Study,
        options: RetrainOptions,
        names: Mapping[str, str],
        fixed: Mapping[str, np.ndarray],
    ) -> None:
        """Build the network in torch.

        Args:
            study: network, settings and data; its evaluated inputs are trained on.
            options: how.
            names: the initialisers that are trained, and of which layer each is.
            fixed: by name which of their values stay as they are, boolean.

        Raises:
            RxsimError: the network, the data or the options can't be used.
        """
        if not names:
            raise InputError(
                f"train: found {options.train!r}, which nothing of the network can be trained by, "
                "expected layers on crossbars whose weights the file holds; see 'rxsim map'"
            )
        torch.set_num_threads(study.threads)
        self._study, self._options = study, options
        self._module = OnnxModule(study.network.model, trainable=set(names))
        self._generator = torch.Generator().manual_seed(options.seed)
        self._output = scores_name(study)
        self._batches = Batches(
            len(study.inputs),
            study.network.fixed_batch or options.batch,
            options.held_out,
            options.seed,
        )
        self._wanted = self._targets()
        self._loss: Loss = (
            label_loss if options.labels == "data" else distillation(options.temperature)
        )
        self._forward = self._made_forward()
        self._optimiser = self._made_optimiser()
        self._bounds = self._clips(names)
        self._moving = {name: torch.from_numpy(~stay) for name, stay in fixed.items()}
        self._identity = hash_of([study.network.identity, asdict(options), sorted(names)])
        self._state = _State()

    def _made_forward(self) -> Forward:
        sigma = self._options.gaussian()
        if sigma is not None:
            return GaussianForward(self._study.network, sigma, self._generator)
        if self._options.noise == "none":
            return FloatForward()
        return ExactForward(self._study, self._options.gradient, self._options.chip)

    def _made_optimiser(self) -> torch.optim.Optimizer:
        parameters = list(self._module.trained().values())
        if self._options.optimiser == "adam":
            return torch.optim.Adam(parameters, lr=self._options.learning_rate)
        return torch.optim.SGD(parameters, lr=self._options.learning_rate, momentum=0.9)

    def _targets(self) -> Tensor:
        """Return labels, or the float network's outputs, for every input."""
        study = self._study
        if self._options.labels == "data":
            labels = study.labels
            if labels is None:
                raise InputError(
                    "labels: data: found data without labels, expected some; give them or take "
                    "--labels none, which follows the float network"
                )
            return torch.from_numpy(np.asarray(labels, dtype=np.int64))
        outputs = predict(
            study.network.model,
            self._output,
            study.inputs,
            what="the float network",
            batch=study.batch,
            threads=study.threads,
            fixed_batch=study.network.fixed_batch,
        )
        return torch.from_numpy(outputs)

    def _clips(self, names: Mapping[str, str]) -> dict[str, float]:
        """Return the largest size of each weight tensor, by its name; biases are not clipped."""
        if self._options.clip is None:
            return {}
        weights = {weight_name(layer) for layer in self._study.network.layers}
        return {
            name: self._options.clip * float(self._module.value(name).detach().std())
            for name in names
            if name in weights
        }

    def run(self, keep: Keep, resumed: Checkpoint | None = None) -> Training:
        """Train.

        Args:
            keep: is given a checkpoint at every refresh.
            resumed: where an earlier training stood.

        Raises:
            NotFiniteError: the loss is NaN or infinite.
            InputError: the checkpoint is of another training.
        """
        if resumed is not None:
            self._resume(resumed)
        options, state, start = self._options, self._state, time.perf_counter()
        stopped = ""
        with self._study.stages("retrain") as progress:
            while True:
                if state.iteration % options.refresh == 0 or state.iteration == options.iterations:
                    self.refresh(time.perf_counter() - start)
                    keep(self._checkpoint())
                    if stopped := self._why_stop():
                        break
                if state.iteration == options.iterations:
                    break
                self.step()
                state.iteration += 1
                progress(state.iteration, options.iterations)
        return Training(
            points=tuple(state.points),
            best=state.best,
            values=state.best_values,
            told={"options": asdict(options), "inputs": len(self._batches.trained)},
            stopped=stopped,
        )

    def refresh(self, seconds: float = 0.0) -> None:
        """Take a chip with the weights as they are, and measure it on what is held out."""
        state, options = self._state, self._options
        self._forward.refresh(self._module, state.iteration // options.refresh)
        loss, right = self._measured(self._batches.held_out)
        state.points.append(
            CurvePoint(
                iteration=state.iteration,
                loss=float(np.mean(state.losses)) if state.losses else None,
                held_out_loss=loss,
                held_out_accuracy=right,
                seconds=seconds,
            )
        )
        state.losses = []
        best = min(range(len(state.points)), key=lambda at: state.points[at].held_out_loss)
        if best == len(state.points) - 1:
            state.best, state.best_values = best, self._values()

    def _why_stop(self) -> str:
        patience, state = self._options.patience, self._state
        if patience is None or len(state.points) - 1 - state.best < patience:
            return ""
        return f"no better loss on what is held out for {patience} refreshes"

    def _measured(self, positions: np.ndarray) -> tuple[float, float]:
        losses, right, total = 0.0, 0.0, 0
        size = self._study.network.fixed_batch or self._options.batch
        with torch.no_grad():
            for at in range(0, len(positions), size):
                part = positions[at : at + size]
                outputs, wanted = self._outputs(part), self._wanted[part]
                losses += float(self._loss(outputs, wanted)) * len(part)
                right += agreement(outputs, wanted) * len(part)
                total += len(part)
        self._check(losses)
        return losses / total, right / total

    def _outputs(self, positions: np.ndarray) -> Tensor:
        """Run the network on inputs, hardware in place of layers."""
        size = self._study.network.fixed_batch
        feeds = self._study.inputs.subset(positions).feeds(0, len(positions), size)
        tensors = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in feeds.items()}
        hooks = self._forward.hooks(self._module)
        rows = self._module(tensors, [self._output], hooks)[self._output]
        return rows.reshape(len(rows), -1)[: len(positions)]

    def step(self) -> None:
        """Train on the next batch."""
        options, state = self._options, self._state
        share = 0.5 * (1 + math.cos(math.pi * state.iteration / options.iterations))
        for group in self._optimiser.param_groups:
            group["lr"] = options.learning_rate * share
        positions = self._batches.at(state.iteration)
        self._optimiser.zero_grad(set_to_none=True)
        loss = self._loss(self._outputs(positions), self._wanted[positions])
        value = float(loss.detach())
        self._check(value)
        loss.backward()
        for name, moving in self._moving.items():
            gradient = self._module.value(name).grad
            if gradient is not None:
                gradient.mul_(moving)
        self._optimiser.step()
        with torch.no_grad():
            for name, bound in self._bounds.items():
                self._module.value(name).clamp_(-bound, bound)
        state.losses.append(value)

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise NotFiniteError(
                f"iteration {self._state.iteration}: found a loss of {loss}, expected a finite number; "
                "take a smaller --learning-rate (the last checkpoint is kept)"
            )

    def _values(self) -> dict[str, np.ndarray]:
        return {name: held.detach().numpy().copy() for name, held in self._module.trained().items()}

    def _checkpoint(self) -> Checkpoint:
        moments: dict[str, np.ndarray] = {}
        steps = 0
        for name, held in self._module.trained().items():
            for key, value in self._optimiser.state.get(held, {}).items():
                if key == "step":
                    steps = int(value)
                elif value is not None:
                    moments[f"{key}/{name}"] = value.detach().numpy().copy()
        return Checkpoint(
            identity=self._identity,
            iteration=self._state.iteration,
            values=self._values(),
            best_values=self._state.best_values,
            moments=moments,
            steps=steps,
            random=self._generator.get_state().numpy().copy(),
            points=tuple(self._state.points),
            best=self._state.best,
        )

    def _resume(self, kept: Checkpoint) -> None:
        """Go on from a checkpoint: at a refresh, whose point it does not hold twice."""
        if kept.identity != self._identity:
            raise InputError(
                "--resume: found a checkpoint of another training, expected the same network, data and "
                "options; train without --resume"
            )
        state = self._state
        state.iteration, state.best = kept.iteration, kept.best
        state.points = list(kept.points)[:-1]
        state.best_values = dict(kept.best_values)
        self._generator.set_state(torch.from_numpy(kept.random.copy()))
        with torch.no_grad():
            for name, held in self._module.trained().items():
                held.copy_(torch.from_numpy(kept.values[name].copy()))
                self._optimiser.state[held] = _restored(kept, name)


def _restored(kept: Checkpoint, name: str) -> dict[str, Any]:
    """Return the optimiser's state of a parameter."""
    found: dict[str, Any] = {}
    for key, array in kept.moments.items():
        kind, _, of = key.partition("/")
        if of == name:
            found[kind] = torch.from_numpy(array.copy())
    if found and "exp_avg" in found:
        found["step"] = torch.tensor(float(kept.steps))
    return found


def scores_name(study: Study) -> str:
    """Return the tensor before a closing softmax, or the evaluated output itself."""
    for node in study.network.model.graph.node:
        if study.output in node.output and node.op_type in ("Softmax", "LogSoftmax"):
            return str(node.input[0])
    return study.output
