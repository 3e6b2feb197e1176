"""Time what the first chip of an evaluation costs, and each further one, stage by stage.

Usage: RXSIM_ASSETS=FOLDER python scripts/bench_trials.py [NETWORK ..] [--chips 4] [--images N]

FOLDER holds the networks and data that docs/evidence/networks.md names; hardware is that of
configs/rxnn-64.yaml with write errors, so that chips differ. Times are processor seconds on one
thread; those of further chips are medians. What stands at the first chip alone is done once.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import TypeVar

from evidence_networks import NETWORKS, enter_project, study_of
from script_options import one_of, whole_number

from rxsim.devices import Chip
from rxsim.load.blocked_layout import blocked_channels
from rxsim.pipeline import Foundries, Study, patch_study
from rxsim.pipeline.chip.foundry import nominal_layers, with_adcs
from rxsim.scenarios import SCENARIOS
from rxsim.session import Session

SETTINGS = ["device.write_sigma=0.02", "calibration.samples=32"]
IMAGES = {"resnet20": 100, "mobilenet_v2": 8}
T = TypeVar("T")


class Clock:
    """Processor seconds of stages, one for each time that a stage was timed."""

    def __init__(self) -> None:
        """Start without any."""
        self.seconds: dict[str, list[float]] = {}

    def of(self, stage: str, work: Callable[[], T]) -> T:
        """Do some work, counted as a stage."""
        start = time.process_time()
        result = work()
        self.seconds.setdefault(stage, []).append(time.process_time() - start)
        return result


def main() -> None:
    """Print a table for each network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", type=one_of(NETWORKS), default=list(IMAGES))
    parser.add_argument("--chips", type=whole_number, default=4)
    parser.add_argument("--images", type=whole_number)
    given = parser.parse_args()
    enter_project()
    blocked_channels()  # asked once a process
    for name in given.networks:
        images = given.images or IMAGES.get(name, 8)
        print_table(name, images, given.chips)


def print_table(name: str, images: int, chips: int) -> None:
    """Make and run the chips of a network, and print what each stage took."""
    once, each = Clock(), Clock()
    study = once.of("open model and data", lambda: study_of(name, images, SETTINGS, threads=1))
    foundries, scenario = Foundries(study), SCENARIOS["nonideal"]
    once.of("input ranges", lambda: foundries.input_ranges)
    mapped = once.of("map", lambda: foundries.map(scenario))
    once.of("nominal arrays", lambda: nominal_layers(study, mapped, foundries.solved))
    foundry = once.of("ADC ranges", lambda: foundries.open(scenario))
    for trial in range(chips):
        chip = Chip(study.settings.seed, trial)
        _, layers, adcs = each.of(
            "program and solve", lambda chip=chip: foundry.hardware(foundry.mapped, chip)
        )
        converted = with_adcs(layers, adcs)
        model = each.of("write the graph", lambda c=converted: patch_study(study, c)).model
        session = each.of("open a session", lambda m=model: Session(m, "the chip"))
        each.of("run", lambda s=session: run(s, study))
    print(f"| {name}, {images} images | chip 1 | each further chip |\n|---|---|---|")
    for stage, (seconds,) in once.seconds.items():
        print(f"| {stage} | {seconds:.2f} | |")
    later = {stage: statistics.median(s[1:] or s) for stage, s in each.seconds.items()}
    for stage, seconds in each.seconds.items():
        print(f"| {stage} | {seconds[0]:.3f} | {later[stage]:.3f} |")
    parts = [clock.seconds for clock in (once, each)]
    first = sum(seconds[0] for part in parts for seconds in part.values())
    print(f"| sum | {first:.2f} | {sum(later.values()):.2f} |\n", flush=True)


def run(session: Session, study: Study) -> None:
    """Run the study's inputs."""
    for _ in session.batches(study.inputs, [study.output], batch=study.batch, threads=1):
        pass


if __name__ == "__main__":
    main()
