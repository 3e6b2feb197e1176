"""Find the cheapest point that meets a goal: evaluate, judge, choose the next one, until known."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import yaml

from rxsim.cache import DEFAULT_BYTES
from rxsim.search.judged import Judged, judge_point
from rxsim.search.question import Prepared
from rxsim.search.result import SearchedPoint, SearchResult
from rxsim.store import Results, Trial
from rxsim.sweep import Plan, Pool, SweepEnd, SweepProgress, describe, run_sweep


def run_search(
    prepared: Prepared,
    results: Results,
    pool: Pool,
    *,
    cache: Path | None = None,
    cache_bytes: int = DEFAULT_BYTES,
    show: Callable[[SweepProgress], None] | None = None,
    tell: Callable[[SearchedPoint], None] | None = None,
    ahead: Callable[[int, float], None] | None = None,
) -> SearchResult:
    """Search; points that the results hold already are not evaluated again.

    The winner is that of an exhaustive search where accuracy follows `rxsim.search.directions`. The
    points that are evaluated do not depend on workers or interruptions.

    Args:
        prepared: what to search.
        results: open for writing.
        pool: where trials run; left open.
        cache: folder of cached arrays; None: nothing is kept.
        cache_bytes: largest size of that folder.
        show: called with the progress of the points at work after each trial.
        tell: called with each point when it is judged.
        ahead: called after the first point, with how many more there are at most and its seconds.

    Raises:
        WriteError: the disk is full; earlier trials are safe.
    """
    run = _Search(prepared, results, tell)
    total = SweepEnd()
    while wanted := run.wanted():
        end = run_sweep(
            run.plan(wanted), results, pool, cache=cache, cache_bytes=cache_bytes, show=show
        )
        run.take(wanted, new=True)
        if ahead is not None and not total.new + total.failed:
            ahead(run.most_ahead(), end.seconds / len(wanted))
        total.new += end.new
        total.failed += end.failed
        total.seconds += end.seconds
        total.stages.update(end.stages)
        total.cached = (total.cached[0] + end.cached[0], total.cached[1] + end.cached[1])
    run.keep()
    return run.result(total)


class _Search:
    """A running search.

    Attributes:
        judged: evaluated points and what came out, in the order of their evaluation.
        failed: points that could not be evaluated, and why.
    """

    def __init__(
        self,
        prepared: Prepared,
        results: Results,
        tell: Callable[[SearchedPoint], None] | None,
    ) -> None:
        self._prepared, self._results, self._tell = prepared, results, tell
        self.judged: dict[int, Judged] = {}
        self.failed: dict[int, str] = {}
        self._new: set[int] = set()
        self.take(range(len(prepared.candidates)), new=False)

    def _meets(self, judged: Judged) -> bool:
        return judged.meets and (judged.proven or not self._prepared.question.strict)

    @property
    def met(self) -> list[int]:
        """Points that met the goal."""
        return [place for place, judged in self.judged.items() if self._meets(judged)]

    @property
    def missed(self) -> list[int]:
        """Points that missed it."""
        return [place for place, judged in self.judged.items() if not self._meets(judged)]

    def wanted(self) -> list[int]:
        """Return the points to evaluate now; none where the search is at its end."""
        if self._prepared.question.exhaustive:
            places = range(len(self._prepared.candidates))
            return [p for p in places if p not in self.judged and p not in self.failed]
        place = self._prepared.order.next_point(self.met, self.missed, self.failed)
        return [] if place is None else [place]

    def most_ahead(self) -> int:
        """Count the points that may still be the cheapest: no more are evaluated."""
        if self._prepared.question.exhaustive:
            return len(self.wanted())
        return int(self._prepared.order.open_points(self.met, self.missed, self.failed).sum())

    def plan(self, wanted: Sequence[int]) -> Plan:
        """Return a sweep of the points that are evaluated already and of those to evaluate."""
        prepared = self._prepared
        points = (*self.judged, *wanted)
        return Plan(
            name=f"search: least {prepared.question.minimise}, {prepared.question.goal.text}",
            text=self._text(),
            points=tuple(prepared.candidates[place].planned for place in points),
            trials=prepared.trials,
            stop=None,
        )

    def keep(self) -> None:
        """Write which points belong to the search, also where all of them were known."""
        if self.judged:
            plan = self.plan(())
            keys = [planned.point.key for planned in plan.points]
            values = [planned.values for planned in plan.points]
            self._results.add_sweep(plan.name, plan.text, keys, values)

    def _text(self) -> str:
        question = self._prepared.question
        axes = {", ".join(axis.names): axis.values for axis in question.axes}
        values = {"goal": question.goal.text, "minimise": question.minimise, "over": axes}
        text: str = yaml.safe_dump(values, sort_keys=False)
        return text

    def take(self, places: Collection[int], *, new: bool) -> None:
        """Judge the points of which all trials are there.

        Args:
            places: the points to look at.
            new: whether they were evaluated now: then missing trials are failures.
        """
        candidates = self._prepared.candidates
        keys = {candidates[place].planned.point.key: place for place in places}
        trials: dict[int, list[Trial]] = {place: [] for place in places}
        for trial in self._results.trials(list(keys), hits=True):
            trials[keys[trial.point]].append(trial)
        for place, of_point in trials.items():
            most = self._prepared.trials if candidates[place].planned.is_random else 1
            done = [t for t in of_point if t.status == "done" and t.trial < most]
            if len(done) == most:
                self._judge(place, done, new=new)
            elif new:
                reasons = [trial.error for trial in of_point if trial.error is not None]
                self.failed[place] = reasons[0] if reasons else "its trials are not there"

    def _judge(self, place: int, trials: Sequence[Trial], *, new: bool) -> None:
        prepared = self._prepared
        self.judged[place] = judge_point(
            prepared.question.goal,
            trials,
            prepared.floating,
            images=prepared.images,
            is_random=prepared.candidates[place].planned.is_random,
            these_images=prepared.question.these_images,
        )
        if new:
            self._new.add(place)
            if self._tell is not None:
                self._tell(self._point(place))

    def _point(self, place: int) -> SearchedPoint:
        candidate = self._prepared.candidates[place]
        return SearchedPoint(
            values=candidate.planned.values,
            settings=candidate.planned.settings.model_copy(
                update={"trials": self._prepared.trials}
            ),
            costs=candidate.costs,
            judged=self.judged[place],
            meets=self._meets(self.judged[place]),
            new=place in self._new,
        )

    def _sorted(self) -> list[int]:
        """Sort the evaluated points: those that meet the goal by cost, others by what they lack."""
        goal, rank = self._prepared.question.goal, self._prepared.order.rank
        missed = sorted(
            self.missed, key=lambda place: (goal.shortfall(self.judged[place].value), rank[place])
        )
        return [*sorted(self.met, key=lambda place: int(rank[place])), *missed]

    def result(self, end: SweepEnd) -> SearchResult:
        """Return what the search found."""
        prepared, order = self._prepared, self._prepared.order
        places = self._sorted()
        at: Mapping[int, int] = {place: number for number, place in enumerate(places)}
        best = order.cheapest(self.met)
        ruled_out = order.ruled_out(self.missed)
        ruled_out[[*self.judged, *self.failed]] = False
        surely = [p for p in self.missed if self.judged[p].proven and not self.judged[p].meets]
        undecided = ruled_out & ~order.ruled_out(surely)
        if best is not None:
            undecided &= order.rank < order.rank[best]
        return SearchResult(
            goal=prepared.question.goal,
            minimise=prepared.question.minimise,
            points=tuple(self._point(place) for place in places),
            winner=None if best is None else at[best],
            total=len(prepared.candidates),
            ruled_out=int(ruled_out.sum()),
            ruled_out_undecided=int(undecided.sum()),
            failed={
                describe(prepared.candidates[place].planned.values): why
                for place, why in self.failed.items()
            },
            contradictions=tuple(
                (at[low], at[high]) for low, high in order.contradictions(self.met, self.missed)
            ),
            trials=prepared.trials,
            images=prepared.images,
            end=end,
            priced_in=prepared.priced_in,
        )
