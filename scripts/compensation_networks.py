"""Evaluate a network under lists of compensation steps, and print a Markdown table.

Usage: RXSIM_ASSETS=FOLDER python scripts/compensation_networks.py NETWORK [--steps a,b ..] [..]

FOLDER holds the networks and data that docs/evidence/networks.md names. Each list is run in a
process of its own; `none` is no step, and options that are not known here are passed on
(`--config`, `--xbar`, `--set`). The table has the rung `compensated` of each list, with the
interval over chips for these images, what it gained, and the share of what the circuit took
(`ideal` to `nonideal`) that came back.
"""

from __future__ import annotations

import argparse
from typing import Any

from evidence_networks import NETWORKS, command_of, enter_project
from measured_run import MeasuredRun, measured_run

ALONE = ("order", "predistort", "ranges", "columns", "statistics")
ALL = "order,predistort,ranges,columns,statistics"


def interval(rung: dict[str, Any]) -> str:
    """Write a rung's accuracy with half its interval over chips, where there is one."""
    values = rung["accuracy"]
    bounds = values["interval_these_images"]
    half = "" if bounds is None else f" ± {(bounds[1] - bounds[0]) / 2:.3f}"
    return f"{values['mean']:.3f}{half}"


def points(estimate: dict[str, Any] | None) -> str:
    """Write a difference in points with its standard error."""
    if estimate is None:
        return ""
    error = estimate["standard_error"]
    return f"{100 * estimate['mean']:+.1f}" + ("" if error is None else f" ± {100 * error:.1f}")


def share(estimate: dict[str, Any] | None) -> str:
    """Write a share in percent with its standard error."""
    if estimate is None:
        return "-"
    error = estimate["standard_error"]
    return (
        f"{100 * estimate['mean']:.0f}" + ("" if error is None else f" ± {100 * error:.0f}") + " %"
    )


def row(steps: str, run: MeasuredRun) -> str:
    """Return a row of the table."""
    ladder, told = run.result["ladder"], run.result.get("compensation")
    name = "nonideal" if told is None else "compensated"
    ratio = ladder[name]["snr_db"]["mean"]
    gains = ("", "") if told is None else (points(told["gain"]), share(told["share_returned"]))
    title = ", ".join(f"`{step}`" for step in steps.split(",")) if told else "none"
    cells = [title, interval(ladder[name]), f"{ratio:.1f} dB", *gains, f"{run.seconds:.0f} s"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run every list and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=list(NETWORKS))
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", action="append", help="such as predistort,columns; repeatable")
    given, more = parser.parse_known_args()
    enter_project()
    more = [*more, "--trials", str(given.trials), "--quiet"]
    lists = given.steps or ["none", *ALONE, ALL]
    for number, steps in enumerate(lists):
        options = [] if steps == "none" else ["--compensate", steps]
        command = command_of("eval", given.network, given.images, given.seed, [*more, *options])
        run = measured_run(command)
        if number == 0:
            ladder = run.result["ladder"]
            rungs = [f"{name} {ladder[name]['accuracy']['mean']:.3f}" for name in list(ladder)[:3]]
            print(f"\n    {' '.join(command)}\n\n{', '.join(rungs)}\n")
            print("| steps | accuracy | SNR | gain, points | came back | time |")
            print("|---|---|---|---|---|---|", flush=True)
        print(row(steps, run), flush=True)


if __name__ == "__main__":
    main()
