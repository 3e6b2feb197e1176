"""What would help: remedies are tried, each in a real run, and the best are taken together.

The best of many tries is flattered by luck: its gain on the images that chose it is optimistic. So
where there are enough images, a half of them, drawn at random, chooses, and the others confirm: they had
no part in any decision, and their interval is an honest one. With fewer images, the reader is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

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
MOST_COMBINATIONS = 10
"""So many combinations are tried at most. Assumption: what comes later in the order helps little."""
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
    noise of the outputs: near chance this still rises where accuracy does not yet. It stays where its
    gain over the combination before is proven on the images that choose. This goes on up to
    `MOST_TOGETHER`, or until nothing of the float network's quantity is missing.

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
    if best is not None and not _is_gain(best.attempt.gain):
        best = None
    ranked = sorted(tried, key=lambda each: (each is not best, -each.attempt.gain.mean))
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
    promising = [each for each in singles if not _is_loss(each.attempt.gain)]
    ranked = sorted(promising, key=_promise, reverse=True)
    if not ranked:
        return None, []
    best, combinations = ranked[0], list[Tried]()
    seen = {best.attempt.remedy}
    for other in ranked[1:]:
        if (
            len(best.attempt.combined) >= MOST_TOGETHER
            or len(combinations) >= MOST_COMBINATIONS
            or deadline.passed
            or best.attempt.gain.mean >= runs.most_gain
        ):
            break
        if other.attempt.remedy in seen:
            continue
        seen.add(other.attempt.remedy)
        both = runs.tried(
            (*best.attempt.combined, other.attempt.remedy),
            f"{best.attempt.title} + {other.attempt.title}",
            joined(best.attempt.changes, other.attempt.changes),
        )
        if both is None:
            continue
        combinations.append(both)
        if _is_gain(estimate(_over(both.gains, best.gains))):
            best = both
    return best, combinations


def _over(gains: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return gains over another attempt's; chips that are all the same are in one row."""
    return np.asarray(gains - before)


def _promise(each: Tried) -> tuple[bool, float]:
    """Tell how much may be hoped from a remedy: proven gains first, then signal to noise."""
    proven = _is_gain(each.attempt.gain)
    return proven, each.attempt.gain.mean if proven else each.snr_db


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
