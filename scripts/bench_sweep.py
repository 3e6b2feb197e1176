"""Time a sweep over ADC settings against one `rxsim eval` for each of its trials.

Usage: RXSIM_ASSETS=FOLDER python scripts/bench_sweep.py [--images N] [--evals N]

6 ADC settings x 5 chips of ResNet-20 on CIFAR-10 (FOLDER as docs/evidence/networks.md says): first 30
separate evaluations of one chip each (all of them, or the first --evals, scaled up), then the sweep
with an empty cache on as many workers as evaluations have threads. Each is a process of its own; the
accuracy of each pair is compared. Run it while nothing else does.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BITS, SCOPES, CHIPS = (5, 6, 8), ("layer", "column"), 5


def run(*arguments: str) -> float:
    """Run rxsim and return its wall seconds."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "rxsim", *arguments], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def main() -> None:
    """Print both times, their ratio, and what the cache gave."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--evals", type=int, default=len(BITS) * len(SCOPES) * CHIPS)
    given = parser.parse_args()
    assets = Path(os.environ["RXSIM_ASSETS"]) / "cifar10"
    model, data = assets / "resnet20_cifar10.onnx", assets / "cifar10_test.npz"
    card, config = ROOT / "scripts/cards/resnet_cifar10.yaml", ROOT / "configs/rxnn-64.yaml"
    points = [(bits, scope) for bits in BITS for scope in SCOPES]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds, first = 0.0, {}
        for bits, scope in [point for _ in range(CHIPS) for point in points][: given.evals]:
            # One chip each: what a loop over rxsim eval would cost, whichever chip it asks for.
            options = ["--limit", str(given.images), "--json", str(folder / "e.json")]
            settings = (f"adc.n_bits={bits}", f"adc.scope={scope}", "device.write_sigma=0.02")
            options += [part for one in settings for part in ("--set", one)]
            files = ["--data", str(data), "--card", str(card), "--config", str(config)]
            seconds += run("eval", str(model), *files, *options)
            ladder = json.loads((folder / "e.json").read_text())["ladder"]
            first.setdefault((bits, scope), ladder["nonideal"]["accuracy"]["mean"])
        separate = seconds / given.evals * len(points) * CHIPS
        sweep = {
            "model": str(model),
            "config": str(config),
            **{"data": str(data), "card": str(card), "limit": given.images},
            "settings": {"device": {"write_sigma": 0.02}},
            "axes": {"adc.n_bits": list(BITS), "adc.scope": list(SCOPES)},
            "trials": CHIPS,
        }
        (folder / "sweep.yaml").write_text(json.dumps(sweep))
        results = folder / "r.sqlite"
        whole = run(
            "sweep", str(folder / "sweep.yaml"), "-o", str(results), "--cache", str(folder / "c")
        )
        sql = (
            "SELECT json_extract(settings, '$.adc.n_bits'), json_extract(settings, '$.adc.scope'), "
            "accuracy FROM results WHERE trial = 0"
        )
        with sqlite3.connect(results) as file:
            same = all(first.get((b, s), a) == a for b, s, a in file.execute(sql))
    print(
        f"{len(points)} ADC settings x {CHIPS} chips, ResNet-20, {given.images} images: "
        f"{given.evals} evaluations took {seconds:.0f} s ({separate:.0f} s for all), the sweep "
        f"{whole:.0f} s: {separate / whole:.1f} times faster; first chips' accuracies "
        f"{'equal' if same else 'DIFFER'}."
    )


if __name__ == "__main__":
    main()
