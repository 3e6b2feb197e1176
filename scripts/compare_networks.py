"""Compare whole networks with other simulators: the same images, the same arrays, only wires act.

    python3.11 -m venv /tmp/aihwkit && /tmp/aihwkit/bin/pip install aihwkit==1.1.0 torch==2.10.0
    python scripts/compare_networks.py digits_cnn --aihwkit /tmp/aihwkit/bin/python
    python scripts/compare_networks.py resnet20 --superposed --exact 100 --timed 0 --aihwkit ...
    python scripts/compare_networks.py digits_cnn --crosssim PATH  # of a checkout of CrossSim

Weights lie continuously on differential pairs, there are no converters and no device errors. The truth
is nodal analysis by SuperLU, one solve for each input vector of each array (`nodal_products.py`), in
float64; with `--superposed` one for each row of each array, whose currents add up: the arrays are
linear. `--circuit` names the array:

- rxnn: 64x64, 200 kohm to 1.4 Mohm, 2.5 ohm wires, 100 ohm drivers and senses.
- rxnn-128: the same on 128x128.
- rxnn-10: as rxnn, with wires of 10 ohm.
- segments: as rxnn, but drivers and senses are as large as a segment of wire, 2.5 ohm: what CrossSim
  has by itself at the ends of a line.
- bitlines: 64x64, 200 kohm to 200 Mohm, 2.5 ohm along the bitlines, 0 ohm elsewhere: the
  resistances that aihwkit's models know.

Printed are ratios of processor time, one thread on one processor for each, all images in one batch.
For rxsim and the plain network the whole graph counts, in onnxruntime; for the others their products
alone: windows of convolutions and digital layers, which this script computes in numpy for them, are
left out. Before the first image rxsim maps, programs and solves the arrays and writes the network;
nodal analysis factorises; the others program their tiles.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator, Mapping  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime as ort  # noqa: E402
from bench_peers import machine, versions  # noqa: E402
from evidence_networks import NETWORKS, ROOT, enter_project, study_of  # noqa: E402
from nodal_products import NodalProducts  # noqa: E402
from numpy_network import Product, matrices_of, run  # noqa: E402
from peer_tiles import Circuit, largest  # noqa: E402
from product_worker import WorkerProducts  # noqa: E402

from rxsim.config import Settings, load_settings  # noqa: E402
from rxsim.errors import InputError  # noqa: E402
from rxsim.pipeline import DataOptions, Study, open_study, patched_chip  # noqa: E402

SHIPPED = ("digits_cnn", "digits_mlp", "digits_resnet")
ALONE = ("device.n_bits=null", "dac.n_bits=null", "adc.n_bits=null")
CIRCUITS = {
    "rxnn": (),
    "rxnn-128": ("crossbar.rows=128", "crossbar.cols=128"),
    "rxnn-10": ("crossbar.r_wire_wl=10", "crossbar.r_wire_bl=10"),
    "segments": ("crossbar.r_driver=2.5", "crossbar.r_sense=2.5"),
    "bitlines": (
        "device.r_off=2e8",
        "crossbar.r_wire_wl=0",
        "crossbar.r_driver=0",
        "crossbar.r_sense=0",
    ),
}
# Source: the first is CrossSim's own (`Verr_th_mvm`, the largest error of a cell's voltage over the
# largest input). Assumption: the second shows what its circuit says with no error of its solver.
CROSSSIM_TOLERANCES = ("1e-3", "1e-6")
# A session of milliseconds is run again until it has taken this long, seconds.
LONG_ENOUGH = 0.2


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Row:
    """What a simulator gave.

    Attributes:
        title: its name.
        logits: (images, classes); None where it was not run on its own.
        each: processor seconds an image.
        before: processor seconds before the first image; None where there is no such thing.
    """

    title: str
    logits: np.ndarray | None
    each: float
    before: float | None


def circuit_of(settings: Settings) -> Circuit:
    """Return the array that settings describe."""
    bar, device = settings.crossbar, settings.device
    return Circuit(
        rows=bar.rows,
        cols=bar.cols,
        r_wire_wl=bar.r_wire_wl,
        r_wire_bl=bar.r_wire_bl,
        r_driver=bar.r_driver,
        r_sense=bar.r_sense,
        g_on=device.g_on,
        g_off=device.g_off,
    )


def opened(network: str, circuit: str, images: int) -> Study:
    """Open a shipped network, or one of the folder of real networks."""
    assignments = [*ALONE, *CIRCUITS[circuit]]
    if network in NETWORKS:
        return study_of(network, images, assignments, threads=1)
    settings = load_settings(None, assignments=assignments)
    model = ROOT / "models" / f"{network}.onnx"
    return open_study(model, settings, DataOptions(limit=images), threads=1)


def in_onnxruntime(title: str, model: onnx.ModelProto, study: Study, before: float | None) -> Row:
    """Run a graph on all images, on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options)
    feeds = study.inputs.feeds(0, len(study.inputs))
    logits = session.run([study.output], feeds)[0]
    start, runs = time.process_time(), 0
    while time.process_time() < start + LONG_ENOUGH:
        session.run([study.output], feeds)
        runs += 1
    each = (time.process_time() - start) / runs / len(study.inputs)
    return Row(title=title, logits=logits, each=each, before=before)


