"""Evaluate the cases, and compare each with its record in the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rxsim.counted import counted
from rxsim.dotted import flat
from rxsim.errors import InputError, RxsimError
from rxsim.gate.baseline import AGAIN, LOWER_RUNGS, NamedHash, Record, Sources
from rxsim.gate.cases import Case, Cases
from rxsim.gate.verdict import Outcome, Verdict, judge, measure_drop
from rxsim.metrics import chosen_metric, hit_options
from rxsim.pipeline import Evaluation, Study, evaluate, open_study
from rxsim.pipeline.chip.foundry import is_random
from rxsim.scenarios import as_built, chosen
from rxsim.sealed import hash_of
from rxsim.stages import Stages, StageWatcher


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A case, evaluated now.

    Attributes:
        record: its hits, sources and settings.
        seconds: wall time.
    """

    record: Record
    seconds: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CheckedCase:
    """A case against its baseline.

    Attributes:
        name: name of the case.
        before: its record in the baseline.
        after: its record now.
        changes: differences between them besides the hits, a phrase each.
        verdict: whether the accuracy fell.
        seconds: wall time.
    """

    name: str
    before: Record
    after: Record
    changes: tuple[str, ...]
    verdict: Verdict
    seconds: float

    @property
    def fallen_rung(self) -> str | None:
        """The first rung with at least half of the last rung's loss; None where nothing is lost."""
        before, after = self.before.rungs(), self.after.rungs()
        # The rung of the built chips is called otherwise where compensation was added or taken away.
        drops = [old - new for old, new in zip(before.values(), after.values(), strict=True)]
        if drops[-1] <= 0:
            return None
        return next(name for name, drop in zip(after, drops, strict=True) if drop >= drops[-1] / 2)


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """All cases of a file against a baseline.

    Attributes:
        level: the chance that noise alone fails any of them.
        cases: in the order of the file.
        unchecked: names of the baseline's cases that the file lacks, in the baseline's order.
    """

    level: float
    cases: tuple[CheckedCase, ...]
    unchecked: tuple[str, ...] = ()

    def named(self, outcome: Outcome) -> list[str]:
        """List the names of the cases with an outcome."""
        return [case.name for case in self.cases if case.verdict.outcome == outcome]

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "schema_version": 1,
            "level": self.level,
            "regressions": self.named("regression"),
            "undecided": self.named("undecided"),
            "unchecked": list(self.unchecked),
            "cases": [
                {
                    "name": case.name,
                    "metric": case.after.metric,
                    "outcome": case.verdict.outcome,
                    "improved": case.verdict.improved,
                    "accuracy_before": case.before.accuracy,
                    "accuracy_after": case.after.accuracy,
                    "drop": asdict(case.verdict.drop),
                    "smallest_drop": case.verdict.smallest,
                    "p": case.verdict.p,
                    "needed": case.verdict.needed,
                    "ladder_before": case.before.rungs(),
                    "ladder_after": case.after.rungs(),
                    "fallen_rung": case.fallen_rung,
                    "changes": list(case.changes),
                    "sources": case.after.sources.model_dump(),
                    "settings_sha256": case.after.settings_sha256,
                    "seconds": case.seconds,
                }
                for case in self.cases
            ],
        }


def measure_cases(
    cases: Cases, *, threads: int | None = None, watcher: StageWatcher | None = None
) -> Iterator[Measured]:
    """Evaluate the cases one after the other, as `rxsim eval` does.

    Args:
        cases: the cases to evaluate.
        threads: work done side by side; changes no result.
        watcher: told when a stage begins, advances and ends.

    Raises:
        RxsimError: a case can't be evaluated, or has no hits; the message names it.
    """
    for case in cases.cases:
        yield _measure(case, None, threads, watcher)


def check_cases(
    cases: Cases,
    baseline: Mapping[str, Record],
    *,
    threads: int | None = None,
    watcher: StageWatcher | None = None,
) -> Check:
    """Evaluate all cases and give the verdict of each.

    Args:
        cases: the cases to evaluate.
        baseline: records to compare with, by name of the case.
        threads: work done side by side; changes no result.
        watcher: told when a stage begins, advances and ends.

    Raises:
        InputError: the baseline lacks a case, or was measured on other data or images.
        RxsimError: a case can't be evaluated; the message names it.
    """
    known = {case.name for case in cases.cases}
    for case in cases.cases:
        if case.name not in baseline:
            raise InputError(
                f"case {case.name} is not in the baseline, expected one entry for each case; {AGAIN} "
                "to add it"
            )
    now = [_measure(case, baseline[case.name], threads, watcher) for case in cases.cases]
    pairs = [(baseline[measured.record.name], measured.record) for measured in now]
    drops = [
        measure_drop(*_tables(before, after), cases.level, case.smallest_drop)
        for case, (before, after) in zip(cases.cases, pairs, strict=True)
    ]
    verdicts = judge(drops, cases.level, [case.smallest_drop for case in cases.cases])
    return Check(
        cases.level,
        tuple(
            CheckedCase(
                name=after.name,
                before=before,
                after=after,
                changes=changes(before, after),
                verdict=verdict,
                seconds=measured.seconds,
            )
            for (before, after), verdict, measured in zip(pairs, verdicts, now, strict=True)
        ),
        tuple(name for name in baseline if name not in known),
    )


