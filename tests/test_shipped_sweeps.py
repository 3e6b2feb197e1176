"""Every sweep of configs/sweeps, at reduced size: few images, chips and values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from here_pool import HerePool

from rxsim.store import open_results, summarise
from rxsim.sweep import read_plan, run_sweep

SWEEPS = sorted((Path(__file__).parent.parent / "configs" / "sweeps").glob("*.yaml"))


# These cross settings of a ResNet, as two others do: they are planned whole, and run in the slow suite.
LONG = ("adc", "array-size", "on-off-and-bits")
RUN = [pytest.param(p, marks=pytest.mark.slow if p.stem in LONG else [], id=p.stem) for p in SWEEPS]


def fewer(given: Any) -> Any:
    """The ends of an axis."""
    if isinstance(given, list):
        return [given[0], given[-1]]
    if "range" in given:
        return given["range"][:2]
    return {**given, "count": 2} if "count" in given else given


def test_there_are_at_least_five() -> None:
    assert len(SWEEPS) >= 5


@pytest.mark.parametrize("path", RUN)
def test_a_shipped_sweep_runs_and_says_what_it_is_for(path: Path, tmp_path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    values = yaml.safe_load(text)
    for name in ("model", "config"):
        values[name] = str((path.parent / values[name]).resolve())
    values["axes"] = {name: fewer(given) for name, given in values["axes"].items()}
    values |= {"limit": 20, "settings": {**values.get("settings", {})}}
    values["settings"]["calibration"] = {"samples": 16}
    if "points" in values:
        values["points"] = 3
    values["trials"] = 1
    is_evaluated = values.get("measure") != "cost"
    if "stop" in values:
        values["stop"]["at_least"] = values["trials"] = 2
    reduced = tmp_path / path.name
    reduced.write_text(yaml.safe_dump(values))
    plan = read_plan(reduced)
    names = {key.split(",")[0] for key in values["axes"]}
    assert all(names <= set(planned.values) for planned in plan.points)
    several = {name for key in values["axes"] for name in key.split(", ")}
    assert all(set(planned.values) <= several for planned in plan.points)
    with open_results(tmp_path / "r.sqlite", write=True) as results:
        end = run_sweep(plan, results, HerePool(), cache=tmp_path / "cache")
        assert end.failed == 0, [trial.error for trial in results.trials()]
        found = summarise(results, sweep=plan.name)
    assert len(found.points) == len(plan.points) >= 3
    if is_evaluated:
        assert all(point.mean is not None and 0 <= point.mean <= 1 for point in found.points)
    if "cost" in path.stem:
        assert all(point.costs["energy_j"] > 0 for point in found.points)
    assert names <= set(found.names) <= several


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_shipped_sweep_can_be_planned_whole(path: Path) -> None:
    assert len(read_plan(path).points) >= 10
