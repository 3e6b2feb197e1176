"""What would help: remedies are tried, each in a real run, and the best are taken together.

The best of many tries is flattered by luck: its gain on the images that chose it is optimistic. So
where there are enough images, half of them, drawn at random, choose, and the others confirm a few
finalists: they had no part in any decision, and their interval is an honest one. Where devices are
random, so do chips. With fewer images, the reader is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rxsim.config import Settings
from rxsim.deadline import Deadline
from rxsim.effects import active_effects
from rxsim.explain.evidence import Evidence
from rxsim.explain.finalists import MOST_FINALISTS, Confirmation, finalists_of
from rxsim.explain.forecast import Forecast
from rxsim.explain.remedies import REMEDIES, Candidate
from rxsim.explain.remedies_together import MOST_COMBINATIONS, tried_together
from rxsim.explain.remedy_notes import notes_on
from rxsim.explain.remedy_proof import advised, is_gain
from rxsim.explain.remedy_runs import RemedyRuns, Tried
from rxsim.explain.result import Attempt, Untried
from rxsim.explain.trap_remedies import TrapRemedy, trap_remedies, with_traps

_SHARE_OF_SINGLES = 0.6  # of the time; the rest is for combinations
_SHARE_OF_COMBINATIONS = 0.6  # of what singles leave; the rest is for confirming


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
    runs = RemedyRuns(evidence)
    if runs.lost <= 0:
        return 0
    singles = sum(1 for _ in candidates_of(evidence))
    together = MOST_COMBINATIONS if singles > 1 else 0
    # Fresh chips: finalists, and the settings as they are.
    confirmed = MOST_FINALISTS + 1 if runs.choosing is not None and evidence.foundry.random else 0
    return singles + together + (confirmed if singles else 0)


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
    network's quantity is missing.

    What traps advise is tried first. Where half of the images confirm, `finalists_of` are chosen by the
    other half; the best is the first of them whose confirmed gain is proven. Else it is the largest
    proven gain of all that was tried, see `advised`.

    Where nothing was lost, nothing is tried.

    Args:
        evidence: the study, what its chips do, and what is known of effects and layers.
        deadline: nothing is begun after it.
        limit: single remedies that are tried at most.
        forecast: learns how long they take.
    """
    deadline = deadline or Deadline(None)
    runs, left_out = RemedyRuns(evidence, forecast, deadline), list[str]()
    if runs.lost <= 0:
        label = evidence.quantity.metric.title
        note = f"nothing to mend: {label} of the built chips is no worse than the float network's"
        return Advice(
            attempts=(), better=None, left_out=(note,), runs=0, untried=Untried.NOTHING_TO_MEND
        )
    led = trap_remedies(evidence, candidates_of(evidence))
    singles = _singles(evidence, runs, led, deadline.share(_SHARE_OF_SINGLES), limit, left_out)
    known = _advised_together(led, runs, deadline)
    together = tried_together(singles, runs, deadline.share(_SHARE_OF_COMBINATIONS), known)
    tried = with_traps([*singles, *known, *together], led)
    if runs.late:
        left_out.append(f"remedies given up, for there was no time: {'; '.join(runs.late)}")
    untried = None if tried else _untried(late=bool(left_out), failed=bool(runs.failures))
    if evidence.layers is None:
        left_out.append(
            "remedies for single layers were not tried, for it is not known which ones are worst: "
            "look at layers too (--by both)"
        )
    judged = _judged(evidence, tried, runs, deadline, forecast)
    first = judged.first
    left_out += runs.failures
    left_out += notes_on(
        evidence, judged.ranked, proven=first is not None, confirmed=runs.choosing is not None
    )
    return Advice(
        attempts=tuple(each.attempt for each in judged.ranked),
        better=first.settings if first is not None and judged.is_better else None,
        left_out=tuple(left_out),
        runs=runs.runs + judged.runs,
        untried=untried,
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Judged:
    """What came of all attempts.

    Attributes:
        ranked: all of them, the first one ahead, then by gain.
        first: the best, or the one that promised most; None where nothing promises anything.
        is_better: whether it is proven to be.
        runs: patched networks that were run to confirm.
    """

    ranked: list[Tried]
    first: Tried | None
    is_better: bool
    runs: int


def _judged(
    evidence: Evidence,
    tried: list[Tried],
    runs: RemedyRuns,
    deadline: Deadline,
    forecast: Forecast | None,
) -> _Judged:
    """Choose the best attempt: of the finalists that are confirmed, or of all by their gain."""
    confirming = 0
    if runs.others is None:
        first = advised(tried)
        is_better = first is not None
    else:
        confirmation = Confirmation(evidence, runs.others, deadline, forecast)
        chosen = finalists_of(tried)
        finalists = confirmation.confirmed(chosen)
        tried = [*(each for each in tried if each not in chosen), *finalists]
        proven = [each for each in finalists if _is_confirmed(each)]
        first = next(iter([*proven, *finalists]), None)
        is_better, confirming = bool(proven), confirmation.runs
    ranked = sorted(tried, key=lambda each: (each is not first, -each.attempt.gain.mean))
    return _Judged(ranked=ranked, first=first, is_better=is_better, runs=confirming)


def _is_confirmed(each: Tried) -> bool:
    return each.attempt.confirmed is not None and is_gain(each.attempt.confirmed)


def _advised_together(
    led: Sequence[TrapRemedy], runs: RemedyRuns, deadline: Deadline
) -> list[Tried]:
    """Try what traps advise to take together."""
    known = list[Tried]()
    for each in led:
        if len(each.parts) > 1 and not deadline.passed:
            both = runs.tried(each.names, each.title, each.changes)
            known += [] if both is None else [both]
    return known


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
    led: Sequence[TrapRemedy],
    deadline: Deadline,
    limit: int | None,
    left_out: list[str],
) -> list[Tried]:
    """Try each remedy alone, first those of traps; what was left out is added to `left_out`."""
    tried, late, over = list[Tried](), list[str](), list[str]()
    urgent = [candidate.title for each in led for _, candidate in each.parts]
    for name, candidate in sorted(
        candidates_of(evidence), key=lambda each: each[1].title not in urgent
    ):
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