def of_rxsim(study: Study) -> Row:
    """Map, program and solve the network's arrays, write it and run it."""
    patched_chip(study)  # the kernels are compiled or loaded now
    start = time.process_time()
    chip = patched_chip(study)
    before = time.process_time() - start
    return in_onnxruntime("**rxsim**", chip.model, study, before)


def through(study: Study, product: Product, images: int) -> np.ndarray:
    """Run the normalised network in numpy on the first images, with some product."""
    return run(study.network.model, study.output, study.inputs.feeds(0, images), product)


def float_and_largest(
    study: Study, matrices: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, float]]:
    """Return the logits in float64, and by layer the largest magnitude of an input."""
    x_max: dict[str, float] = {}

    def product(layer: str, inputs: np.ndarray) -> np.ndarray:
        x_max[layer] = largest(inputs)
        return np.asarray(inputs @ matrices[layer])

    return through(study, product, len(study.inputs)), x_max


def by_nodal_analysis(
    study: Study, matrices: Mapping[str, np.ndarray], images: int, *, superposed: bool
) -> tuple[np.ndarray, list[Row]]:
    """Solve for the vectors of the first images; return their logits, and rows of times."""
    products = NodalProducts(matrices, circuit_of(study.settings), superposed=superposed)
    logits = through(study, products, images)
    timed_on = " (timed on one vector a row)" if superposed else ""
    kept = Row(
        title=f"nodal analysis, each array factorised once{timed_on}",
        logits=logits,
        each=products.seconds / images,
        before=products.factoring,
    )
    unkept = Row(
        title="nodal analysis, factorised for each vector (timed on one vector a layer)",
        logits=None,
        each=products.unkept / images,
        before=None,
    )
    return logits, [kept, unkept]


def of_worker(
    command: list[str],
    study: Study,
    matrices: Mapping[str, np.ndarray],
    x_max: Mapping[str, float],
    images: int,
) -> Row:
    """Run the network on the first images with the products of a simulator in another process."""
    worker = WorkerProducts(command, matrices, circuit_of(study.settings), x_max)
    try:
        logits = through(study, worker, images)
    finally:
        worker.close()
    return Row(
        title=worker.name,
        logits=logits,
        each=worker.seconds / images,
        before=worker.programming,
    )


def table(
    rows: list[Row], ours: Row, labels: np.ndarray, plain: np.ndarray, exact: np.ndarray
) -> Iterator[str]:
    """Print ratios, accuracies, and errors against the exact logits of the first images."""
    yield (
        "| simulator | an image | before the first image | all images, with that | accuracy | decides "
        "as float32 | error over effect |"
    )
    yield "|---|---|---|---|---|---|---|"
    assert ours.before is not None
    whole = ours.before + len(labels) * ours.each
    for row in rows:
        spent = row.before or 0.0
        in_all = (spent + len(labels) * row.each) / whole
        before = "-" if row.before is None else _ratio(spent / ours.before)
        cells = f"| {row.title} | {_ratio(row.each / ours.each)} | {before} | {_ratio(in_all)} |"
        if row.logits is None:
            yield f"{cells} - | - | - |"
            continue
        decided = row.logits.argmax(axis=1)
        accuracy = (decided == labels[: len(decided)]).mean()
        agreement = (decided == plain[: len(decided)].argmax(axis=1)).mean()
        at = slice(min(len(decided), len(exact)))
        effect = np.linalg.norm(plain[at] - exact[at])
        error = np.linalg.norm(row.logits[at] - exact[at]) / effect
        of = "" if len(decided) == len(labels) else f" of {len(decided)}"
        shown = "the truth" if row.logits is exact else f"{error:.2g}"
        yield f"{cells} {accuracy:.3f}{of} | {agreement:.3f}{of} | {shown} |"


