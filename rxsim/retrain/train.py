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

import numpy as np

from rxsim.config import settings_hash
from rxsim.errors import InputError
from rxsim.pipeline import Study
from rxsim.retrain.batches import Batches
from rxsim.retrain.channels import Matching
from rxsim.retrain.checkpoint import Checkpoint
from rxsim.retrain.forward import ExactForward, FloatForward, Forward, GaussianForward
from rxsim.retrain.input_ranges import InputRanges
from rxsim.retrain.interpreter import Hook, OnnxModule
from rxsim.retrain.loss import Loss, agreement, distillation, label_loss
from rxsim.retrain.moved import Moved
from rxsim.retrain.options import RetrainOptions
from rxsim.retrain.result import CurvePoint, NotFiniteError, Training
from rxsim.retrain.scores import check_rows, check_scores, check_study, scores_name
from rxsim.retrain.torch_library import Tensor, torch
from rxsim.run.predict import predict
from rxsim.sealed import hash_of

# Assumption: no network computes with such weights; products of larger ones overflow.
_LARGEST = 1e12
# Assumption: inputs that tell means and deviations of channels well enough.
_MATCHED = 128
# The first measures deep layers with ADC ranges of attenuated inputs, the second with their own.
_ROUNDS = 2
Keep = Callable[[Checkpoint], None]
"""Is given a checkpoint at every refresh."""


