"""The quantity of a study's chips under any set of effects; equal hardware is run once.

Sets of effects that leave the same settings are the same hardware. Those whose nominal arrays are the
same come after one another, so that few arrays are in memory; the study's cache holds what was solved.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from itertools import groupby

import numpy as np

from rxsim.config import as_plain
from rxsim.explain.deadline import Deadline
from rxsim.explain.quantity import Quantity, noise_of
from rxsim.explain.shapley import Coalition
from rxsim.pipeline import Foundries, Foundry, Runner, Study, for_each
from rxsim.run import Scores
from rxsim.scenarios import Scenario, nominal
from rxsim.tiles import TILES


class Chips:
    """Scores the chips of a study under sets of effects.

    Attributes:
        runs: patched networks that were run over the images.
    """

    def __init__(self, study: Study, runner: Runner, floating: Scores, quantity: Quantity) -> None:
        """Start without any values.

        Args:
            study: the study; its cache takes what is solved.
            runner: has scored the float network.
            floating: these scores.
            quantity: what is measured.
        """
        self.study, self.runner, self.quantity = study, runner, quantity
        self.floating = floating
        self.runs = 0
        self._values: dict[str, np.ndarray] = {}
        self._noise: dict[str, np.ndarray] = {}
        self._names: dict[Coalition, tuple[str, str]] = {}

    def value(self, effects: Coalition) -> np.ndarray:
        """Return the quantity where some effects are on.

        Returns:
            float64 (chips, images), or (chips, 1) for a number a chip; one row where all are the same.

        Raises:
            RxsimError: the settings contradict each other, or arrays can't be solved.
        """
        self.measure([effects])
        return self._values[self._name(effects)[1]]

    def noise(self, effects: Coalition) -> np.ndarray:
        """Return the noise of the network's output where some effects are on.

        Returns:
            float64 (chips, 1): sum of squared errors over that of the float network's output.

        Raises:
            RxsimError: as `value` does.
        """
        self.measure([effects])
        return self._noise[self._name(effects)[1]]

    def measure(self, sets: Iterable[Coalition], deadline: Deadline | None = None) -> bool:
        """Measure several sets of effects.

        Returns:
            Whether there was time for all.
        """
        missing = {
            self._name(effects): effects
            for effects in sets
            if self._name(effects)[1] not in self._values
        }
        for _, alike in groupby(sorted(missing), key=lambda name: name[0]):
            foundries = Foundries(self.study)
            for name in alike:
                if deadline is not None and deadline.passed:
                    return False
                effects = missing[name]
                foundry = foundries.open(Scenario(_told(effects), effects))
                self._values[name[1]], self._noise[name[1]] = self._scored(foundry)
        return True

    def known(self) -> list[Coalition]:
        """List the measured sets of effects."""
        return [effects for effects, (_, whole) in self._names.items() if whole in self._values]

    def _scored(self, foundry: Foundry) -> tuple[np.ndarray, np.ndarray]:
        """Return the quantity of a foundry's chips, (chips, images), and their noise, (chips, 1)."""
        rows, noise = [], []
        for trial in range(foundry.chips):
            scores = self.runner.score(foundry.make(trial).network, "chips", keep=True)
            rows.append(self.quantity.values(scores, self.floating))
            noise.append([noise_of(scores)])
            self.runs += 1
        return np.stack(rows), np.array(noise)

    def _name(self, effects: Coalition) -> tuple[str, str]:
        """Identify hardware: its nominal arrays, and all of its settings."""
        if effects not in self._names:
            scenario = Scenario(_told(effects), effects)
            layers = for_each(self.study.layer_settings(), scenario.settings)
            distinct = {json.dumps(as_plain(each)): each for each in layers.values()}
            arrays = [TILES.of(nominal(each)) for each in distinct.values()]
            whole = json.dumps(sorted(distinct))
            self._names[effects] = json.dumps(arrays), whole
        return self._names[effects]


def _told(effects: Collection[str]) -> str:
    """Name a set of effects in messages."""
    return "with " + ", ".join(sorted(effects)) if effects else "without any effect"
