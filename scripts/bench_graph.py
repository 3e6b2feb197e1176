"""Time patched graphs beside the plain network, in one process, in turns, on one thread.

Usage: RXSIM_ASSETS=FOLDER python scripts/bench_graph.py [NETWORK ..] [--hardware NAME ..] [--turns N]

FOLDER holds the networks and data that docs/evidence/networks.md names. A turn runs the same batch through
the plain network and through the patched one, in processor seconds of the process (the wall's would
count whatever else runs); the table has the median over the turns of their ratio, and its lower and
upper quartile. `products` counts the Conv and MatMul nodes of the patched graph for each of the plain one.
With `--profile` the patched graph's time is split by operator, as onnxruntime's profiler has it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from evidence_networks import enter_project, study_of

from rxsim.pipeline import Study, patched_chip
from rxsim.session import Session

HARDWARE = {
    "weights": ("configs/rxnn-64.yaml", ["dac.n_bits=null", "adc.n_bits=null"]),
    "per_layer": ("configs/rxnn-64.yaml", ["adc.where=per_layer"]),
    "per_tile": ("configs/rxnn-64.yaml", []),
    "isaac": ("configs/isaac.yaml", []),
}
BATCH = {"resnet20": 16, "resnet56": 16, "mobilenet_v2": 4, "mobilenet_v1": 16, "squeezenet": 4}
PRODUCTS = ("Conv", "MatMul", "Gemm")
SAMPLES = 8  # of the calibration: they set ranges, not times


def main() -> None:
    """Print a row for each network and hardware."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", default=["resnet20", "mobilenet_v2"])
    parser.add_argument("--hardware", nargs="+", default=list(HARDWARE), choices=list(HARDWARE))
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    enter_project()
    print("| network | hardware | batch | times the plain graph (quartiles) | products | a product |")
    print("|---|---|---|---|---|---|")
    for name in given.networks:
        for hardware in given.hardware:
            print_row(name, hardware, given.turns, given.profile)


def print_row(name: str, hardware: str, turns: int, profile: bool) -> None:
    """Patch a network, time it, and print its row.

    Args:
        name: of the network.
        hardware: a key of `HARDWARE`.
        turns: how often both are run.
        profile: whether to print the time by operator, too.
    """
    config, assignments = HARDWARE[hardware]
    batch = 1 if hardware == "isaac" else BATCH[name]
    assignments = [*assignments, f"calibration.samples={SAMPLES}"]
    study = study_of(name, batch, assignments, config=Path(config), threads=1)
    plain, patched = study.network.original, patched_chip(study).model
    products = count(patched) / count(plain)
    low, middle, high = ratios(study, plain, patched, batch, turns)
    print(
        f"| {name} | {hardware} | {batch} | {middle:.2f} ({low:.2f}, {high:.2f}) | {products:.1f} "
        f"| {middle / products:.2f} |",
        flush=True,
    )
    if profile:
        for kind, model in (("plain", plain), ("patched", patched)):
            print_profile(kind, model, study.inputs.feeds(0, batch), turns)


def count(model: onnx.ModelProto) -> int:
    """Count the products of a graph."""
    return sum(node.op_type in PRODUCTS for node in model.graph.node)


def ratios(
    study: Study, plain: onnx.ModelProto, patched: onnx.ModelProto, batch: int, turns: int
) -> list[float]:
    """Run both in turns; return the quartiles of the ratio of their times."""
    sessions = [Session(model, "the network") for model in (plain, patched)]
    feeds = study.inputs.feeds(0, batch)
    for session in sessions:
        session.run([study.output], feeds)
    repeats = [repeats_for(session, study, feeds) for session in sessions]
    found = []
    for _ in range(turns):
        first, second = (
            seconds(session, study, feeds, n) for session, n in zip(sessions, repeats, strict=True)
        )
        found.append(second / first)
    return statistics.quantiles(found, n=4, method="inclusive") if turns > 1 else found * 3


def repeats_for(session: Session, study: Study, feeds: dict[str, np.ndarray]) -> int:
    """Return how many batches take a tenth of a second: shorter times are coarse."""
    return max(1, round(0.1 / max(seconds(session, study, feeds, 1), 1e-4)))


def seconds(session: Session, study: Study, feeds: dict[str, np.ndarray], repeats: int) -> float:
    """Return the processor seconds of a batch."""
    start = time.process_time()
    for _ in range(repeats):
        session.run([study.output], feeds)
    return (time.process_time() - start) / repeats


def print_profile(
    kind: str, model: onnx.ModelProto, feeds: dict[str, np.ndarray], turns: int
) -> None:
    """Print the least milliseconds of each operator (of the wall: a profiler knows no other)."""
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(model.SerializeToString(), options)
        for _ in range(turns):
            session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    times: dict[str, list[float]] = {}
    nodes: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times.setdefault(event["name"], []).append(event["dur"] / 1e3)
            nodes[event["args"]["op_name"]] += 1
    kinds: Counter[str] = Counter()
    operators = {e["name"]: e["args"]["op_name"] for e in events if e["name"] in times}
    for node, values in times.items():
        kinds[operators[node]] += min(values)
    parts = (f"{op} {nodes[op] // turns}x {ms:.2f}" for op, ms in kinds.most_common(12))
    print(f"    {kind}: {sum(kinds.values()):.2f} ms: {', '.join(parts)}", flush=True)


if __name__ == "__main__":
    main()
