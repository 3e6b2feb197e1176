"""Time mapping, programming and solving all arrays of a network with ResNet-50's shapes.

Usage: python scripts/bench_resnet50.py [--threads 2] [--set KEY=VALUE] [--output FILE.onnx]
       [--profile]

The network has the 53 convolutions and the matrix product of torchvision's ResNet-50 (v1.5: the stride
is on the 3x3), random weights and folded normalisation. Settings are the defaults (64x64, 200 kohm to
1.4 Mohm, 2.5 ohm wires, 100 ohm ends) but for --set. Timed is what `rxsim eval` does with them:
`map_layer` for every layer, then `transfer_matrices`, which programs and solves every array. Numbers
of single stages and the floor (the solver alone, on arrays already programmed) come from every eighth
array, scaled up.

Target: at most 5 s on two quiet cores and 3 GB. Run it while nothing else does. `--profile` does all
of it in one thread under cProfile instead, which slows Python and not the kernels.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import cProfile  # noqa: E402
import pstats  # noqa: E402
import resource  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import onnx  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402

from rxsim.circuit import solve_array  # noqa: E402
from rxsim.commands.progress import watched  # noqa: E402
from rxsim.config import Settings, load_settings  # noqa: E402
from rxsim.devices import Chip, program  # noqa: E402
from rxsim.load import Layer, load_network  # noqa: E402
from rxsim.mapping import MappedLayer, PhysicalArray, map_layer  # noqa: E402
from rxsim.parallel import ordered  # noqa: E402
from rxsim.stages import Stages  # noqa: E402
from rxsim.tiles import LayerTransfer, transfer, transfer_matrices  # noqa: E402

# Source: He et al., CVPR 2016, table 1 (50 layers), and torchvision.models.resnet50: blocks, width.
STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
EXPANSION = 4
CLASSES = 1000
ARRAYS = 12_478  # at 64x64, plus and minus; see DESIGN.md
SAMPLE = 8


class Builder:
    """A graph that grows layer by layer; every method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._rng = np.random.default_rng(0)

    def add(self, op: str, *inputs: str, **attributes: object) -> str:
        """Add a node of one output."""
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [f"{name}_out"], name, **attributes))
        return f"{name}_out"

    def constant(self, *shape: int, scale: float) -> str:
        """Add normally distributed numbers."""
        name = f"w{len(self.weights)}"
        values = (self._rng.standard_normal(shape) * scale).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(self, x: str, c_in: int, c_out: int, kernel: int, stride: int = 1) -> str:
        """Add a convolution with the bias of its folded normalisation."""
        weight = self.constant(c_out, c_in, kernel, kernel, scale=(c_in * kernel**2 / 2) ** -0.5)
        bias = self.constant(c_out, scale=0.01)
        pads = [kernel // 2] * 4
        return self.add(
            "Conv", x, weight, bias, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads
        )

    def bottleneck(self, x: str, c_in: int, width: int, stride: int) -> str:
        """Add 1x1, 3x3, 1x1 and the shortcut beside them."""
        c_out = EXPANSION * width
        y = self.add("Relu", self.conv(x, c_in, width, 1))
        y = self.add("Relu", self.conv(y, width, width, 3, stride))
        y = self.conv(y, width, c_out, 1)
        shortcut = x if c_in == c_out else self.conv(x, c_in, c_out, 1, stride)
        return self.add("Relu", self.add("Add", y, shortcut))


def resnet50() -> onnx.ModelProto:
    """Build the network: 224x224 images, free batch, 1000 classes."""
    builder = Builder()
    x = builder.add("Relu", builder.conv("image", 3, 64, 7, 2))
    x = builder.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, (blocks, width) in enumerate(STAGES):
        for block in range(blocks):
            x = builder.bottleneck(x, channels, width, 2 if stage and not block else 1)
            channels = EXPANSION * width
    x = builder.add("Flatten", builder.add("GlobalAveragePool", x), axis=1)
    matrix = builder.constant(CLASSES, channels, scale=channels**-0.5)
    x = builder.add("Gemm", x, matrix, builder.constant(CLASSES, scale=0.01), transB=1)
    float32 = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        builder.nodes,
        "resnet50",
        [helper.make_tensor_value_info("image", float32, ["batch", 3, 224, 224])],
        [helper.make_tensor_value_info(x, float32, ["batch", CLASSES])],
        builder.weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def read_layers(output: Path | None) -> tuple[Layer, ...]:
    """Write the network, check it, and read it as the package does."""
    with tempfile.TemporaryDirectory() as folder:
        path = output or Path(folder) / "resnet50.onnx"
        model = resnet50()
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)
        layers = load_network(path).layers
    if len(layers) != 54:
        raise SystemExit(f"bench_resnet50: found {len(layers)} layers, expected 53 Conv and 1 Gemm")
    return layers


def map_all(layers: tuple[Layer, ...], settings: Settings) -> list[MappedLayer]:
    """Map every layer."""
    return [
        map_layer(each, settings.crossbar, settings.device, settings.mapping) for each in layers
    ]


