"""Accuracy of ResNet-20 with stuck cells, with each step that knows them: Markdown tables.

Usage: RXSIM_ASSETS=FOLDER python scripts/stuck_cells.py [--images N] [--chips N] [--hardware NAME]

FOLDER holds the networks and data that docs/evidence/networks.md names. Both readings of 1.75 % and
9.04 % are taken, on hardware without converters and wires (`faults`), with default settings, and with
finer ADCs (`fine`). Accuracy is the mean over chips, with half the 95 % interval for these images;
digital is the mean share of weights whose product is computed digitally.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from evidence_networks import enter_project, study_of

from rxsim.pipeline import Foundries, Runner
from rxsim.scenarios import as_built
from rxsim.statistics import chip_interval

READINGS = ("stuck-chen-lrs-1.75", "stuck-chen-lrs-9.04")
STEPS = (
    (),
    ("pairs",),
    ("spares",),
    ("spares", "pairs"),
    ("digital_cells",),
    ("spares", "pairs", "digital_cells"),
    ("spares", "pairs", "{digital_cells: {least_error: 10%}}"),
)
WIRES = ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")
HARDWARE = {
    "faults": ("dac.n_bits=null", "adc.n_bits=null", *(f"crossbar.{wire}=0" for wire in WIRES)),
    "default": (),
    "fine": ("adc.n_bits=8", "adc.scope=column"),
}


def row_of(assignments: list[str], images: int) -> str:
    """Evaluate the chips of some settings: the cells of a row."""
    start = time.perf_counter()
    study = study_of("resnet20", images, assignments)
    scenario, runner = as_built(study.settings), Runner(study)
    floating = runner.score_float()
    foundry = Foundries(study).open(scenario)
    accuracy, shares = [], []
    for trial in range(foundry.chips):
        chip = foundry.make(trial)
        accuracy.append(runner.score(chip.network, scenario.name).mean("accuracy"))
        changed = [layer.digital for layer in chip.converted if layer.digital is not None]
        weights = sum(layer.layer.matrices.size for layer in chip.converted)
        shares.append(sum(map(np.count_nonzero, changed)) / weights)
    mean, interval = float(np.mean(accuracy)), chip_interval(np.array(accuracy))
    text = "-" if interval is None else f"{interval.high - mean:.3f}"
    return (
        f"{floating.mean('accuracy'):.3f} | {mean:.3f} | {text} | {100 * np.mean(shares):.1f} % | "
        f"{time.perf_counter() - start:.0f} s |"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--chips", type=int, default=5)
    parser.add_argument("--spares", type=int, default=4)
    parser.add_argument("--hardware", choices=list(HARDWARE), action="append")
    given = parser.parse_args()
    enter_project()
    common = [f"trials={given.chips}", f"mapping.spare_cols={given.spares}"]
    for name in given.hardware or list(HARDWARE):
        settings = [*common, *HARDWARE[name]]
        print(f"\n{name}\n\n| stuck | steps | float32 | accuracy | +- | digital | time |")
        print("|---|---|---|---|---|---|---|")
        print(f"| none | - | {row_of(settings, given.images)}", flush=True)
        for reading in READINGS:
            for steps in STEPS:
                each = [*settings, f"device.model={reading}", f"compensate=[{','.join(steps)}]"]
                label = ", ".join(f"`{step}`" for step in steps) or "-"
                print(f"| {reading} | {label} | {row_of(each, given.images)}", flush=True)


if __name__ == "__main__":
    main()
