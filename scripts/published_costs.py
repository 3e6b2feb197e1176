"""Price networks of published shapes in PUMA and ISAAC, and print a Markdown table for each.

Usage: python scripts/published_costs.py FOLDER [NETWORK ..]

FOLDER takes the networks that `scripts/published_shapes.py` writes. Weights have 16 bits in eight
slices; PUMA's signs are taken as an offset, as eight arrays a block of 128x128 say (configs/puma.yaml
takes pairs). Arrays' energy is the technology's. `balanced` copies layers on the chips that the network
needs anyway. Beside stands what the papers print for the same work: PUMA 43.97 nJ for a product of
128x128, ISAAC 628 GOPS/W at its peak.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from measured_run import MeasuredRun, measured_run

from rxsim.cost.technology_files import named_technology
from rxsim.cost.totals import instances

NETWORKS = ("mlpl4", "mlpl5", "nmtl3", "nmtl5", "resnet50", "vgg16")
OPTIONS = {
    "puma": [
        *("--config", "configs/puma.yaml", "--set", "mapping.scheme=offset"),
        *("--set", "mapping.offset_removal=digital"),
    ],
    "isaac": ["--config", "configs/isaac.yaml"],
}
ARRAYS_OF_A_PRODUCT = 8
PUMA_PRODUCT_J = 43.97e-9  # Source: Ankit et al., ASPLOS 2019
ISAAC_OPS_PER_J = 628e9  # Source: derived from Shafiee et al., ISCA 2016 (41.3 TOPS, 65.8 W)


def costs(model: Path, technology: str, arrays: int | None = None) -> MeasuredRun:
    """Price a network without running it."""
    copies = [] if arrays is None else ["--replicate", str(arrays)]
    return measured_run(
        [
            *("rxsim", "cost", str(model), "--quiet", "--technology", technology),
            *("--array-energy", "technology", *OPTIONS[technology], *copies),
        ]
    )


def published_joules(technology: str, cost: dict[str, Any]) -> float:
    """Return what the paper's own number makes of the same products, J."""
    if technology == "isaac":
        return 2 * float(cost["macs"]) / ISAAC_OPS_PER_J
    products = sum(
        layer["positions"] * layer["arrays"] / ARRAYS_OF_A_PRODUCT for layer in cost["layers"]
    )
    return float(products) * PUMA_PRODUCT_J


def row(model: Path, technology: str) -> str:
    """Return a network's row of the table."""
    run = costs(model, technology)
    cost = run.result
    design = named_technology(technology)
    chips = next(level["needed"] for level in cost["levels"] if level["name"] == "chip")
    arrays = int(chips * instances(design, "array", "chip"))
    balanced = costs(model, technology, arrays).result
    inner = "unit" if technology == "puma" else "chip"
    cells = [
        model.stem,
        f"{cost['macs'] / 1e9:.3g}",
        f"{cost['arrays']:,}",
        str(chips),
        f"{1e3 * cost['within'][inner]['energy_j']:.3g}",
        f"{1e3 * published_joules(technology, cost):.3g}",
        f"{1e3 * cost['energy_j']:.3g}",
        f"{1e3 * cost['latency_s']:.3g}",
        f"{1e3 * cost['interval_s']:.3g}",
        f"{1e3 * balanced['latency_s']:.3g}",
        f"{1e3 * balanced['interval_s']:.3g}",
        f"{run.seconds:.0f} s, {run.megabytes:.0f} MB",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Write the networks where they are missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    given = parser.parse_args()
    scripts = Path(__file__).parent
    for technology in OPTIONS:
        scope = "units" if technology == "puma" else "chips"
        print(f"\n{technology}\n")
        print(
            f"| network | GMAC | arrays | chips | {scope}, mJ | published, mJ | all, mJ | time, ms | "
            "pipelined, ms | balanced: time, ms | pipelined, ms | the command took |"
        )
        print(f"|{'---|' * 12}", flush=True)
        for name in given.networks:
            model = given.folder / f"{name}.onnx"
            if not model.exists():
                shapes = [str(scripts / "published_shapes.py"), name, "-o", str(given.folder)]
                subprocess.run([sys.executable, *shapes], check=True, stdout=subprocess.DEVNULL)
            print(row(model, technology), flush=True)


if __name__ == "__main__":
    main()
