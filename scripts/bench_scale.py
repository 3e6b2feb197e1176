"""Seconds and peak memory of every stage on networks of published shapes: load to a patched file.

Usage: python scripts/bench_scale.py NETWORK.. [--set KEY=VALUE ..] [--limit-gib 8] [--eval N]

NETWORK is a name of `scripts/published_shapes.py`, or an ONNX file.
Each network is patched in a process of its own, as `rxsim patch` does it, on made-up inputs; a second
process opens the patched file and runs a batch. With --eval `rxsim eval` evaluates them instead.

A stage's memory is the largest resident size while it ran: the kernel's mark is reset when it begins.
Files that are mapped count while their pages are resident, although the kernel takes such pages back
where memory is scarce; what is left without them stands beside it, looked at every 50 ms. Processor
time is that of all threads; it says more than wall time on a machine that others use too. What exceeds
the limit on memory that is no file's (RLIMIT_DATA) fails.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

GIB = 2**30
KIB = 1024
# Source: proc(5), clear_refs: 5 resets the largest resident size of the process.
RESET_PEAK = "5"
LOOK_EVERY = 0.05
HEAD = "| stage | wall, s | processor, s | peak, GiB | no file's, GiB |\n|---|---|---|---|---|"


@dataclass(frozen=True, slots=True)
class Took:
    """What a stage took.

    Attributes:
        stage: its name.
        wall: seconds.
        processor: seconds, of all threads.
        peak: bytes, the largest resident size while it ran.
        own: bytes of it that no file holds, likewise.
    """

    stage: str
    wall: float
    processor: float
    peak: int
    own: int


class StageMeter:
    """Watches the stages of a run; those of one name are added up."""

    def __init__(self) -> None:
        self.took: dict[str, Took] = {}
        self._mark = _marked()
        self._own = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def begin(self, stage: str) -> None:
        """Count what lies between stages, and start to count anew."""
        self._add("between stages")

    def end(self, stage: str, seconds: float) -> None:
        """Count a stage."""
        self._add(stage)

    def advance(self, stage: str, done: int, total: int) -> None:
        """Nothing to tell."""

    def tell(self, text: str) -> None:
        """Nothing to tell."""

    def left(self, text: str) -> None:
        """Nothing to tell."""

    def _watch(self) -> None:
        """Look at what no file holds, again and again."""
        while True:
            self._own = max(self._own, status_bytes("RssAnon"))
            time.sleep(LOOK_EVERY)

    def _add(self, stage: str) -> None:
        wall, processor = self._mark
        peak, own = status_bytes("VmHWM"), max(self._own, status_bytes("RssAnon"))
        self._mark, self._own = _marked(), 0
        before = self.took.get(stage, Took(stage, 0.0, 0.0, 0, 0))
        self.took[stage] = Took(
            stage,
            before.wall + self._mark[0] - wall,
            before.processor + self._mark[1] - processor,
            max(before.peak, peak),
            max(before.own, own),
        )


def _marked() -> tuple[float, float]:
    """Reset the largest resident size; return wall and processor time, seconds."""
    Path("/proc/self/clear_refs").write_text(RESET_PEAK)
    return time.perf_counter(), time.process_time()


def status_bytes(name: str) -> int:
    """Return a size of this process: VmHWM, the largest resident one; RssAnon, what no file holds."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * KIB
    raise SystemExit(f"bench_scale: found no {name} in /proc/self/status, expected Linux")


def patch(model: Path, output: Path, assignments: Sequence[str], threads: int) -> dict[str, Any]:
    """Patch a network in this process, as `rxsim patch` does.

    Returns:
        Its stages, weights on crossbars and arrays.
    """
    from rxsim.config import load_settings
    from rxsim.load import write_onnx
    from rxsim.pipeline import open_study, patched_chip, with_origin
    from rxsim.scenarios import as_built
    from rxsim.stages import Stages

    meter = StageMeter()
    stages = Stages(meter)
    settings = load_settings(assignments=assignments)
    study = open_study(model, settings, threads=threads, stages=stages, evaluates=False)
    patched = patched_chip(study)
    with stages("write"):
        write_onnx(output, with_origin(patched.model, study, as_built(settings).name, 0))
    return {
        "stages": [asdict(took) for took in meter.took.values()],
        "weights": sum(layer.matrices.size for layer in study.network.layers),
        "layers": len(study.network.layers),
        "arrays": sum(plan.arrays for plan in study.plan.layers.values()),
        "inputs": len(study.calibration),
    }


def run_batch(model: Path, size: int) -> dict[str, Any]:
    """Open a patched file in this process and run a batch on it, on one thread."""
    import numpy as np
    import onnxruntime as ort

    meter = StageMeter()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    meter.end("open", 0.0)
    rng = np.random.default_rng(0)
    feeds = {each.name: made_up(each, size, rng) for each in session.get_inputs()}
    result = session.run(None, feeds)[0]
    meter.end("one batch", 0.0)
    return {
        "stages": [asdict(took) for took in meter.took.values()],
        "finite": bool(np.isfinite(result).all()),
    }


