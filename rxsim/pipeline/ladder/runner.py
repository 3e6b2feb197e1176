"""Runs of a study's networks over the evaluated inputs, scored against the float network."""

from __future__ import annotations

from functools import partial

import numpy as np

from rxsim.data import choose_positions
from rxsim.errors import DataError, InputError
from rxsim.metrics import truth_for
from rxsim.patch import PatchedNetwork
from rxsim.pipeline.chip.memo import remembered_outputs
from rxsim.pipeline.study.outputs import outputs_of
from rxsim.pipeline.study.study import Study
from rxsim.run import LayerHealth, Scores, diagnose_layers, remarks_on, score

DIAGNOSED_INPUTS = 500
"""Layers are compared on at most this many of the evaluated inputs: enough for 0.1 dB."""


class Runner:
    """Runs networks over the evaluated inputs and scores them against the float network.

    Attributes:
        diagnosed: positions of the inputs on which layers are compared.
    """

    def __init__(self, study: Study) -> None:
        """Start without having run anything: the float network is to be scored first.

        Raises:
            InputError: no output of the network can be evaluated.
        """
        if study.no_output:
            raise InputError(study.no_output)
        self._study = study
        self._reference: np.ndarray | None = None
        self._classes = study.labels if truth_for(study.metric) == "classes" else None
        self.diagnosed = choose_positions(
            self._classes, len(study.inputs), DIAGNOSED_INPUTS, study.settings.seed
        )

    def score_float(self) -> Scores:
        """Run the user's own model and keep its output as the reference."""
        name = self._study.network.path.name
        model = self._study.network.original
        run = partial(outputs_of, self._study, model, "float32", f"model {name}")
        self._reference = remembered_outputs(self._study, model, run)
        self._check_labels()
        return self._score(self._reference)

    def _check_labels(self) -> None:
        labels, classes = self._classes, self._outputs.shape[1]
        targets = self._study.labels if labels is None else None
        if targets is not None and targets.size != self._outputs.size:
            raise DataError(
                f"data: found targets y of shape {list(targets.shape[1:])} each, expected {classes} "
                f"values as the output {self._study.output} of {self._study.network.path.name} has; "
                "reshape y"
            )
        if labels is not None and int(labels.max()) >= classes:
            raise DataError(
                f"data: found the label {int(labels.max())}, expected labels below {classes}, the "
                f"number of outputs of {self._study.network.path.name}; check the data or the model"
            )

    @property
    def remarks(self) -> dict[str, str]:
        """What has to be said of the float network's outputs, a sentence each by its name."""
        return remarks_on(self._outputs)

    @property
    def _outputs(self) -> np.ndarray:
        assert self._reference is not None
        return self._reference

    def score(self, patched: PatchedNetwork, rung: str, *, keep: bool = False) -> Scores:
        """Run a patched network; `keep` its outputs where others may want them again."""
        run = partial(outputs_of, self._study, patched.model, rung, f"the patched network ({rung})")
        return self._score(remembered_outputs(self._study, patched.model, run) if keep else run())

    def _score(self, outputs: np.ndarray) -> Scores:
        return score(outputs, self._outputs, self._study.labels, self._study.metric)

    def diagnose(self, patched: PatchedNetwork) -> dict[str, LayerHealth]:
        """Compare every layer with its float twin."""
        study = self._study
        with study.stages("diagnose") as progress:
            return diagnose_layers(
                study.network.model,
                patched,
                study.network.layers,
                study.inputs.subset(self.diagnosed),
                batch=study.batch,
                threads=study.in_flight,
                fixed_batch=study.network.fixed_batch,
                progress=progress,
            )
