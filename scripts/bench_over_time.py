"""Evaluate ResNet-20 on phase-change memory over a year and print a Markdown table.

Usage: RXSIM_ASSETS=FOLDER python scripts/bench_over_time.py [--trials N] [--limit N] [WORD ...]

FOLDER holds the network and data that docs/evidence/networks.md names. Each row is one `rxsim eval` in
a process, for a device and a kind of drift compensation (words choose among them); its command,
wall time and peak memory are printed. Run it while nothing else does.
"""

from __future__ import annotations

import argparse

from evidence_networks import enter_project
from measured_run import measured_run

DEVICES = ("pcm-nandakumar", "pcm-hermes")
KINDS = ("none", "layer", "column")
TIMES = ("1s", "1h", "1d", "1mo", "1y")


def command_of(device: str, kind: str, trials: int, limit: int) -> list[str]:
    """Return the command of a row, with $RXSIM_ASSETS in place of the folder."""
    cifar = "$RXSIM_ASSETS/cifar10"
    return [
        *("rxsim", "eval", f"{cifar}/resnet20_cifar10.onnx"),
        *("--card", "scripts/cards/resnet_cifar10.yaml", "--data", f"{cifar}/cifar10_test.npz"),
        *("--calibrate", f"{cifar}/cifar10_train1000.npz", "--config", "configs/pcm-64.yaml"),
        *("--set", f"device.model={device}", "--set", f"drift_compensation={kind}"),
        *("--time", ",".join(TIMES), "--trials", str(trials), "--limit", str(limit)),
    ]


def cell(point: dict[str, object]) -> str:
    """Write the mean accuracy at a time, and the half width of its interval for these images."""
    accuracy = point["accuracy"]
    assert isinstance(accuracy, dict)
    interval = accuracy["interval_these_images"]
    half = "" if interval is None else f" ± {(interval[1] - interval[0]) / 2:.3f}"
    return f"{accuracy['mean']:.3f}{half}"


def main() -> None:
    """Run the wanted rows and print the table and the commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="words of the rows that are wanted")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--limit", type=int, default=1000)
    given = parser.parse_args()
    enter_project()
    lines = [
        f"| device | compensation | {' | '.join(TIMES)} | time | peak memory |",
        f"|---|---|{'---|' * len(TIMES)}---|---|",
    ]
    for device in DEVICES:
        for kind in KINDS:
            if given.words and not {device, kind} & {*given.words}:
                continue
            command = command_of(device, kind, given.trials, given.limit)
            run = measured_run([*command, "--quiet"])
            result, seconds, memory = run.result, run.seconds, run.megabytes
            over_time = result["over_time"]
            assert isinstance(over_time, list)
            cells = " | ".join(cell(point) for point in over_time)
            lines.append(f"| {device} | {kind} | {cells} | {seconds:.0f} s | {memory:.0f} MB |")
            print(f"    {' '.join(command)}\n{lines[-1]}", flush=True)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