def changes(before: Record, after: Record) -> tuple[str, ...]:
    """List the differences of two records besides the hits: network, settings, libraries."""
    differences = []
    old, new = before.sources, after.sources
    for source, old_file, new_file in (
        ("model", old.model, new.model),
        ("calibration data", old.calibration, new.calibration),
    ):
        if old_file.sha256 != new_file.sha256:
            differences.append(
                f"{source} changed: {old_file.name} ({old_file.sha256[:8]}) -> "
                f"{new_file.name} ({new_file.sha256[:8]})"
            )
    for prefix, first, second in (
        ("settings changed: ", before.settings, after.settings),
        ("inputs changed: ", old.inputs, new.inputs),
        ("", old.versions, new.versions),
    ):
        flat_first, flat_second = dict(flat(first)), dict(flat(second))
        for name in {**flat_first, **flat_second}:
            # A missing value counts as null: other versions may write more values.
            left, right = flat_first.get(name), flat_second.get(name)
            if left != right:
                differences.append(f"{prefix}{name} {_shown(left)} -> {_shown(right)}")
    return tuple(differences)


def _measure(
    case: Case, before: Record | None, threads: int | None, watcher: StageWatcher | None
) -> Measured:
    """Evaluate a case; a case that does not fit its baseline is refused before the work starts."""
    stages = Stages(watcher)
    try:
        study = open_study(case.model, case.settings, case.options, threads=threads, stages=stages)
        _check_study(study)
        if before is not None:
            _check_same(study, before)
        scenarios = (*chosen(LOWER_RUNGS[1:]), as_built(study.settings))
        record = _record(case.name, evaluate(study, scenarios))
    except RxsimError as error:
        raise type(error)(f"case {case.name}: {error}") from None
    return Measured(record, sum(stages.seconds.values()))


def _check_study(study: Study) -> None:
    """Refuse a study without hits, and a single chip where chips differ."""
    if study.labels is None or study.metric not in hit_options():
        raise InputError(
            f"found the metric {study.metric}, expected {' or '.join(hit_options())}: what is compared "
            "is hits, which need labels; give data with labels"
        )
    random = any(is_random(settings) for settings in study.layer_settings().values())
    if random and study.settings.trials < 2:
        raise InputError(
            "trials: found 1, expected 2 or more, for these settings are random and one chip says "
            "nothing about others; 5 are a good start"
        )


def _check_same(study: Study, before: Record) -> None:
    """Refuse to compare other images, another metric or another number of chips."""
    data = study.provenance.data
    assert data is not None
    sources = before.sources
    for quantity, measured, expected in (
        ("metric", study.metric, before.metric),
        (
            "data",
            f"{data.name} ({data.sha256[:8]})",
            f"{sources.data.name} ({sources.data.sha256[:8]})",
        ),
        ("number of images", len(study.inputs), before.hits.shape[1]),
    ):
        same = data.sha256 == sources.data.sha256 if quantity == "data" else measured == expected
        if not same:
            raise InputError(
                f"found the {quantity} {measured}, expected {expected} as in the baseline; {AGAIN} if "
                "that is meant"
            )
    if _images_sha256(study.indices) != sources.images_sha256:
        raise InputError(
            "found other images of the data than the baseline's, expected the same ones (the seed "
            f"draws them where there is a limit); {AGAIN} if that is meant"
        )
    chips, wanted = len(before.hits), study.settings.trials
    random = any(is_random(settings) for settings in study.layer_settings().values())
    if random and chips not in (1, wanted):
        raise InputError(
            f"trials: found {counted(wanted, 'chip')}, expected {chips} as in the baseline; "
            f"{AGAIN} if that is "
            "meant"
        )


def _record(name: str, result: Evaluation) -> Record:
    """Return the record of an evaluation, for later comparisons."""
    tables, metric = {}, chosen_metric(result.metric)
    assert metric is not None
    for rung in result.ladder:
        table = rung.table(metric)
        assert table is not None
        tables[rung.name] = table
    built = tables[result.ladder[-1].name]
    hits = built[:1] if result.deterministic else built
    known = result.provenance
    calibration = known["calibration"]
    return Record(
        name=name,
        metric=result.metric,
        hits=np.ascontiguousarray(hits),
        ladder={rung: tables[rung][0] for rung in LOWER_RUNGS},
        sources=Sources(
            model=NamedHash(name=known["model"]["name"], sha256=known["model"]["sha256"]),
            data=NamedHash(name=known["data"]["name"], sha256=known["data"]["sha256"]),
            images_sha256=_images_sha256(result.indices),
            calibration=NamedHash(
                name=calibration["name"],
                sha256=hash_of([calibration["sha256"], calibration.get("indices")]),
            ),
            inputs={
                key: known[key]
                for key in ("input", "output", "labels", "preprocess")
                if key in known
            },
            versions={**known["versions"], "processor": known["machine"]["processor"]},
        ),
        settings=result.settings,
        settings_sha256=known["settings_sha256"],
    )


def _images_sha256(indices: np.ndarray | None) -> str:
    return hash_of(None if indices is None else indices.tolist())


def _tables(before: Record, after: Record) -> tuple[np.ndarray, np.ndarray]:
    """Bring both tables of hits to the same number of chips; a single row stands for every chip."""
    chips = max(len(before.hits), len(after.hits))
    shape = (chips, after.hits.shape[1])
    return np.broadcast_to(before.hits, shape), np.broadcast_to(after.hits, shape)


def _shown(value: Any) -> str:
    """Write a value as in a settings file, cut short."""
    text = value if isinstance(value, str) else hash_of(value) if _is_long(value) else _plain(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _is_long(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 8


def _plain(value: Any) -> str:
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    return f"{value:g}" if isinstance(value, float) else str(value)
