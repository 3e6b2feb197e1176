"""Remedies taken together: the best ones are added one by one, and dead ones are dropped."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from rxsim.deadline import Deadline
from rxsim.explain.changes import joined
from rxsim.explain.remedies import REMEDIES
from rxsim.explain.remedy_proof import helps, is_gain, is_last_resort, is_loss
from rxsim.explain.remedy_runs import RemedyRuns, Tried

MOST_TOGETHER = 4
MOST_COMBINATIONS = 12
"""So many combinations are tried at most. Assumption: what comes later in the order helps little."""

AND = " + "
"""Between the titles of remedies that are taken together."""

_Parts = tuple[Tried, ...]


def tried_together(
    singles: Sequence[Tried], runs: RemedyRuns, deadline: Deadline, known: Sequence[Tried] = ()
) -> list[Tried]:
    """Add remedies to the most promising one.

    Args:
        singles: remedies that were tried alone.
        runs: tries settings.
        deadline: nothing is begun after it.
        known: combinations that were tried before.

    Returns:
        All combinations that were tried on the way.
    """
    queue = deque(_best_of_each_remedy(singles))
    if not queue:
        return []
    together = _Together(runs, deadline, known)
    best, rejected = queue.popleft(), list[Tried]()
    parts: _Parts = (best,)
    while queue and together.may_go_on(parts, best):
        other = queue.popleft()
        more = together.alive((*parts, other))
        both = together.of(more)
        if both is None:
            continue
        if not helps(both, best, last_resort=is_last_resort(other)):
            rejected.append(other)
            continue
        if len(more) > 1 and not helps(both, other, last_resort=False):
            more, both = (other,), other  # alone it does as much
        parts, best = more, both
        queue.extend(rejected)  # what helped nothing before may help now
        rejected.clear()
    together.drop_dead(parts, best)
    return together.tried


class _Together:
    """Tries combinations, each only once.

    Attributes:
        tried: all of them.
    """

    def __init__(self, runs: RemedyRuns, deadline: Deadline, known: Sequence[Tried]) -> None:
        self._runs, self._deadline = runs, deadline
        self._known: dict[frozenset[str], Tried | None] = {
            frozenset(each.attempt.title.split(AND)): each for each in known
        }
        self.tried: list[Tried] = []

    def may_go_on(self, parts: _Parts, best: Tried) -> bool:
        """Tell whether another remedy may be added."""
        return (
            len(parts) < MOST_TOGETHER
            and not self._is_over
            and best.attempt.gain.mean < self._runs.most_gain
        )

    def of(self, parts: _Parts) -> Tried | None:
        """Try remedies together; None where that can't be, or was the same as something else."""
        if len(parts) == 1:
            return parts[0]
        titles = frozenset(part.attempt.title for part in parts)
        if titles not in self._known:
            both = self._runs.tried(
                tuple(part.attempt.remedy for part in parts),
                AND.join(part.attempt.title for part in parts),
                _changes(parts),
            )
            self._known[titles] = both
            self.tried += [] if both is None else [both]
        return self._known[titles]

    def alive(self, parts: _Parts) -> _Parts:
        """Drop remedies whose settings the later ones override; the last one stays."""
        for part in parts[:-1]:
            rest = _without(parts, part)
            if self._runs.alike(_changes(parts), _changes(rest)):
                parts = rest
        return parts

    def drop_dead(self, parts: _Parts, best: Tried) -> None:
        """Try what came of it without each remedy but the last, which has just been judged."""
        for part in parts[:-1]:
            rest = _without(parts, part)
            if self._is_over or len(rest) < 2:  # two are compared with each alone on the way
                return
            without = self.of(rest)
            if without and not helps(best, without, last_resort=is_last_resort(part)):
                parts, best = rest, without

    @property
    def _is_over(self) -> bool:
        return len(self.tried) >= MOST_COMBINATIONS or self._deadline.passed


def _without(parts: _Parts, part: Tried) -> _Parts:
    return tuple(each for each in parts if each is not part)


def _changes(parts: _Parts) -> dict[str, object]:
    return joined(*(part.attempt.changes for part in parts))


def _best_of_each_remedy(singles: Sequence[Tried]) -> list[Tried]:
    """Choose the candidate of each remedy that promises most, and sort these by it; no proven loss."""
    promising = [each for each in singles if not is_loss(each.attempt.gain)]
    best: dict[str, Tried] = {}
    for each in sorted(promising, key=_promise, reverse=True):
        best.setdefault(each.attempt.remedy, each)
    return list(best.values())


def _promise(each: Tried) -> tuple[bool, bool, float]:
    """Tell how much may be hoped from a remedy: proven gains first, then signal to noise.

    What helps against any effect gives the crossbar up, and comes behind what mends it.
    """
    mends = bool(REMEDIES[each.attempt.remedy].against)
    proven = is_gain(each.attempt.gain)
    return mends, proven, each.attempt.gain.mean if proven else each.snr_db