@dataclass
class _State:
    """What changes while training.

    Attributes:
        iteration: batches that are done.
        points: the curve.
        best: of its points.
        best_values: weights of the best point.
        losses: of the batches since the last refresh.
        before: the network as the file has it, where its channels were matched.
        seconds: of the runs before this one.
    """

    iteration: int = 0
    points: list[CurvePoint] = field(default_factory=list)
    best: int = 0
    best_values: dict[str, np.ndarray] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    before: CurvePoint | None = None
    seconds: float = 0.0


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
        check_study(study, options.train_on)
        torch.set_num_threads(study.threads)
        self._study, self._options = study, options
        self._module = OnnxModule(study.network.model, trainable=set(names))
        self._generator = torch.Generator().manual_seed(options.seed)
        self._output = scores_name(study.network.model, study.output)
        self._batches = Batches(len(study.inputs), options.batch, options.held_out, options.seed)
        self._wanted = self._targets()
        self._loss: Loss = (
            label_loss if options.train_on == "labels" else distillation(options.temperature)
        )
        held = options.ranges != "measured"
        learned = options.ranges == "learned"
        self._ranges = InputRanges(study, learned=learned) if held else None
        self._forward = self._made_forward()
        self._moved = Moved(study.network, self._module, options, fixed, self._ranges)
        self._optimiser = self._moved.optimiser()
        self._identity = hash_of(
            [
                study.network.identity,
                settings_hash(study.settings),
                study.evaluated_identity(),
                study.calibration_identity(),
                study.output,
                asdict(options),
                sorted(names),
            ]
        )
        self._state = _State()

    def _made_forward(self) -> Forward:
        sigma = self._options.gaussian()
        if sigma is not None:
            return GaussianForward(self._study.network, sigma, self._generator)
        if self._options.noise == "none":
            return FloatForward()
        options = self._options
        return ExactForward(self._study, options.gradient, options.chip, self._ranges)

    def _targets(self) -> Tensor:
        """Return labels, or the float network's outputs, for every input."""
        study = self._study
        labels = study.labels if self._options.train_on == "labels" else None
        with torch.no_grad():
            count = 1 if study.provenance.one_by_one or study.network.fixed_batch else 2
            rows = self._rows(np.arange(count), {})
        check_rows(study.output, len(rows), count)
        row = rows[0]
        check_scores(study.output, row.shape, labels)
        if labels is not None:
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
        elif self._options.start == "matched":
            self._match_channels()
        options, state, stopped = self._options, self._state, ""
        start = time.perf_counter() - state.seconds
        with self._study.stages("retrain") as progress:
            while True:
                if state.iteration % options.refresh == 0 or state.iteration == options.iterations:
                    random = self._generator.get_state().numpy().copy()
                    self.refresh(time.perf_counter() - start)
                    keep(self._checkpoint(random))
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
            values={name: state.best_values[name] for name in self._module.trained()},
            before=state.before,
            ranges=self._best_ranges(),
            told={
                "options": asdict(options),
                "inputs": len(self._batches.trained),
                "held_out": len(self._batches.held_out),
            },
            stopped=stopped,
        )

    def _match_channels(self) -> None:
        """Bring each channel's mean and deviation on the chip to the float network's."""
        count = min(_MATCHED, len(self._batches.trained))
        if self._study.network.fixed_batch or self._study.provenance.one_by_one:
            raise InputError(
                "start: found matched and a network that takes a fixed number of inputs at a time, "
                "expected a free batch axis; start from the file"
            )
        self._forward.refresh(self._module, 0)
        loss, right = self._measured(self._batches.held_out)
        self._state.before = CurvePoint(0, None, loss, right, 0.0)
        matching = Matching(self._study.network, self._module)
        positions = self._batches.trained[:count]
        with torch.no_grad():
            self._rows(positions, matching.float_hooks())
            for left in reversed(range(_ROUNDS)):
                on_chip = self._forward.hooks(self._module)
                self._rows(positions, matching.chip_hooks(on_chip))
                with self._moved.keeping_fixed():
                    matching.take_up()
                if left:  # behind the last round the training's first refresh follows
                    self._forward.refresh(self._module, 0)

    def refresh(self, seconds: float = 0.0) -> None:
        """Take a chip with the weights as they are, and measure it on what is held out."""
        state, options = self._state, self._options
        for name, held in self._module.trained().items():
            largest = float(held.detach().abs().max())
            if not largest < _LARGEST:
                raise NotFiniteError(
                    f"iteration {state.iteration}: found {largest:g} in {name}, expected weights below "
                    f"{_LARGEST:g}; take a smaller --learning-rate"
                )
        self._forward.refresh(self._module, -(-state.iteration // options.refresh))
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
        losses, right, total, size = 0.0, 0.0, 0, self._options.batch
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
        """Run the network on inputs, hardware in place of layers.

        Returns:
            (inputs, scores).
        """
        alone = self._study.provenance.one_by_one
        size = self._study.network.fixed_batch or (1 if alone else len(positions))
        hooks = self._forward.hooks(self._module)
        parts = [
            self._rows(positions[at : at + size], hooks) for at in range(0, len(positions), size)
        ]
        return torch.cat(parts).flatten(1)

    def _rows(self, positions: np.ndarray, hooks: Mapping[str, Hook]) -> Tensor:
        """Run the network on the inputs of a batch that it takes."""
        size = self._study.network.fixed_batch
        feeds = self._study.inputs.subset(positions).feeds(0, len(positions), size)
        tensors = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in feeds.items()}
        return self._module(tensors, [self._output], hooks)[self._output][: len(positions)]

    def step(self) -> None:
        """Train on the next batch."""
        options, state = self._options, self._state
        share = 0.5 * (1 + math.cos(math.pi * state.iteration / options.iterations))
        for group in self._optimiser.param_groups:
            group["lr"] = options.learning_rate * share * group["share"]
        positions = self._batches.at(state.iteration)
        self._optimiser.zero_grad(set_to_none=True)
        loss = self._loss(self._outputs(positions), self._wanted[positions])
        value = float(loss.detach())
        self._check(value)
        loss.backward()
        self._moved.pull()
        self._optimiser.step()
        self._moved.take_up()
        state.losses.append(value)

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise NotFiniteError(
                f"iteration {self._state.iteration}: found a loss of {loss}, expected a finite number; "
                "take a smaller --learning-rate"
            )

    def _values(self) -> dict[str, np.ndarray]:
        """Return all that changes while training: weights, biases, input ranges."""
        values = {
            name: held.detach().numpy().copy() for name, held in self._module.trained().items()
        }
        known = {} if self._ranges is None else self._ranges.x_max
        return {**values, **{_range_key(name): np.float64(x) for name, x in known.items()}}

    def _best_ranges(self) -> dict[str, float] | None:
        if self._ranges is None:
            return None
        values = self._state.best_values
        return {name: float(values[_range_key(name)]) for name in self._ranges.x_max}

    def _checkpoint(self, random: np.ndarray) -> Checkpoint:
        moments = {
            f"{key}/{name}": value.detach().numpy().copy()
            for name, held in self._moved.tensors.items()
            for key, value in self._optimiser.state.get(held, {}).items()
            if value is not None
        }
        return Checkpoint(
            identity=self._identity,
            iteration=self._state.iteration,
            values=self._values(),
            best_values=self._state.best_values,
            moments=moments,
            random=random,
            points=tuple(self._state.points),
            best=self._state.best,
            before=self._state.before,
        )

    def _resume(self, kept: Checkpoint) -> None:
        """Go on from a checkpoint: in front of its last refresh, which is done again."""
        if kept.identity != self._identity:
            raise InputError(
                "--resume: found a checkpoint of another training, expected the same network, data, "
                "settings and options; train without --resume"
            )
        state, last = self._state, kept.points[-1]
        state.iteration, state.best, state.before = kept.iteration, kept.best, kept.before
        state.points, state.seconds = list(kept.points)[:-1], last.seconds
        state.losses = [] if last.loss is None else [last.loss]
        state.best_values = dict(kept.best_values)
        self._generator.set_state(torch.from_numpy(kept.random.copy()))
        with torch.no_grad():
            for name, held in self._module.trained().items():
                held.copy_(torch.from_numpy(kept.values[name].copy()))
            for name, held in self._moved.tensors.items():
                self._optimiser.state[held] = _restored(kept, name)
        if self._ranges is not None:
            known = self._ranges.x_max
            known.update({name: float(kept.values[_range_key(name)]) for name in known})


def _range_key(layer: str) -> str:
    """Return the name under which a checkpoint keeps the input range of a layer."""
    return f"input range of {layer}"


def _restored(kept: Checkpoint, name: str) -> dict[str, Tensor]:
    """Return the optimiser's state of a parameter."""
    parts = ((key.partition("/"), array) for key, array in kept.moments.items())
    return {kind: torch.from_numpy(array.copy()) for (kind, _, of), array in parts if of == name}
