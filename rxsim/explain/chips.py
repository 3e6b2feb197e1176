"""The quantity of a study's chips under any set of effects; equal hardware is run once.

Sets of effects that leave the same settings are the same hardware. Those whose nominal arrays are the
same come after one another, so that few arrays are in memory; the study's cache holds what was solved.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable
from itertools import groupby
from typing import NamedTuple

import numpy as np

from rxsim.circuit import when_compiling
from rxsim.config import as_plain
from rxsim.deadline import Deadline
from rxsim.explain.forecast import Forecast, SetSeconds
from rxsim.explain.quantity import Quantity, noise_of
from rxsim.explain.shapley import Coalition
from rxsim.pipeline import Foundries, Foundry, Runner, Study, for_each
from rxsim.run import Scores
from rxsim.scenarios import Scenario, nominal
from rxsim.tiles import TILES


class _Name(NamedTuple):
    """Identifies hardware.

    Attributes:
        arrays: its nominal arrays.
        whole: all of its settings.
        programmed: its programmed arrays, without converters.
    """

    arrays: str
    whole: str
    programmed: str


class Chips:
    """Scores the chips of a study under sets of effects.

    Attributes:
        runs: patched networks that were run over the images.
        forecast: learns how long they take.
        most: chips of a set of effects at most; None: as many as the settings say.
    """

    def __init__(
        self,
        study: Study,
        runner: Runner,
        floating: Scores,
        quantity: Quantity,
        forecast: Forecast | None = None,
    ) -> None:
        """Start without any values.

        Args:
            study: the study; its cache takes what is solved.
            runner: has scored the float network.
            floating: these scores.
            quantity: what is measured.
            forecast: learns how long sets of effects and layers take; None: nobody waits.
        """
        self.study, self.runner, self.quantity = study, runner, quantity
        self.floating = floating
        self.runs = 0
        self.most: int | None = None
        self.forecast = forecast or Forecast(None, Deadline())
        self._values: dict[str, np.ndarray] = {}
        self._noise: dict[str, np.ndarray] = {}
        self._names: dict[Coalition, _Name] = {}
        self._asked: dict[Coalition, None] = {}
        self._programmed: set[str] = set()

    def build(
        self, effects: Coalition, needed: Iterable[Coalition] = (), deadline: Deadline | None = None
    ) -> np.ndarray:
        """Measure the built chips; with a budget no more of them than there is time for.

        There is at least one. All that follows takes as many.

        Args:
            effects: all of them.
            needed: sets of effects that are to be measured on the same chips before the deadline.
            deadline: when these are to be done.

        Returns:
            float64 (chips, images), see `value`.

        Raises:
            RxsimError: arrays can't be solved.
        """
        if deadline is None or not deadline.is_set:
            return self.value(effects)
        sets, programmed = self.ahead(needed)

        def is_enough(chips: int, making: float, scoring: float) -> bool:
            each = programmed * making + sets * scoring
            return (making + scoring + (chips + 1) * each) / chips > deadline.left

        name = self._name(effects)
        self._asked[effects] = None
        self._measure(name, effects, Foundries(self.study), is_enough)
        return self._values[name.whole]

    def count(self, foundry: Foundry) -> int:
        """Return how many chips of a foundry are made."""
        return foundry.chips if self.most is None else min(foundry.chips, self.most)

    def value(self, effects: Coalition) -> np.ndarray:
        """Return the quantity where some effects are on.

        Returns:
            float64 (chips, images), or (chips, 1) for a number a chip; one row where all are the same.

        Raises:
            RxsimError: the settings contradict each other, or arrays can't be solved.
        """
        self.measure([effects])
        return self._values[self._name(effects).whole]

    def noise(self, effects: Coalition) -> np.ndarray:
        """Return the noise of the network's output where some effects are on.

        Returns:
            float64 (chips, 1): sum of squared errors over that of the float network's output.

        Raises:
            RxsimError: as `value` does.
        """
        self.measure([effects])
        return self._noise[self._name(effects).whole]

    def measure(self, sets: Iterable[Coalition], deadline: Deadline | None = None) -> bool:
        """Measure several sets of effects.

        Returns:
            Whether there was time for all.
        """
        sets = list(sets)
        self._asked.update(dict.fromkeys(sets))
        missing = self._missing(sets)
        for _, alike in groupby(sorted(missing), key=lambda name: name.arrays):
            foundries = Foundries(self.study)
            for name in alike:
                if deadline is not None and deadline.passed:
                    return False
                self._measure(name, missing[name], foundries)
        return True

    def ahead(self, sets: Iterable[Coalition]) -> tuple[int, int]:
        """Count what `measure` would run: sets, and those whose arrays are programmed anew."""
        missing = self._missing(sets)
        return len(missing), len({name.programmed for name in missing} - self._programmed)

    def _missing(self, sets: Iterable[Coalition]) -> dict[_Name, Coalition]:
        names = {self._name(effects): effects for effects in sets}
        return {name: effects for name, effects in names.items() if name.whole not in self._values}

    def known(self) -> list[Coalition]:
        """List the measured sets of effects."""
        return [effects for effects in self._asked if self._name(effects).whole in self._values]

    def _measure(
        self,
        name: _Name,
        effects: Coalition,
        foundries: Foundries,
        is_enough: Callable[[int, float, float], bool] | None = None,
    ) -> None:
        """Run the chips of a set of effects: the quantity (chips, images), the noise (chips, 1).

        Args:
            name: identifies their hardware.
            effects: the set.
            foundries: open it.
            is_enough: tells of chips, and of the seconds that all took to be made and to be scored,
                whether there is no time for another one; None: all are made.
        """
        compiled = list[bool]()
        begin = time.perf_counter()
        with when_compiling(lambda: compiled.append(True)):
            foundry = foundries.open(Scenario(_told(effects), effects))
        opened, making = time.perf_counter(), 0.0
        rows, noise = [], []
        for trial in range(self.count(foundry)):
            start = time.perf_counter()
            network = foundry.make(trial).network
            making += time.perf_counter() - start
            scores = self.runner.score(network, "chips", keep=True)
            rows.append(self.quantity.values(scores, self.floating))
            noise.append([noise_of(scores)])
            self.runs += 1
            made = time.perf_counter() - opened
            more = trial + 1 < foundry.chips
            if is_enough and more and is_enough(trial + 1, making, made - making):
                self.most = trial + 1
                break
        self._values[name.whole], self._noise[name.whole] = np.stack(rows), np.array(noise)
        seconds = SetSeconds(
            opening=0.0 if compiled else opened - begin,  # kernels are compiled once
            making=making,
            scoring=time.perf_counter() - opened - making,
            programmed=name.programmed not in self._programmed,
        )
        self._programmed.add(name.programmed)
        self.forecast.set_run(seconds)

    def _name(self, effects: Coalition) -> _Name:
        """Identify the hardware of a set of effects."""
        if effects not in self._names:
            scenario = Scenario(_told(effects), effects)
            layers = for_each(self.study.layer_settings(), scenario.settings)
            distinct = {json.dumps(as_plain(each)): each for each in layers.values()}
            self._names[effects] = _Name(
                arrays=json.dumps([TILES.of(nominal(each)) for each in distinct.values()]),
                whole=json.dumps(sorted(distinct)),
                programmed=json.dumps([TILES.of(each) for each in distinct.values()]),
            )
        return self._names[effects]


def _told(effects: Collection[str]) -> str:
    """Name a set of effects in messages."""
    return "with " + ", ".join(sorted(effects)) if effects else "without any effect"
