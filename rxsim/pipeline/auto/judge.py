"""How well a list of steps does: the error of the network's outputs on calibration inputs.

Half of the calibration inputs measure (ranges of converters, and what steps learn of a chip), the
others judge: a step that only repeats what it measured gains nothing there. Evaluated inputs have no
part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx

from rxsim.config import StepEntry
from rxsim.errors import InputError
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.study.outputs import outputs_of
from rxsim.pipeline.study.study import Study, with_settings
from rxsim.scenarios import as_built
from rxsim.seeds import Sample, sample_generator

MOST_CHIPS = 3
"""Chips that judge. Assumption: what helps three chips of a design helps the others."""
FEWEST_INPUTS = 8


class Judge:
    """Measures the outputs' error of a study's chips under lists of steps."""

    def __init__(self, study: Study) -> None:
        """Divide the calibration inputs, and run the float network.

        Raises:
            InputError: there are too few calibration inputs to be divided.
        """
        count = len(study.calibration)
        if count < FEWEST_INPUTS:
            raise InputError(
                f"compensate: found auto with {count} calibration inputs, expected at least "
                f"{FEWEST_INPUTS}, of which half choose; raise calibration.samples, or name the steps"
            )
        drawn = sample_generator(study.settings.seed, Sample.CHOOSING_STEPS).permutation(count)
        measure, judge = np.sort(drawn[: count // 2]), np.sort(drawn[count // 2 :])
        inputs = study.calibration
        self._study = replace(
            study,
            inputs=inputs.subset(judge),
            calibration=inputs.subset(measure),
            labels=None,
            indices=None,
            metric="none",
            calibration_file=None,
            cache=None,  # it knows inputs by their provenance, which tells nothing of halves
        )
        self._foundries: Foundries | None = None
        self._wanted = self._run(study.network.original, "float32", "the float network")
        self._power = float(np.square(self._wanted).sum(axis=1).mean()) or 1.0

    @property
    def inputs(self) -> int:
        """How many inputs judge."""
        return len(self._study.inputs)

    def errors(self, steps: Sequence[StepEntry]) -> np.ndarray:
        """Return the square error of the network's outputs under some steps.

        In units of the mean square of the float network's outputs.

        Args:
            steps: the list `compensate`.

        Returns:
            float64 (chips, inputs).

        Raises:
            RxsimError: the steps can't be taken.
        """
        settings = self._study.settings.model_copy(update={"compensate": tuple(steps)})
        study = with_settings(self._study, settings)
        # Arrays that no step changes are solved once for all lists.
        self._foundries = Foundries(study, self._foundries)
        foundry = self._foundries.open(as_built(settings))
        rows = []
        for trial in range(min(foundry.chips, MOST_CHIPS)):
            chip = foundry.make(trial)
            outputs = self._run(chip.network.model, "auto", "the patched network")
            rows.append(np.square(outputs - self._wanted).sum(axis=1) / self._power)
        return np.stack(rows)

    def _run(self, model: onnx.ModelProto, stage: str, what: str) -> np.ndarray:
        return outputs_of(self._study, model, stage, what).astype(np.float64)
