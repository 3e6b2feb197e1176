"""What would help: remedies are tried, each in a real run, and the best are taken together.

The best of many tries is flattered by luck: its gain on the images that chose it is optimistic. So
where there are enough images, half of them, drawn at random, choose, and the others confirm: they had
no part in any decision, and their interval is an honest one. With fewer images, the reader is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rxsim.config import Settings
from rxsim.deadline import Deadline
from rxsim.effects import active_effects
from rxsim.explain.evidence import Evidence
from rxsim.explain.forecast import Forecast
from rxsim.explain.remedies import REMEDIES, Candidate
from rxsim.explain.remedies_together import MOST_COMBINATIONS, tried_together
from rxsim.explain.remedy_notes import notes_on
from rxsim.explain.remedy_proof import advised, is_gain
from rxsim.explain.remedy_runs import RemedyRuns, Tried
from rxsim.explain.result import Attempt, Untried

_SHARE_OF_SINGLES = 2 / 3  # of the time; the rest is for combinations


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Advice:
    """Remedies that were tried.

    Attributes:
        attempts: best first; the first is what is advised, if it is better at all.
        better: the settings of the best attempt; None where it is not proven to be better.
        left_out: what was not tried, and what is to be kept in mind, a sentence each.
        runs: patched networks that were run.
        untried: why none was tried; None where some were.
    """

    attempts: tuple[Attempt, ...]
    better: Settings | None
    left_out: tuple[str, ...]
    runs: int
    untried: Untried | None = None


def most_remedies(evidence: Evidence) -> int:
    """Return how many settings are tried at most: single remedies, and combinations of them.

    Args:
        evidence: what is known; where layers are, the order of them does not matter.
    """
    if RemedyRuns(evidence).lost <= 0:
        return 0
    singles = sum(1 for _ in candidates_of(evidence))
    return singles + MOST_COMBINATIONS if singles > 1 else singles


def try_remedies(
    evidence: Evidence,
    deadline: Deadline | None = None,
    limit: int | None = None,
    forecast: Forecast | None = None,
) -> Advice:
    """Try every remedy that applies alone, then the best ones together.

    Remedies against the effects that cost most come first. Combining starts from the best one. The best
    candidate of each other remedy is added in turn, those of proven gain first, then by the signal to
    noise of the outputs: near chance this still rises where accuracy does not yet. Digital layers come
    last, for they give the crossbar up.

    A remedy stays where its gain over the combination before is proven or twice its standard error, or
    where the quantity does not tell and the signal to noise rises by a decibel; digital layers stay
    only where it is proven. What did not help is tried once more when another one was added. This goes
    on up to `MOST_TOGETHER` remedies or `MOST_COMBINATIONS`, or until nothing of the float
    network's quantity is missing. The best is the largest proven gain of all that was tried, see
    `advised`.

    Where nothing was lost, nothing is tried.

    Args:
        evidence: the study, what its chips do, and what is known of effects and layers.
        deadline: nothing is begun after it.
        limit: single remedies that are tried at most.
        forecast: learns how long they take.
    """
    deadline = deadline or Deadline(None)
    runs, left_out = RemedyRuns(evidence, forecast), list[str]()
    if runs.lost <= 0:
        label = evidence.quantity.metric.title
        note = f"nothing to mend: {label} of the built chips is no worse than the float network's"
        return Advice(
            attempts=(), better=None, left_out=(note,), runs=0, untried=Untried.NOTHING_TO_MEND
        )
    singles = _singles(evidence, runs, deadline.share(_SHARE_OF_SINGLES), limit, left_out)
    tried = [*singles, *tried_together(singles, runs, deadline)]
    untried = None if tried else _untried(late=bool(left_out), failed=bool(runs.failures))
    best = advised(tried)
    ranked = sorted(tried, key=lambda each: (each is not best, -each.attempt.gain.mean))
    left_out += runs.failures
    left_out += notes_on(
        evidence, tried, proven=best is not None, confirmed=runs.choosing is not None
    )
    is_better = best is not None and (
        best.attempt.confirmed is None or is_gain(best.attempt.confirmed)
    )
    return Advice(
        attempts=tuple(each.attempt for each in ranked),
        better=best.settings if best is not None and is_better else None,
        left_out=tuple(left_out),
        runs=runs.runs,
        untried=untried,
    )


def _untried(*, late: bool, failed: bool) -> Untried:
    """Say why no remedy was tried: some were left out, or failed, or there are none."""
    if late:
        return Untried.NO_TIME
    return Untried.FAILED if failed else Untried.NONE_APPLIES


def candidates_of(evidence: Evidence) -> Iterator[tuple[str, Candidate]]:
    """Yield what may be tried, with the remedy's name: against the effects that cost most first."""
    active = active_effects(evidence.study.layer_settings().values())
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
