"""How long an explanation will still take, from the times of what it has run so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rxsim.counted import counted
from rxsim.deadline import Deadline
from rxsim.pipeline.chip.room import duration
from rxsim.stages import Stages

LONG_SECONDS = 10.0
"""What is expected to take less is not announced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What an explanation has still to run, at most.

    Attributes:
        sets: sets of effects.
        programmed: those of them whose arrays are programmed and solved anew; others share them.
        needed: those of them that are run whatever the budget.
        layers: layers that are taken out: a run alone and a run left out, on each chip.
        remedies: other settings, an upper bound.
        chips: programmed chips of a set of effects, and of a remedy.
        layer_chips: chips that layers are taken out of.
    """

    sets: int
    programmed: int
    needed: int
    layers: int
    remedies: int
    chips: int
    layer_chips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSeconds:
    """The wall time of a set of effects.

    Attributes:
        opening: what all its chips share: nominal arrays and the calibration of converters; 0 where
            kernels were compiled in it, which happens once.
        making: its chips programmed, solved and patched.
        scoring: their networks run over the images.
        programmed: whether its arrays were programmed anew, not taken from another set's.
    """

    opening: float
    making: float
    scoring: float
    programmed: bool

    @property
    def whole(self) -> float:
        """All of it."""
        return self.opening + self.making + self.scoring


class Forecast:
    """Tells a waiting user about how long it will still take, as soon as that is known to be long.

    Each kind of run is taken to cost what those before it did on average. Until there are any: a layer
    two runs of the networks of the first set of effects, the built chips; a remedy all that they took.
    A budget bounds all but the sets of effects that are needed.
    """

    def __init__(self, stages: Stages | None, deadline: Deadline) -> None:
        """Start without knowing what is ahead: nothing is told before `plan`.

        Args:
            stages: take what is told; None: nobody listens.
            deadline: bounds the rest.
        """
        self._stages, self._deadline = stages, deadline
        self._ahead: Ahead | None = None
        self._left = {"programmed": 0, "shared": 0, "needed": 0, "layers": 0, "remedies": 0}
        self._sets: list[SetSeconds] = []
        self._layers: list[float] = []
        self._remedies: list[float] = []
        self._told = False

    def plan(self, ahead: Ahead) -> None:
        """Learn what is ahead."""
        self._ahead = ahead
        self._left = {
            "programmed": ahead.programmed,
            "shared": ahead.sets - ahead.programmed,
            "needed": ahead.needed,
            "layers": ahead.layers,
            "remedies": ahead.remedies,
        }
        self._tell()

    def set_run(self, seconds: SetSeconds) -> None:
        """Learn what a set of effects took."""
        self._sets.append(seconds)
        self._take("programmed" if seconds.programmed else "shared")
        self._take("needed")
        self._tell()

    def sets_end(self) -> None:
        """No further set of effects is run."""
        self._left.update(programmed=0, shared=0, needed=0)

    def layer_run(self, seconds: float) -> None:
        """Learn what it took to take out a layer."""
        self._layers.append(seconds)
        self._take("layers")
        self._tell()

    def layers_end(self) -> None:
        """No further layer is taken out."""
        self._left["layers"] = 0

    def remedy_run(self, seconds: float | None) -> None:
        """Learn what a remedy took; None: it was refused, or known before."""
        self._remedies += [] if seconds is None else [seconds]
        self._take("remedies")
        self._tell()

    @property
    def seconds(self) -> float | None:
        """The wall time of what is ahead; None where that is not known yet."""
        ahead, left = self._ahead, self._left
        if ahead is None or not self._sets:
            return None
        built = self._sets[0]
        programmed = _mean([each.whole for each in self._sets if each.programmed], built.whole)
        shared = _mean([each.whole for each in self._sets if not each.programmed], built.scoring)
        sets = left["programmed"] * programmed + left["shared"] * shared
        layer = _mean(self._layers, 2 * built.scoring * ahead.layer_chips / ahead.chips)
        remedies = left["remedies"] * _mean(self._remedies, max(built.whole, programmed))
        whole = sets + left["layers"] * layer + remedies
        if not self._deadline.is_set:
            return whole
        count = left["programmed"] + left["shared"]
        needed = sets * min(left["needed"] / count, 1.0) if count else 0.0
        return min(whole, max(needed, self._deadline.left))

    def _take(self, kind: str) -> None:
        self._left[kind] = max(self._left[kind] - 1, 0)

    def _tell(self) -> None:
        """Announce what is ahead once, where that is long; say how much of it is left from then on."""
        seconds = self.seconds
        if self._stages is None or seconds is None:
            return
        if not self._told and seconds >= LONG_SECONDS:
            self._told = True
            self._stages.tell(f"about {duration(seconds)}: {self._listed()}")
        if self._told:
            self._stages.left(f"about {duration(seconds)} left in all")

    def _listed(self) -> str:
        """List what is ahead, and how it can be bounded."""
        ahead, left = self._ahead, self._left
        assert ahead is not None
        on = f" on {counted(ahead.chips, 'chip')}"
        sets, layers, remedies = (
            left["programmed"] + left["shared"],
            left["layers"],
            left["remedies"],
        )
        parts = [
            *([f"{counted(sets, 'set')} of effects{on}"] if sets else []),
            *([f"{counted(layers, 'layer')} alone and left out"] if layers else []),
            *([f"up to {counted(remedies, 'remedy', 'remedies')}"] if remedies else []),
        ]
        bound = (
            "what does not fit into --budget is left out"
            if self._deadline.is_set
            else "--budget SECONDS bounds it"
        )
        return f"{', then '.join(parts)}; {bound}"


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