def solve_all(
    mapped: list[MappedLayer], settings: Settings, threads: int, done: Callable[[], None]
) -> list[LayerTransfer]:
    """Program and solve every array, as the pipeline does."""
    return [
        transfer_matrices(
            each,
            settings,
            Chip(0, 0),
            threads=threads,
            done=done,
        )
        for each in mapped
    ]


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def stages(mapped: list[MappedLayer], settings: Settings, threads: int) -> dict[str, float]:
    """Time the stages apart from one another on every eighth array, scaled to all of them.

    Returns:
        Seconds of targets and programming on one thread, and of the solver on one and on several.
    """
    places = [(layer, index) for layer in mapped for index in range(layer.n_arrays)][::SAMPLE]
    scale = sum(layer.n_arrays for layer in mapped) / len(places)
    arrays: list[tuple[MappedLayer, PhysicalArray]] = []
    targets = timed(lambda: arrays.extend((layer, layer.array(k)) for layer, k in places))
    programmed: list[np.ndarray] = []
    chip, device = Chip(0, 0), settings.device
    programming = timed(
        lambda: programmed.extend(program(a, m.layer.index, device, chip) for m, a in arrays)
    )
    work = [
        (g, np.flatnonzero(array.rows >= 0), np.flatnonzero(array.cols >= 0))
        for g, (_, array) in zip(programmed, arrays, strict=True)
    ]

    def solve(item: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
        solve_array(item[0], settings.crossbar, rows=item[1], cols=item[2])

    def floor(count: int) -> float:
        return scale * timed(lambda: [None for _ in ordered(solve, work, count)])

    return {
        "targets, 1 thread": scale * targets,
        "programming, 1 thread": scale * programming,
        "solver, 1 thread": floor(1),
        "floor": floor(threads),
    }


def floor_of_processor(mapped: list[MappedLayer], settings: Settings) -> float:
    """Seconds of the processor that the solver alone takes for all arrays, from every 32nd."""
    places = [(layer, index) for layer in mapped for index in range(layer.n_arrays)]
    arrays = [layer.array(index) for layer, index in places[:: 4 * SAMPLE]]
    work = [(a.target, np.flatnonzero(a.rows >= 0), np.flatnonzero(a.cols >= 0)) for a in arrays]
    start = time.process_time()
    for g, rows, cols in work:
        solve_array(g, settings.crossbar, rows=rows, cols=cols)
    return (time.process_time() - start) * len(places) / len(work)


def in_this_thread(
    work: Callable[..., object], items: Iterable[object], _threads: int, _chunk: int = 1
) -> Iterator[object]:
    """Stand in for `ordered`: cProfile sees the thread it was started in only."""
    return map(work, items)


def profile(layers: tuple[Layer, ...], settings: Settings) -> None:
    """Print where the time of mapping, programming and solving goes, by own and by total time."""
    transfer.ordered = in_this_thread
    with cProfile.Profile() as profiler:
        solve_all(map_all(layers, settings), settings, 1, lambda: None)
    for key in ("tottime", "cumulative"):
        pstats.Stats(profiler).sort_stats(key).print_stats(25)


def main() -> None:
    """Build the network, then time it or profile it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, help="keep the network in this file")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting, such as device.model=pcm-hermes; repeatable",
    )
    given = parser.parse_args()
    settings = load_settings(assignments=given.assignments)
    layers = read_layers(given.output)
    bar = settings.crossbar
    solve_array(np.full((bar.rows, bar.cols), settings.device.g_off), bar)  # compiles the kernels
    if given.profile:
        profile(layers, settings)
        return
    start, begun = time.perf_counter(), time.process_time()
    mapped = map_all(layers, settings)
    mapping = time.perf_counter() - start
    total = sum(each.n_arrays for each in mapped)
    if total != ARRAYS:
        raise SystemExit(f"bench_resnet50: found {total} arrays, expected {ARRAYS}")
    with watched() as watcher, Stages(watcher)("solve") as progress:
        finished = iter(range(1, total + 1))
        done = lambda: progress(next(finished), total)  # noqa: E731
        start = time.perf_counter()
        solved = solve_all(mapped, settings, given.threads, done)
        solving = time.perf_counter() - start
        processor = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    del solved
    alone = floor_of_processor(mapped, settings)
    parts = stages(mapped, settings, given.threads)
    wall = mapping + solving
    print(f"{len(layers)} layers, {total} arrays of {bar.rows}x{bar.cols}, {given.threads} threads")
    print(f"map                    {mapping:6.2f} s")
    print(f"program + solve        {solving:6.2f} s")
    print(f"together               {wall:6.2f} s   (target 5 s), peak memory {peak:.0f} MB")
    for name, seconds in parts.items():
        print(f"  {name:<22}{seconds:6.2f} s")
    print(
        f"of the processor       {processor:6.2f} s, {processor / alone:.2f} times the solver alone"
    )
    print(f"the solver's share: {100 * parts['floor'] / wall:.0f} % of the time (floor / together)")


if __name__ == "__main__":
    main()
