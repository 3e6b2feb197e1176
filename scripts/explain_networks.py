"""Explain networks under several seeds and print Markdown tables: effects, layers, and remedies.

Usage: RXSIM_ASSETS=FOLDER python scripts/explain_networks.py NETWORK [--images N] [--seeds 0,1,2] [..]

FOLDER holds the networks and data that docs/evidence/networks.md names. Each seed is one `rxsim
explain` in a process, on another sample of images; options that are not known here are passed on. The
command, wall time and peak memory are printed. Run it while nothing else does.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from typing import Any

from evidence_networks import NETWORKS, command_of, enter_project
from measured_run import measured_run
from scipy import stats

TOP = 5


def told(estimate: dict[str, Any] | None, unit: float) -> str:
    """Write a difference with its standard error: of a share in points (unit 100), of decibels (1)."""
    if estimate is None:
        return "-"
    error = estimate["standard_error"]
    return f"{unit * estimate['mean']:+.1f}" + ("" if error is None else f" ± {unit * error:.1f}")


def unit_of(result: dict[str, Any]) -> float:
    """Return what a difference is multiplied by: 1 for decibels, 100 for shares."""
    return 1.0 if result["quantity"] == "snr_db" else 100.0


def print_effects(result: dict[str, Any]) -> None:
    """Print the table of effects."""
    print("| effect | alone | left out | added | Shapley |\n|---|---|---|---|---|")
    unit = unit_of(result)
    for row in result["effects"]["rows"]:
        cells = [told(row[name], unit) for name in ("alone", "left_out", "added", "shapley")]
        print(f"| {row['title']} | {' | '.join(cells)} |")


def print_layers(result: dict[str, Any]) -> None:
    """Print the layers that cost most."""
    rows, unit = {row["name"]: row for row in result["layers"]["rows"]}, unit_of(result)
    print("| layer | only it | all but it | output noise | SNR clean | SNR | most by |")
    print("|---|---|---|---|---|---|---|")
    for name in result["layers"]["worst_first"][:TOP]:
        row = rows[name]
        noise = "-" if row["output_noise"] is None else f"{100 * row['output_noise']:.0f} %"
        ratios = [
            "-" if row[key] is None else f"{row[key]:.1f}" for key in ("snr_clean_db", "snr_db")
        ]
        cells = [
            told(row["only"], unit),
            told(row["all_but"], unit),
            noise,
            *ratios,
            row["dominant"],
        ]
        print(f"| `{name}` | {' | '.join(cells)} |")


def print_attempts(result: dict[str, Any]) -> None:
    """Print the remedies that helped most."""
    print("| remedy | value | gain | confirmed | arrays |\n|---|---|---|---|---|")
    for row in result["attempts"][: 2 * TOP]:
        cells = [
            f"{row['value']:.3f}",
            told(row["gain"], unit_of(result)),
            told(row["confirmed"], unit_of(result)),
            f"{row['arrays']}",
        ]
        print(f"| {row['title']} | {' | '.join(cells)} |")


def print_stability(results: list[dict[str, Any]]) -> None:
    """Print how well the seeds agree on what costs most."""
    for (one, first), (two, second) in combinations(enumerate(results), 2):
        said = []
        if first["effects"] is not None:
            effects = [
                {row["name"]: row["shapley"]["mean"] for row in each["effects"]["rows"]}
                for each in (first, second)
            ]
            said.append(f"rank correlation of effects {correlation(*effects):.2f}")
        if first["layers"] is not None:
            noise = [
                {row["name"]: row["output_noise"] for row in each["layers"]["rows"]}
                for each in (first, second)
            ]
            worst = [set(each["layers"]["worst_first"][:TOP]) for each in (first, second)]
            said.append(f"of layers by output noise {correlation(*noise):.2f}")
            said.append(f"{len(worst[0] & worst[1])} of the {TOP} worst layers are the same")
        print(f"seeds {one} and {two}: {', '.join(said)}")


def correlation(one: dict[str, float | None], two: dict[str, float | None]) -> float:
    """Return Spearman's rank correlation of values by name, of those that are known."""
    names = [name for name in one if None not in (one[name], two[name])]
    ranks = stats.spearmanr([one[name] for name in names], [two[name] for name in names])
    return float(ranks.statistic)


def main() -> None:
    """Run the seeds and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=list(NETWORKS))
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--seeds", default="0,1,2")
    given, more = parser.parse_known_args()
    enter_project()
    results = []
    for at, seed in enumerate(map(int, given.seeds.split(","))):
        command = command_of("explain", given.network, given.images, seed, more)
        run = measured_run([*command, "--quiet"])
        result, took = run.result, f"{run.seconds:.0f} s, {run.megabytes:.0f} MB"
        results.append(result)
        print(
            f"\n    {' '.join(command)}\n\n{took}, {result['runs']} runs of the network", flush=True
        )
        print(f"float32 {result['float32']:.3f}, built {result['all']:.3f}\n", flush=True)
        if result["effects"] is not None:
            print_effects(result)
        if result["layers"] is not None and not at:
            print()
            print_layers(result)
        if result["attempts"]:
            print()
            print_attempts(result)
    print_stability(results)


if __name__ == "__main__":
    main()
