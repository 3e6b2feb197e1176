"""What would help: remedies are tried, each in a real run, and the best are taken together.

The best of many tries is flattered by luck: its gain on the images that chose it is optimistic. So
where there are enough images, half of them, drawn at random, choose, and the others confirm: they had
no part in any decision, and their interval is an honest one. With fewer images, the reader is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rxsim.config import Settings
from rxsim.effects import effects
from rxsim.explain.changes import joined
from rxsim.explain.deadline import Deadline
from rxsim.explain.estimate import Estimate, estimate
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import REMEDIES, Candidate
from rxsim.explain.remedy_runs import SPLIT_FROM, RemedyRuns, Tried
from rxsim.explain.result import Attempt

MOST_TOGETHER = 4
MOST_COMBINATIONS = 12
"""So many combinations are tried at most. Assumption: what comes later in the order helps little."""
_CLEARLY_NEARER_DB = 1.0
"""Signal to noise by which outputs are clearly nearer to the float network's.

Assumption: a fifth less noise; between two runs of the same hardware it differs by far less.
"""
_SHARE_OF_SINGLES = 2 / 3  # of the time; the rest is for combinations


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Advice:
    """Remedies that were tried.

    Attributes:
        attempts: best first; the first is what is advised, if it is better at all.
        better: the settings of the best attempt; None where it is not proven to be better.
        left_out: what was not tried, and what is to be kept in mind, a sentence each.
        runs: patched networks that were run.
    """

    attempts: tuple[Attempt, ...]
    better: Settings | None
    left_out: tuple[str, ...]
    runs: int


def try_remedies(
    evidence: Evidence, deadline: Deadline | None = None, limit: int | None = None
) -> Advice:
    """Try every remedy that applies alone, then the best ones together.

    Remedies against the effects that cost most come first. Combining starts from the best one. The best
    candidate of each other remedy is added in turn, those of proven gain first, then by the signal to
    noise of the outputs: near chance this still rises where accuracy does not yet. Digital layers come
    last, for they give the crossbar up.

    A remedy stays where its gain over the combination before is larger than its standard error, or
    where the quantity does not tell and the signal to noise rises by a decibel. To ask for proof of
    each step would leave out much that helps; the whole is proven, on images that had no part in it.
    What did not help is tried once more when another one was added. This goes on up to `MOST_TOGETHER`
    remedies or `MOST_COMBINATIONS`, or until nothing of the float network's quantity is missing. The
    best is what this comes to, or a single remedy that is proven to be better than that.

    Args:
        evidence: the study, what its chips do, and what is known of effects and layers.
        deadline: nothing is begun after it.
        limit: single remedies that are tried at most.
    """
    deadline = deadline or Deadline(None)
    runs, left_out = RemedyRuns(evidence), list[str]()
    singles = _singles(evidence, runs, deadline.share(_SHARE_OF_SINGLES), limit, left_out)
    best, combinations = _combined(singles, runs, deadline)
    tried = [*singles, *combinations]
    best = _best(best, singles)
    ranked = sorted(tried, key=lambda each: (each is not best, -_gain(each)))
    left_out += runs.failures
    if runs.choosing is None and best is not None:
        left_out.append(_flattery(evidence, len(tried)))
    is_better = best is not None and (
        best.attempt.confirmed is None or _is_gain(best.attempt.confirmed)
    )
    return Advice(
        attempts=tuple(each.attempt for each in ranked),
        better=best.settings if best is not None and is_better else None,
        left_out=tuple(left_out),
        runs=runs.runs,
    )


def candidates_of(evidence: Evidence) -> Iterator[tuple[str, Candidate]]:
    """Yield what may be tried, with the remedy's name: against the effects that cost most first."""
    active = [
        name
        for name, effect in effects().items()
        if any(effect.is_active(of_layer) for of_layer in evidence.study.layer_settings().values())
    ]
    worst_first = evidence.effects.worst_first if evidence.effects else ()
    rank = {name: at for at, name in enumerate(worst_first)}
    remedies = REMEDIES.all()

    def place(name: str) -> tuple[int, int, str]:
        against = remedies[name].against
        # Where effects are not known all come alike; what helps against any effect comes last.
        first = min((rank.get(effect, len(rank)) for effect in against), default=len(rank) + 1)
        return first, remedies[name].order, name

    for name in sorted(remedies, key=place):
        against = remedies[name].against
        if active and (not against or against & set(active)):
            for candidate in remedies[name].candidates(evidence):
                if candidate.changes:
                    yield name, candidate


