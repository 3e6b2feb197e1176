"""The foundries of a study, one for each scenario; what they have in common is done once."""

from __future__ import annotations

from collections.abc import Mapping

from rxsim.calibrate import InputRange
from rxsim.compensate import RangeFactors
from rxsim.errors import InputError
from rxsim.patch import PatchedNetwork
from rxsim.pipeline.chip.chosen_ranges import with_chosen_ranges
from rxsim.pipeline.chip.designs import Designs
from rxsim.pipeline.chip.drift_compensation import DriftReferences
from rxsim.pipeline.chip.foundry import Foundry, open_foundry
from rxsim.pipeline.chip.mapped import Mapped, input_ranges, map_study
from rxsim.pipeline.chip.room import check_room
from rxsim.pipeline.chip.solved import SolvedArrays
from rxsim.pipeline.study.study import Study
from rxsim.scenarios import Scenario, as_built


class Foundries:
    """Opens the foundry of any scenario of a study."""

    def __init__(self, study: Study, before: Foundries | None = None) -> None:
        """Start without any.

        Args:
            study: the study.
            before: those of the same study with other steps of compensation; their solved arrays,
                designs and input ranges are used again.

        Raises:
            InputError: an array takes more memory than there is.
        """
        check_room(study)
        self._study = study
        self.solved: SolvedArrays = SolvedArrays(study) if before is None else before.solved
        self.designs: Designs = Designs(study) if before is None else before.designs
        self.chosen_ranges: dict[str, Mapping[str, RangeFactors]] = (
            {} if before is None else before.chosen_ranges
        )
        self._input_ranges = None if before is None else before.input_ranges
        self._references = DriftReferences()
        self._open: dict[Scenario, Foundry] = {}

    @property
    def input_ranges(self) -> dict[str, InputRange]:
        """Range of every layer's inputs, by its name."""
        if self._input_ranges is None:
            self._input_ranges = input_ranges(self._study)
        return self._input_ranges

    def map(self, scenario: Scenario) -> Mapped:
        """Map the study's layers under a scenario, with the converter ranges that steps choose.

        Raises:
            RxsimError: something in the study can't be used under it.
        """
        study, designs = self._study, self.designs
        return with_chosen_ranges(
            study,
            scenario,
            map_study(study, scenario, self.input_ranges, designs),
            self.solved,
            lambda ranges: map_study(study, scenario, ranges, designs),
            self.chosen_ranges,
        )

    def open(self, scenario: Scenario) -> Foundry:
        """Return the foundry of a scenario.

        Raises:
            RxsimError: something in the study can't be used under it.
        """
        if scenario not in self._open:
            self._open[scenario] = open_foundry(
                self._study, scenario, self.map(scenario), self.solved, self._references
            )
        return self._open[scenario]


def patched_chip(study: Study, trial: int = 0) -> PatchedNetwork:
    """Return the patched network of one chip: what `rxsim patch` writes, without its origin.

    Raises:
        InputError: something in the study can't be used.
    """
    if trial < 0:
        raise InputError(f"trial: found {trial}, expected 0 or above")
    return Foundries(study).open(as_built(study.settings)).make(trial).network
