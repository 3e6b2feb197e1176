"""Time patched graphs beside the plain network, in one process, in turns, on one thread.

Usage: RXSIM_ASSETS=FOLDER python scripts/bench_graph.py [NETWORK ..] [--hardware NAME ..] [--turns N]

FOLDER holds the networks and data that docs/evidence/networks.md names. In a turn the same batch goes
through the plain network, through the patched one as its file has it, and as rxsim runs it (converters
in the layout of the convolutions, the same bits), in processor seconds: the wall counts what else runs.
The table has the median over the turns of the ratios to the plain network, with quartiles of the
last; `products` counts the Conv and MatMul nodes of the patched file for each of the plain one. With
`--profile` each graph's time is split by operator, as onnxruntime's profiler has it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from evidence_networks import NETWORKS, enter_project, study_of
from script_options import one_of, whole_number

from rxsim.load.blocked_layout import in_blocked_layout
from rxsim.load.runtime import quiet_options, session_of
from rxsim.pipeline import patched_chip

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
    parser.add_argument(
        "networks", nargs="*", type=one_of(NETWORKS), default=["resnet20", "mobilenet_v2"]
    )
    parser.add_argument("--hardware", nargs="+", default=list(HARDWARE), choices=list(HARDWARE))
    parser.add_argument("--turns", type=whole_number, default=15)
    parser.add_argument(
        "--batch", type=whole_number, help="images a batch, in place of the network's"
    )
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    enter_project()
    print("| network | hardware | batch | file | run (quartiles) | products | run, a product |")
    print("|---|---|---|---|---|---|---|")
    for name in given.networks:
        for hardware in given.hardware:
            batch = given.batch or (1 if hardware == "isaac" else BATCH[name])
            print_row(name, hardware, batch, given.turns, given.profile)


def print_row(name: str, hardware: str, batch: int, turns: int, profile: bool) -> None:
    """Patch a network, time it, and print its row.

    Args:
        name: of the network.
        hardware: a key of `HARDWARE`.
        batch: images.
        turns: how often all are run.
        profile: whether to print the time by operator, too.
    """
    config, assignments = HARDWARE[hardware]
    assignments = [*assignments, f"calibration.samples={SAMPLES}"]
    study = study_of(name, batch, assignments, config=Path(config), threads=1)
    plain, patched = study.network.original, patched_chip(study).model
    models = {"plain": plain, "file": patched, "run": in_blocked_layout(patched)}
    feeds = study.inputs.feeds(0, batch)
    sessions = {kind: opened(model) for kind, model in models.items()}
    results = {kind: session.run(None, feeds)[0] for kind, session in sessions.items()}
    assert np.array_equal(results["file"], results["run"])
    written, (low, run, high) = ratios(list(sessions.values()), feeds, turns)
    products = count(patched) / count(plain)
    print(
        f"| {name} | {hardware} | {batch} | {written[1]:.2f} | {run:.2f} ({low:.2f}, {high:.2f}) "
        f"| {products:.1f} | {run / products:.2f} |",
        flush=True,
    )
    for kind, model in models.items() if profile else ():
        print_profile(kind, model, feeds, turns)


def count(model: onnx.ModelProto) -> int:
    """Count the products of a graph."""
    return sum(node.op_type in PRODUCTS for node in model.graph.node)


def opened(model: onnx.ModelProto, profile: str = "") -> ort.InferenceSession:
    """Open a session of one thread, with rxsim's options, that runs a model as it is written."""
    options = quiet_options()
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    return session_of(model, options)


def ratios(
    sessions: list[ort.InferenceSession], feeds: dict[str, np.ndarray], turns: int
) -> list[list[float]]:
    """Run all in turns; return the quartiles of the others' times over the first one's."""
    repeats = [max(1, round(0.05 / max(seconds(each, feeds, 1), 1e-4))) for each in sessions]
    times = np.array(
        [
            [seconds(each, feeds, n) for each, n in zip(sessions, repeats, strict=True)]
            for _ in range(turns)
        ]
    )
    quartiles = np.percentile(times[:, 1:] / times[:, :1], [25, 50, 75], axis=0)
    return [[float(value) for value in column] for column in quartiles.T]


def seconds(session: ort.InferenceSession, feeds: dict[str, np.ndarray], repeats: int) -> float:
    """Return the processor seconds of a batch."""
    start = time.process_time()
    for _ in range(repeats):
        session.run(None, feeds)
    return (time.process_time() - start) / repeats


def print_profile(
    kind: str, model: onnx.ModelProto, feeds: dict[str, np.ndarray], turns: int
) -> None:
    """Print the least milliseconds of each operator (of the wall: a profiler knows no other)."""
    with tempfile.TemporaryDirectory() as folder:
        session = opened(model, str(Path(folder) / "profile"))
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