def made_up(described: Any, size: int, rng: Any) -> Any:
    """Make up an input: normal numbers, or small whole ones."""
    import numpy as np

    shape = [size if not isinstance(axis, int) else axis for axis in described.shape]
    if "int" in described.type:
        return rng.integers(0, 1000, shape).astype(np.int64)
    return rng.standard_normal(shape).astype(np.float32)


def in_a_process(words: Sequence[str], limit: float) -> dict[str, Any]:
    """Run a part of this script in a process of its own, with so many GiB that are no file's."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (int(limit * GIB), int(limit * GIB)))

    command = [sys.executable, __file__, *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, preexec_fn=limited)
    if done.returncode:
        raise SystemExit(f"bench_scale: {' '.join(words)} ended with {done.returncode}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def spinning_pair() -> float:
    """Return how much more two spinning processes do than one: 2 on a quiet machine of two cores."""

    def seconds(count: int) -> float:
        spin = "sum(i * i for i in range(10_000_000))"
        start = time.perf_counter()
        spinning = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(count)]
        for process in spinning:
            process.wait()
        return time.perf_counter() - start

    return 2 * seconds(1) / seconds(2)


def file_of(name: str, folder: Path) -> Path:
    """Return a network's file, written where it is not there."""
    if name.endswith(".onnx"):
        return Path(name)
    path = folder / f"{name}.onnx"
    if not path.exists():
        script = Path(__file__).with_name("published_shapes.py")
        words = [sys.executable, str(script), name, "-o", str(folder)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return path


def print_stages(found: dict[str, Any]) -> None:
    """Print the stages of a process, a line each."""
    for each in found["stages"]:
        print(
            f"| {each['stage']} | {each['wall']:.1f} | {each['processor']:.1f} "
            f"| {each['peak'] / GIB:.2f} | {each['own'] / GIB:.2f} |",
            flush=True,
        )


def bench(name: str, given: argparse.Namespace) -> None:
    """Patch a network and run a batch on what was written, or evaluate it."""
    model = file_of(name, given.folder)
    output = given.folder / f"{model.stem}-patched.onnx"
    settings = [word for each in given.assignments for word in ("--set", each)]
    if given.eval:
        words = ["--evaluate", str(model), str(given.eval), "--threads", str(given.threads)]
        print(f"\n{model.stem}\n\n{HEAD}")
        print_stages(in_a_process([*words, *settings], given.limit_gib))
        return
    words = ["--patch", str(model), str(output), "--threads", str(given.threads), *settings]
    found = in_a_process(words, given.limit_gib)
    print(
        f"\n{model.stem}: {found['weights']:,} weights in {found['layers']} layers, "
        f"{found['arrays']:,} arrays, {found['inputs']} inputs to calibrate\n"
    )
    print(HEAD)
    print_stages(found)
    beside = output.with_name(f"{output.name}.data")
    size = output.stat().st_size + (beside.stat().st_size if beside.exists() else 0)
    print_stages(in_a_process(["--batch", str(output), str(given.size)], given.limit_gib))
    print(f"\npatched file {size / GIB:.2f} GiB{', external' if beside.exists() else ''}")
    output.unlink()
    beside.unlink(missing_ok=True)


def evaluate(model: Path, limit: int, assignments: Sequence[str], threads: int) -> dict[str, Any]:
    """Run `rxsim eval` on so many made-up inputs in this process; what it prints goes nowhere."""
    from rxsim.cli import root

    meter = StageMeter()
    words = ["eval", str(model), "--quiet", "--limit", str(limit), "--threads", str(threads)]
    for each in assignments:
        words += ["--set", each]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        root.main(words, standalone_mode=False)
    meter.end(f"rxsim eval --limit {limit}", 0.0)
    return {"stages": [asdict(took) for took in meter.took.values()]}


def main() -> None:
    """Measure the networks that are named, or do a part in this process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NETWORK")
    parser.add_argument("--set", dest="assignments", action="append", default=[])
    parser.add_argument("--limit-gib", type=float, default=8.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=1, help="inputs in the batch")
    parser.add_argument("--folder", type=Path, default=Path("."), help="where files are written")
    parser.add_argument("--eval", type=int, metavar="N", help="evaluate N made-up inputs instead")
    parser.add_argument("--patch", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--batch", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--evaluate", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.patch:
        print(json.dumps(patch(*given.patch, given.assignments, given.threads)))
    elif given.batch:
        print(json.dumps(run_batch(Path(given.batch[0]), int(given.batch[1]))))
    elif given.evaluate:
        model, limit = given.evaluate
        print(json.dumps(evaluate(Path(model), int(limit), given.assignments, given.threads)))
    elif not given.names:
        parser.error("found no network, expected one or more names or files")
    else:
        print(f"two spinning processes do {spinning_pair():.2f} times what one does")
        for name in given.names:
            bench(name, given)


if __name__ == "__main__":
    main()