def _singles(
    evidence: Evidence,
    runs: RemedyRuns,
    deadline: Deadline,
    limit: int | None,
    left_out: list[str],
) -> list[Tried]:
    """Try each remedy alone; what was left out is added to `left_out`."""
    tried, late, over = list[Tried](), list[str](), list[str]()
    for name, candidate in candidates_of(evidence):
        if limit is not None and len(tried) >= limit:
            over.append(candidate.title)
        elif deadline.passed:
            late.append(candidate.title)
        else:
            each = runs.tried((name,), candidate.title, candidate.changes)
            tried += [] if each is None else [each]
    for titles, why in ((late, "there was no time"), (over, f"at most {limit} are tried")):
        if titles:
            left_out.append(f"remedies not tried, for {why}: {'; '.join(titles)}")
    return tried


def _combined(
    singles: Sequence[Tried], runs: RemedyRuns, deadline: Deadline
) -> tuple[Tried | None, list[Tried]]:
    """Add remedies to the best one; return what came of it, and all that was tried on the way."""
    queue = deque(_best_of_each_remedy(singles))
    if not queue:
        return None, []
    best, combinations, rejected = queue.popleft(), list[Tried](), list[Tried]()
    while (
        queue
        and len(best.attempt.combined) < MOST_TOGETHER
        and len(combinations) < MOST_COMBINATIONS
        and best.attempt.gain.mean < runs.most_gain
        and not deadline.passed
    ):
        other = queue.popleft()
        both = runs.tried(
            (*best.attempt.combined, other.attempt.remedy),
            f"{best.attempt.title} + {other.attempt.title}",
            joined(best.attempt.changes, other.attempt.changes),
        )
        if both is None:
            continue
        combinations.append(both)
        if _helps(both, best):
            best = both
            queue.extend(rejected)  # what helped nothing before may help now
            rejected.clear()
        else:
            rejected.append(other)
    return best, combinations


def _helps(both: Tried, before: Tried) -> bool:
    """Tell whether an added remedy is worth keeping."""
    more = estimate(both.gains - before.gains)
    if more.mean > (more.standard_error or 0.0):
        return True
    return not _is_loss(more) and both.snr_db >= before.snr_db + _CLEARLY_NEARER_DB


def _best(kept: Tried | None, singles: Sequence[Tried]) -> Tried | None:
    """Choose what remedies together came to, or a single one that is proven to be better."""
    proven = [each for each in singles if _is_gain(each.attempt.gain)]
    single = max(proven, key=_gain, default=None)
    if kept is None or not _is_gain(kept.attempt.gain):
        return single
    if single is not None and _is_gain(estimate(single.gains - kept.gains)):
        return single
    return kept


def _best_of_each_remedy(singles: Sequence[Tried]) -> list[Tried]:
    """Choose the candidate of each remedy that promises most, and sort these by it; no proven loss."""
    promising = [each for each in singles if not _is_loss(each.attempt.gain)]
    best: dict[str, Tried] = {}
    for each in sorted(promising, key=_promise, reverse=True):
        best.setdefault(each.attempt.remedy, each)
    return list(best.values())


def _promise(each: Tried) -> tuple[bool, bool, float]:
    """Tell how much may be hoped from a remedy: proven gains first, then signal to noise.

    What helps against any effect gives the crossbar up, and comes behind what mends it.
    """
    mends = bool(REMEDIES[each.attempt.remedy].against)
    proven = _is_gain(each.attempt.gain)
    return mends, proven, each.attempt.gain.mean if proven else each.snr_db


def _gain(each: Tried) -> float:
    return each.attempt.gain.mean


def _is_gain(gain: Estimate) -> bool:
    return gain.is_proven and gain.mean > 0


def _is_loss(gain: Estimate) -> bool:
    return gain.is_proven and gain.mean < 0


def _flattery(evidence: Evidence, tries: int) -> str:
    """Say that the best of many tries was measured on the images that chose it."""
    images = evidence.built.shape[1]
    if images == 1:
        return (
            f"the best of {tries} tries was chosen by the same inputs that its gain is of, which "
            "flatters it; evaluate its settings on others"
        )
    return (
        f"the best of {tries} tries was chosen by the same {images} inputs that its gain is of, which "
        f"flatters it; take {SPLIT_FROM} or more, and half of them confirm it"
    )
