"""Choose the steps that help: the best next, as long as it helps beyond its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rxsim.compensate import STEPS, chosen_steps
from rxsim.config import AUTO, Settings, StepEntry, step_name
from rxsim.counted import counted
from rxsim.deadline import Deadline
from rxsim.errors import InputError, RxsimError
from rxsim.pipeline.auto.candidates import candidates
from rxsim.pipeline.auto.judge import Judge
from rxsim.pipeline.study.study import Study, with_settings
from rxsim.statistics import Interval, bounds_of, difference_interval

BUDGET = 300.0
"""Seconds after which no further list is tried."""


@dataclass(frozen=True, slots=True)
class TriedSteps:
    """A list of steps that was tried.

    Attributes:
        steps: the list.
        error: mean square error of the outputs, over the float outputs' mean square.
        gain: what the list takes from the error of the best list so far; None: it could not be taken.
        interval: 95 % interval of the gain of these chips, over inputs; None of a single input.
        kept: whether the list became the best.
        problem: why it could not be taken; empty where it could.
    """

    steps: tuple[StepEntry, ...]
    error: float | None
    gain: float | None
    interval: tuple[float, float] | None
    kept: bool
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "steps": list(self.steps),
            "error": self.error,
            "gain": self.gain,
            "interval": None if self.interval is None else list(self.interval),
            "kept": self.kept,
            **({"problem": self.problem} if self.problem else {}),
        }


@dataclass(frozen=True, slots=True)
class ChosenSteps:
    """What `compensate: auto` chose.

    Attributes:
        steps: the list.
        before: mean square error of the outputs without steps, over the float outputs' mean square.
        after: with them.
        tried: every list that was tried, in order.
        inputs: calibration inputs that judged.
        complete: whether the time sufficed for all that was to be tried.
    """

    steps: tuple[StepEntry, ...]
    before: float
    after: float
    tried: tuple[TriedSteps, ...]
    inputs: int
    complete: bool

    def __str__(self) -> str:
        """Tell it in a line."""
        chosen = ", ".join(map(_shown, self.steps)) or "no step: none helps beyond its error"
        error = f"error of outputs {_percent(self.before)} -> {_percent(self.after)}"
        tried = f"{counted(len(self.tried), 'list')} tried on {self.inputs} calibration inputs"
        rest = "" if self.complete else "; time was up before all were tried"
        return f"compensate: auto chose {chosen} ({error}; {tried}{rest})"

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "told": str(self),
            "steps": list(self.steps),
            "error_before": self.before,
            "error_after": self.after,
            "tried": [each.as_json() for each in self.tried],
            "inputs": self.inputs,
            "complete": self.complete,
        }


def _shown(entry: StepEntry) -> str:
    if isinstance(entry, str):
        return entry
    options = next(iter(entry.values())).items()
    return f"{step_name(entry)} ({', '.join(f'{name}: {value}' for name, value in options)})"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def with_chosen_steps(study: Study, budget: float = BUDGET) -> Study:
    """Return a study under the steps that help, where its settings say `compensate: auto`.

    What was chosen, and how, is a note and `chosen_steps` of the study.

    Args:
        study: the study; one with other settings is returned as it is.
        budget: seconds after which no further list is tried.

    Raises:
        InputError: the network has no output to judge by, or there are too few calibration inputs.
        RxsimError: something in the study can't be used.
    """
    if study.settings.compensate != AUTO:
        return study
    if study.no_output:
        raise InputError(study.no_output)
    chosen = choose_steps(study, Deadline(budget))
    settings = study.settings.model_copy(update={"compensate": chosen.steps})
    return replace(
        with_settings(study, settings),
        calibration_file=study.calibration_file,
        notes=(*study.notes, str(chosen)),
        chosen_steps=chosen.as_json(),
    )


def check_chosen(settings: Settings) -> None:
    """Refuse settings whose steps are still to be chosen.

    Raises:
        SettingError: `compensate` is auto, or an option of a step is impossible.
    """
    chosen_steps(settings)


def choose_steps(study: Study, deadline: Deadline) -> ChosenSteps:
    """Try steps on calibration inputs, and keep those that help beyond their error.

    In each round every step that is left is put behind those that were kept; the one that takes most
    from the error is kept. Then neighbours that act at the same place are exchanged.

    Args:
        study: the study.
        deadline: no further list is tried when it is passed.
    """
    search = _Search(Judge(study), deadline)
    rest = candidates(list(study.layer_settings().values()))
    while rest:
        rest = search.round(rest)
    search.exchange()
    return search.result


class _Search:
    """The best list so far, and all that were tried."""

    def __init__(self, judge: Judge, deadline: Deadline) -> None:
        self._judge, self._deadline = judge, deadline
        self._steps: tuple[StepEntry, ...] = ()
        self._errors = judge.errors(())
        self._before = float(self._errors.mean())
        self._tried: list[TriedSteps] = []
        self._complete = True

    @property
    def result(self) -> ChosenSteps:
        return ChosenSteps(
            steps=self._steps,
            before=self._before,
            after=float(self._errors.mean()),
            tried=tuple(self._tried),
            inputs=self._judge.inputs,
            complete=self._complete,
        )

    def round(self, rest: Sequence[StepEntry]) -> list[StepEntry]:
        """Try each step behind the kept ones, keep the best; return those that may help yet."""
        results = [(entry, self._try((*self._steps, entry))) for entry in rest]
        known = [(entry, errors) for entry, errors in results if errors is not None]
        proven = [
            (float((self._errors - errors).mean()), entry, errors)
            for entry, errors in known
            if _is_proven(self._errors - errors)
        ]
        if not proven:
            return []
        _, best, errors = max(proven, key=lambda item: item[0])
        hopeful = [entry for entry, each in known if (self._errors - each).mean() > 0]
        self._keep((*self._steps, best), errors)
        return [entry for entry in hopeful if step_name(entry) != step_name(best)]

    def exchange(self) -> None:
        """Exchange neighbours that act at the same place, where that helps."""
        for place in range(len(self._steps) - 1):
            first, second = self._steps[place : place + 2]
            if STEPS[step_name(first)].place == STEPS[step_name(second)].place:
                steps = (*self._steps[:place], second, first, *self._steps[place + 2 :])
                errors = self._try(steps)
                if errors is not None and _is_proven(self._errors - errors):
                    self._keep(steps, errors)

    def _try(self, steps: tuple[StepEntry, ...]) -> np.ndarray | None:
        if self._deadline.passed:
            self._complete = False
            return None
        try:
            errors = self._judge.errors(steps)
        except RxsimError as error:
            self._tried.append(TriedSteps(steps, None, None, None, kept=False, problem=str(error)))
            return None
        gains = self._errors - errors
        bounds = bounds_of(_interval(gains))
        interval = None if bounds is None else (bounds[0], bounds[1])
        self._tried.append(
            TriedSteps(steps, float(errors.mean()), float(gains.mean()), interval, kept=False)
        )
        return errors

    def _keep(self, steps: tuple[StepEntry, ...], errors: np.ndarray) -> None:
        self._steps, self._errors = steps, errors
        self._tried = [replace(each, kept=each.kept or each.steps == steps) for each in self._tried]


def _interval(gains: np.ndarray) -> Interval | None:
    """Return the interval of the gain of these chips: inputs are the sample.

    Two or three chips tell nearly nothing of others by themselves: Student's t is 12.7 or 4.3.
    """
    return difference_interval(gains.mean(axis=0, keepdims=True))


def _is_proven(gains: np.ndarray) -> bool:
    """Tell whether gains, float64 (chips, inputs), are above 0 on every chip and beyond their error."""
    interval = _interval(gains)
    return interval is not None and interval.low > 0 and bool((gains.mean(axis=1) > 0).all())
