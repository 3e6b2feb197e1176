"""What compensation did: each step's own gain, what it knew and asked for, and what came back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from rxsim.compensate import ChosenStep, Needs, Residual, chosen_steps, tested_once
from rxsim.estimate import Estimate, estimate
from rxsim.metrics import all_metrics, chosen_metric
from rxsim.pipeline.chip.foundry import Foundry, MadeChip
from rxsim.pipeline.ladder.rung import Rung, plain_value
from rxsim.scenarios import step_by_step

UNCOMPENSATED, WITHOUT_CIRCUIT = "nonideal", "ideal"
"""The rungs that compensation starts from, and that it can at best bring back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTold:
    """A step of the list, as a result tells of it.

    Attributes:
        name: its name.
        title: its name for readers.
        options: its options, plain, defaults included.
        place: where it acts: design, ranges, tile or output.
        knows: design, or chip.
        source: the publication.
        rung: the rung whose last step it is.
        needs: the hardware that it asks for, by layer name, beyond the test of cells that a step
            before it asked for; nothing where it changed nothing.
        residuals: the error that it works on, by layer name, of the first chip; empty where it tells
            none.
        gain: of its rung over the rung before; None where either was not run.
        changed: whether it changed anything: on the first chip, or in what any chip makes of an image.
        cells_tested_for: the step whose test of cells serves this one, too.
    """

    name: str
    title: str
    options: Mapping[str, Any]
    place: str
    knows: str
    source: str
    rung: str
    needs: Mapping[str, Needs]
    residuals: Mapping[str, Residual]
    gain: Estimate | None = None
    changed: bool = True
    cells_tested_for: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON; `needs_by_layer` holds layers of which it asks anything."""
        return {
            "name": self.name,
            "title": self.title,
            "options": dict(self.options),
            "place": self.place,
            "knows": self.knows,
            "source": self.source,
            "rung": self.rung,
            "changed": self.changed,
            "needs": asdict(reduce(add, self.needs.values(), Needs())),
            "needs_by_layer": {
                name: {key: count for key, count in asdict(needs).items() if count}
                for name, needs in self.needs.items()
                if needs != Needs()
            },
            "residual": _residual_as_json(self.residuals),
            "gain": None if self.gain is None else self.gain.as_json(),
            **({"cells_tested_for": self.cells_tested_for} if self.cells_tested_for else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Compensation:
    """What the steps of an evaluation did.

    Attributes:
        rung: of the built chips, which have all steps.
        metric: name of the metric of the gains.
        steps: in the order of the list.
        taken: what the circuit took: `ideal` less `nonideal`; None where either was not run.
        gain: what all steps gave: `compensated` less `nonideal`; None likewise.
        returned: gain over taken, a share; None where what was taken is not beyond its error.
    """

    rung: str
    metric: str
    steps: tuple[StepTold, ...]
    taken: Estimate | None = None
    gain: Estimate | None = None
    returned: Estimate | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        parts = {"taken": self.taken, "gain": self.gain, "share_returned": self.returned}
        return {
            "rung": self.rung,
            "metric": self.metric,
            "steps": [step.as_json() for step in self.steps],
            **{name: None if part is None else part.as_json() for name, part in parts.items()},
        }


def compensation_of(
    foundry: Foundry, first: MadeChip, ladder: Sequence[Rung], option: str
) -> Compensation:
    """Tell what the steps of the built chips did.

    Args:
        foundry: of the built chips.
        first: the first of them.
        ladder: the rungs, float32 first.
        option: what `--metric` says.
    """
    settings = foundry.study.settings
    rungs = [scenario.name for scenario in step_by_step(settings)]
    steps = chosen_steps(settings)
    gains = Gains(ladder, option, alike=not foundry.random)
    told = []
    for at, chosen in enumerate(steps):
        before, rung = rungs[at - 1] if at else UNCOMPENSATED, rungs[at]
        step = replace(_told(chosen, rung, foundry), gain=gains.between(before, rung))
        # What a step tells goes by its name: of one that is taken twice the last is known.
        if chosen.name not in {later.name for later in steps[at + 1 :]}:
            step = replace(step, residuals=_residuals(first, chosen.name))
            if _is_idle(step, first) and not gains.differ(before, rung):
                step = replace(step, needs=dict.fromkeys(step.needs, Needs()), changed=False)
        told.append(step)
    return Compensation(
        rung=rungs[-1],
        metric=gains.metric,
        steps=tuple(_tested_once(told)),
        taken=gains.between(UNCOMPENSATED, WITHOUT_CIRCUIT),
        gain=gains.between(UNCOMPENSATED, rungs[-1]),
        returned=gains.share_returned(rungs[-1]),
    )


def _told(chosen: ChosenStep, rung: str, foundry: Foundry) -> StepTold:
    """Tell what follows from a step and the layers alone; cells that layers share count once."""
    plan = foundry.study.plan.layers
    needs: dict[str, Needs] = {}
    for layer in foundry.mapped.layers:
        name = layer.layer.name
        needs[name] = chosen.step.needs(layer, chosen.options)
        if plan[name].shared_with is not None:
            needs[name] = replace(needs[name], spare_columns=0, cell_reads=0)
    return StepTold(
        name=chosen.name,
        title=chosen.step.title,
        options=chosen.options.model_dump(mode="json"),
        place=chosen.step.place,
        knows=chosen.step.knows(chosen.options),
        source=chosen.step.source,
        rung=rung,
        needs=needs,
        residuals={},
    )


def _tested_once(steps: Sequence[StepTold]) -> list[StepTold]:
    """List the test of all cells at the first step that needs it, and name that step at the others."""
    counted = {
        name: tested_once([step.needs[name] for step in steps])
        for name in (steps[0].needs if steps else {})
    }
    told: list[StepTold] = []
    tests: str | None = None
    for at, step in enumerate(steps):
        asks = any(each.cell_reads for each in step.needs.values())
        needs = {name: counted[name][at] for name in step.needs}
        told.append(replace(step, needs=needs, cells_tested_for=tests if asks else None))
        if asks and tests is None:
            tests = step.name
    return told


def _is_idle(step: StepTold, chip: MadeChip) -> bool:
    """Tell whether a step left a chip as it was.

    Digital steps say so; of others no layer's residual differs. Steps on targets tell residuals
    wherever stuck cells change a weight.
    """
    if step.place == "output":
        return step.name in chip.idle_steps
    if not step.residuals:
        return step.place == "tile"
    return all(each.before == each.after for each in step.residuals.values())


def _residuals(chip: MadeChip, step: str) -> dict[str, Residual]:
    return {name: each[step] for name, each in chip.residuals.items() if step in each}


def _residual_as_json(residuals: Mapping[str, Residual]) -> dict[str, Any] | None:
    """Return the medians over layers, the layer with the largest after the step, and all layers."""
    if not residuals:
        return None
    worst = max(residuals, key=lambda name: residuals[name].after)
    both = {
        name: {"before": plain_value(float(each.before)), "after": plain_value(float(each.after))}
        for name, each in residuals.items()
    }
    return {
        "unit": residuals[worst].unit,
        "before": plain_value(float(np.median([each.before for each in residuals.values()]))),
        "after": plain_value(float(np.median([each.after for each in residuals.values()]))),
        "worst_layer": {"name": worst, **both[worst]},
        "by_layer": both,
    }


class Gains:
    """Differences of rungs, paired on the same chips and images; positive is better.

    Attributes:
        metric: the chosen one, else agreement, else SNR.
    """

    def __init__(self, ladder: Sequence[Rung], option: str, *, alike: bool) -> None:
        """Choose the metric.

        Args:
            ladder: the rungs, float32 first.
            option: what `--metric` says.
            alike: all chips are the same, so one stands for all.
        """
        self._rungs = {rung.name: rung for rung in ladder}
        self._floating, self._alike = ladder[0].trials[0], alike
        names = (chosen_metric(option), "agreement", "snr_db")
        self.metric = next(
            name for name in names if name is not None and self._floating.values[name] is not None
        )

    def between(self, before: str, after: str) -> Estimate | None:
        """Return the gain of a rung over another; None where it can't be known."""
        difference = self._difference(before, after)
        return None if difference is None else estimate(difference)

    def differ(self, before: str, after: str) -> bool:
        """Tell whether any chip makes something else of an image; False where it can't be known."""
        rungs = [self._rungs.get(name) for name in (before, after)]
        if rungs[0] is None or rungs[1] is None:
            return False
        runs = zip(rungs[0].trials, rungs[1].trials, strict=False)
        if any(not np.array_equal(old.predictions, new.predictions) for old, new in runs):
            return True
        difference = self._difference(before, after)
        return difference is not None and bool(difference.any())

    def share_returned(self, rung: str) -> Estimate | None:
        """Return which share of what the circuit took a rung gives back, with its error.

        A ratio R = mean(G)/mean(T) of paired gains G and losses T has the error of the mean of
        (G - R T)/mean(T), by the delta method. Source: Casella and Berger, Statistical Inference, 2nd
        edition, section 5.5.4.

        Returns:
            None where 0 is within the interval of what was taken, or below: then there is no share. Of
            decibels neither.
        """
        taken, gain = (self._difference(UNCOMPENSATED, name) for name in (WITHOUT_CIRCUIT, rung))
        if taken is None or gain is None or self.metric == "snr_db":
            return None
        of_taken = estimate(taken)
        if of_taken.low is None or of_taken.low <= 0:
            return None
        taken, gain = np.broadcast_arrays(taken, gain)
        share = float(gain.mean()) / of_taken.mean
        error = estimate((gain - share * taken) / of_taken.mean)
        return Estimate(
            mean=share,
            standard_error=error.standard_error,
            low=None if error.low is None else share + error.low,
            high=None if error.high is None else share + error.high,
        )

    def _difference(self, before: str, after: str) -> np.ndarray | None:
        """Return what is better in a rung than in another, float64 (chips, images)."""
        tables = [self._table(name) for name in (before, after)]
        if tables[0] is None or tables[1] is None:
            return None
        sign = 1.0 if all_metrics()[self.metric].higher_is_better else -1.0
        return np.asarray(sign * (tables[1] - tables[0]))

    def _table(self, name: str) -> np.ndarray | None:
        """Return a rung's values, float64 (chips, images), (chips, 1) for a number a chip."""
        rung = self._rungs.get(name)
        if rung is None:
            return None
        trials = rung.trials[:1] if self._alike else rung.trials
        if self.metric == "agreement":
            rows = [run.predictions == self._floating.predictions for run in trials]
        elif all_metrics()[self.metric].kind == "whole":
            rows = [np.atleast_1d(np.asarray(run.mean(self.metric))) for run in trials]
        else:
            rows = [np.asarray(run.each(self.metric)) for run in trials]
        table = np.stack(rows).astype(np.float64)
        return table if np.isfinite(table).all() else None