def _ratio(value: float) -> str:
    """Write a ratio with two digits, or whole from 10 on."""
    return f"{value:.2g}" if value < 10 else f"{float(f'{value:.2g}'):,.0f}"


def commands_of(given: argparse.Namespace, images: int) -> Iterator[tuple[list[str], int]]:
    """Yield the commands of the simulators that are at hand, and how many images each is given."""
    if given.aihwkit:
        script = [given.aihwkit, "-W", "ignore", str(ROOT / "scripts/aihwkit_products.py")]
        timed = images if given.timed is None else min(given.timed, images)
        yield [*script, "--model", "approximate"], images
        if timed:
            yield [*script, "--model", "timed"], timed
    if given.crosssim:
        script = [given.crosssim_python, str(ROOT / "scripts/crosssim_products.py")]
        for tolerance in CROSSSIM_TOLERANCES:
            yield [*script, "--path", given.crosssim, "--tolerance", tolerance], images


def compared(given: argparse.Namespace, show: Callable[[str], None]) -> int:
    """Run all simulators that are at hand and show the table; return 3 where one of them failed."""
    study = opened(given.network, given.circuit, given.images)
    matrices = matrices_of(study.network.model)
    plain, x_max = float_and_largest(study, matrices)
    ours = of_rxsim(study)
    exact, rows = by_nodal_analysis(
        study, matrices, min(given.exact, len(study.inputs)), superposed=given.superposed
    )
    rows = [in_onnxruntime("float32, onnxruntime", study.network.model, study, None), ours, *rows]
    failures = []
    for command, images in commands_of(given, len(study.inputs)):
        try:
            rows.append(of_worker(command, study, matrices, x_max, images))
        except RuntimeError as error:
            failures.append(f"left out: {error}; its own words stand above")
    effect = np.linalg.norm(plain[: len(exact)] - exact) / np.linalg.norm(plain[: len(exact)])
    assert study.labels is not None
    show(
        f"{given.network}, circuit {given.circuit}: {len(study.inputs)} images, {len(exact)} of them "
        f"by nodal analysis; the wires change the logits by {effect:.2%} (rms).\n"
        f"{machine()}; {versions()}; one thread on one processor.\n"
        "Processor time in times rxsim's, which takes before the first image as long as for "
        f"{_ratio((ours.before or 0) / ours.each)} images.\n"
    )
    for line in table(rows, ours, study.labels, plain, exact):
        show(line)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 3 if failures else 0


def main() -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=(*SHIPPED, *NETWORKS))
    parser.add_argument("--circuit", choices=CIRCUITS, default="rxnn")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument(
        "--exact", type=int, default=20, help="images by nodal analysis, default 20"
    )
    parser.add_argument(
        "--superposed",
        action="store_true",
        help="nodal analysis solves for each row of an array, and adds up what a vector needs",
    )
    parser.add_argument("--aihwkit", help="interpreter of an environment that holds aihwkit")
    parser.add_argument(
        "--timed", type=int, help="images by aihwkit's timed model, default all; 0 leaves it out"
    )
    parser.add_argument("--crosssim", help="path of a checkout of CrossSim")
    parser.add_argument("--crosssim-python", default=sys.executable, help="its interpreter")
    given = parser.parse_args()
    if given.images < 1 or given.exact < 1 or (given.timed or 0) < 0:
        parser.error("found a number too small; --images and --exact take 1, --timed 0 or above")
    for path in (given.aihwkit, given.crosssim):
        if path and not Path(path).exists():
            parser.error(f"found no {path}; give the path of what is installed")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # workers inherit it
    if given.network in NETWORKS:
        enter_project()
    try:
        return compared(given, lambda line: print(line, flush=True))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
