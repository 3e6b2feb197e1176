"""Memory of a run is bounded; no bound, statistic inside a graph or order of sums changes a result."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from rxsim.cli import main
from rxsim.commands.workers import worker_bytes
from rxsim.config import load_settings
from rxsim.converters import RangeMeter
from rxsim.errors import InputError
from rxsim.load.providers import CPU, chosen_providers, read_providers, running_on
from rxsim.memory import give_back, read_size
from rxsim.onnx_graph import (
    GraphBuilder,
    has_known_lengths,
    keep_outputs,
    large,
    with_outputs,
    with_statistics,
)
from rxsim.parallel import ordered
from rxsim.patch import PatchedNetwork, patch_network
from rxsim.pipeline import DataOptions, Study, open_study
from rxsim.pipeline.chip.adc_ranges import layer_blocks
from rxsim.pipeline.chip.foundries import Foundries
from rxsim.pipeline.chip.foundry import nominal_layers
from rxsim.pipeline.chip.open_run import OpenRun
from rxsim.pipeline.ladder.ladder import climb, prepare
from rxsim.pipeline.study.memory_need import (
    batches_at_once,
    has_heavy_arrays,
    input_bytes,
    memory_note,
    resident_bytes,
)
from rxsim.run import diagnose_layers
from rxsim.run.saturation import saturated
from rxsim.scenarios import SCENARIOS, nominal, perfect
from rxsim.session import Session

MODELS = Path(__file__).resolve().parents[1] / "models"
OPSETS = [helper.make_opsetid("", 17)]


def model_of(nodes: list[onnx.NodeProto], inputs: list[str], kind: int) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, kind, ["N", 5]) for name in inputs],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=8)


def run(model: onnx.ModelProto, outputs: list[str], **feeds: np.ndarray) -> list[np.ndarray]:
    results: list[np.ndarray] = ort.InferenceSession(model.SerializeToString()).run(outputs, feeds)
    return results


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_sums_in_turn_are_those_of_numpy_in_order(dtype: type, count: int) -> None:
    rng = np.random.default_rng(count)
    terms: list[np.ndarray] = [
        (rng.standard_normal((40, 5)) * 10.0 ** rng.integers(-3, 4, (40, 5))).astype(dtype)
        for _ in range(count)
    ]
    names = [f"x{at}" for at in range(count)]
    build = GraphBuilder("sum", set(names))
    result = build.add_in_turn(names, "total")
    build.add("Identity", [result], "y", "y")
    kind = TensorProto.FLOAT if dtype is np.float32 else TensorProto.DOUBLE
    model = model_of(build.nodes, names, kind)
    expected = terms[0]
    for term in terms[1:]:
        expected = expected + term
    (found,) = run(model, ["y"], **dict(zip(names, terms, strict=True)))
    assert found.tobytes() == expected.tobytes()


def test_statistics_inside_a_graph_change_no_value() -> None:
    """Signed zeros and infinities pass too; what reads a tensor reads it after its statistic."""
    nodes = [
        helper.make_node("Neg", ["x"], ["middle"], "first"),
        helper.make_node("Abs", ["middle"], ["y"], "second"),
    ]
    model = model_of(nodes, ["x"], TensorProto.FLOAT)

    def total(build: GraphBuilder, name: str) -> str:
        return build.add("ReduceSum", [name], "total", keepdims=0)

    watched, names = with_statistics(model, {"middle": total})
    x = np.array([[0.0, -0.0, 3.0, -4.0, 2.5], [1.0, 2.0, 0.0, np.inf, -1.0]], dtype=np.float32)
    reader = next(node for node in watched.graph.node if node.name == "second")
    behind = reader.input[0]
    assert behind != "middle"
    y, passed, statistic = run(
        with_outputs(watched, [behind, names["middle"]]), ["y", behind, names["middle"]], x=x[:1]
    )
    assert passed.tobytes() == (-x[:1]).tobytes()
    assert y.tobytes() == np.abs(x[:1]).tobytes()
    assert statistic == -1.5
    (y,) = run(watched, ["y"], x=x)
    assert y.tobytes() == np.abs(x).tobytes()
    assert has_known_lengths(model)


def test_lengths_that_depend_on_values_are_known_to_do_so() -> None:
    nodes = [
        helper.make_node("NonZero", ["x"], ["places"]),
        helper.make_node("Cast", ["places"], ["y"], to=TensorProto.FLOAT),
    ]
    assert not has_known_lengths(model_of(nodes, ["x"], TensorProto.FLOAT))


def test_results_that_may_not_wait_are_worked_on_one_by_one() -> None:
    started: list[int] = []

    def work(item: int) -> int:
        started.append(item)
        return item * item

    seen = []
    for result in ordered(work, range(6), 3, waits=False):
        seen.append(result)
        assert len(started) == len(seen)
    assert seen == [item * item for item in range(6)]


def test_saturated_values_lie_at_or_beyond_a_bound() -> None:
    values = np.array([-3.0, -2.5, -2.4, 0.0, 2.4, 2.5, 9.0], dtype=np.float32)
    assert saturated(values, -2.5, 2.5) == 4
    assert saturated(values, -10, 10) == 0


@pytest.mark.parametrize(
    ("text", "size"),
    [("3GB", 3 * 10**9), ("500 MB", 5 * 10**8), ("4GiB", 4 * 2**30), ("1.5gb", 1_500_000_000)],
)
def test_sizes_are_read_with_their_unit(text: str, size: int) -> None:
    assert read_size(text, "--memory") == size


@pytest.mark.parametrize(
    ("text", "size"),
    [("2", 2 * 2**30), ("0.5", 2**29), ("3GB", 3 * 10**9), ("500 MiB", 500 * 2**20)],
)
def test_a_bare_number_bounds_workers_in_gib(text: str, size: int) -> None:
    assert worker_bytes(text) == size


@pytest.mark.parametrize("text", ["", "0.1", "-2", "nan", "inf", "1e300", "100MB", "much"])
def test_what_can_not_bound_workers_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--memory: found .*expected a size from .*such as 3GB"):
        worker_bytes(text)


@pytest.mark.parametrize("text", ["", "3", "GB", "-3GB", "1e3GB", "1MB", "9999999999TB", "nanGB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--memory: found .*expected a size from .*such as 3GB"):
        read_size(text, "--memory")


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--memory", "much", "--memory: found 'much', expected a size"),
        ("--provider", "NoneProvider", "--provider: found 'NoneProvider', expected"),
    ],
)
def test_bad_options_end_with_a_sentence(
    option: str, value: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["eval", str(MODELS / "digits_mlp.onnx"), option, value])
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_options_change_no_result_on_the_cpu(tmp_path: Path) -> None:
    words = ["eval", str(MODELS / "digits_mlp.onnx"), "--xbar", "32x32", "--limit", "10", "--quiet"]
    results: list[dict[str, object]] = []
    for more in ([], ["--memory", "300MB", "--provider", "CPUExecutionProvider"]):
        path = tmp_path / f"{len(results)}.json"
        with pytest.raises(SystemExit) as ended:
            main([*words, *more, "--json", str(path)])
        assert not ended.value.code
        results.append({**json.loads(path.read_text()), "timing": None})
    assert results[0] == results[1]


def test_providers_are_those_of_onnxruntime_each_once() -> None:
    assert read_providers("CPUExecutionProvider") == CPU
    with pytest.raises(InputError, match="each execution provider once"):
        read_providers("CPUExecutionProvider,CPUExecutionProvider")
    with running_on(("SomeProvider", *CPU)):
        assert chosen_providers() == ("SomeProvider", *CPU)
    assert chosen_providers() == CPU


@pytest.fixture(scope="module")
def study() -> Study:
    settings = load_settings(None, xbar="16x16", assignments=["adc.n_bits=4", "adc.percentile=100"])
    return open_study(MODELS / "digits_cnn.onnx", settings, DataOptions(limit=12), threads=1)


def currents_of(study: Study, model: onnx.ModelProto, names: tuple[str, ...]) -> list[np.ndarray]:
    session = Session(with_outputs(model, names), "the network")
    return session.run(names, study.inputs.feeds(0, len(study.inputs)))


def test_saturation_counted_in_the_graph_is_that_of_the_currents(study: Study) -> None:
    chip = Foundries(study).open(SCENARIOS["nonideal"]).make(0)
    narrow = {  # or no conversion would saturate on the inputs that the ranges come from
        name: replace(tap, adc_bounds=((-2, 2),) * len(tap.currents))
        for name, tap in chip.network.taps.items()
    }
    network = PatchedNetwork(chip.network.model, narrow)
    layers = study.network.layers
    health = diagnose_layers(study.network.model, network, layers, study.inputs, batch=5, threads=1)
    for layer in layers:
        currents = currents_of(study, network.model, narrow[layer.name].currents)
        beyond = sum(int((np.abs(values) >= 2.5).sum()) for values in currents)
        assert beyond > 0
        assert health[layer.name].adc_clipping == beyond / sum(each.size for each in currents)


@pytest.mark.parametrize("memory", [None, 1])
def test_ranges_are_those_of_the_currents_themselves(study: Study, memory: int | None) -> None:
    """Without room for the currents of two layers, layers take turns."""
    foundries = Foundries(study)
    mapped = foundries.map(SCENARIOS["nonideal"])
    hardware = nominal_layers(study, mapped, foundries.solved)
    patched = patch_network(study.network.model, hardware, split=True)
    bounded = replace(study, calibration=study.inputs, memory=memory)
    run = OpenRun(bounded, patched, hardware)
    blocks = [layer_blocks(item, "tile") for item in hardware]
    counts = run.counts()
    for percentile in (100, 97):
        meters = [
            RangeMeter(block, percentile, None if percentile == 100 else count)
            for block, count in zip(blocks, counts, strict=True)
        ]
        run.feed(meters)
        for item, block, meter, count in zip(hardware, blocks, meters, counts, strict=True):
            taps = patched.taps[item.layer.name].currents
            currents = currents_of(study, patched.model, taps)
            assert count == [values.size for values in currents]
            axis = item.layer.channel_axis
            channels = [np.moveaxis(values, axis, 0) for values in currents]
            for number in np.unique(block[block >= 0]):
                parts = [
                    np.abs(values[np.flatnonzero(row == number)]).ravel()
                    for values, row in zip(channels, block.reshape(len(block), -1), strict=True)
                ]
                wanted = np.percentile(np.concatenate(parts).astype(np.float64), percentile)
                assert meter.ranges()[block == number] == pytest.approx(wanted, rel=1e-12)


def test_batches_in_flight_follow_from_the_memory_and_change_no_result(study: Study) -> None:
    plan = study.plan
    each = study.batch * input_bytes(plan)
    for count in (1, 2, 3):
        bound = resident_bytes(plan) + count * each
        assert batches_at_once(plan, study.batch, 8, bound) == count
    assert batches_at_once(plan, study.batch, 8, None) == 8
    assert batches_at_once(plan, study.batch, 8, 1) == 1
    assert memory_note(plan, study.batch, resident_bytes(plan) + each) is None
    assert "raise --memory" in (memory_note(plan, study.batch, resident_bytes(plan)) or "")


def one_layer(path: Path, side: int = 96) -> None:
    """Write a 1x1 convolution on places of a square: a conversion has 48 x 8 channels in slices."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((48, 16, 1, 1)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["a"], "conv"),
            helper.make_node("GlobalAveragePool", ["a"], ["b"], "pool"),
            helper.make_node("Flatten", ["b"], ["y"], "flat"),
        ],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 16, side, side])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 48])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=OPSETS, ir_version=8), path)


_MEASURED = """
import sys
from pathlib import Path
from rxsim.config import load_settings
from rxsim.pipeline import DataOptions, evaluate, open_study
from rxsim.pipeline.study.memory_need import input_bytes

def peak():  # of this program alone; getrusage also counts what its parent had when it began
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


ideal = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
settings = load_settings(Path(sys.argv[2]), assignments=[*ideal, "calibration.samples=2"])
study = open_study(Path(sys.argv[1]), settings, DataOptions(limit=2), threads=1)
before = peak()
evaluate(study, ["nonideal"])
print(peak() - before, input_bytes(study.plan), study.batch)
"""


@pytest.mark.parametrize("heavy", [1, 2**40])
def test_what_is_added_to_a_network_is_the_same_with_its_weights_and_without(
    heavy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large, "HEAVY", heavy)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["inner"]),
        helper.make_node("MatMul", ["inner", "unread"], ["y"]),
    ]
    model = model_of(nodes, ["x"], TensorProto.FLOAT)
    rng = np.random.default_rng(3)
    first, second = rng.standard_normal((2, 5, 400)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(first, "w"))
    model.graph.initializer.append(numpy_helper.from_array(second.T.copy(), "unread"))
    before = model.SerializeToString()

    def shortened(network: onnx.ModelProto) -> onnx.ModelProto:
        network = with_outputs(network, ["inner"])
        keep_outputs(network, ["inner"])  # and the second constant is not needed
        return network

    x = rng.standard_normal((3, 5)).astype(np.float32)
    session = Session(model, "the network", extend=shortened)
    (inner,) = session.run(["inner"], {"x": x})
    np.testing.assert_allclose(inner, x @ first, rtol=0, atol=1e-5)
    assert model.SerializeToString() == before


def test_arrays_without_wires_are_made_again_where_they_were_let_go(study: Study) -> None:
    foundries = Foundries(study)
    solved, wired = foundries.solved, foundries.open(SCENARIOS["nonideal"]).mapped.under(nominal)
    levels = wired.under(perfect)
    before, kept = solved.nominal(levels), solved.nominal(wired)
    solved.forget_levels()
    after = solved.nominal(levels)
    assert all(a is b for a, b in zip(kept, solved.nominal(wired), strict=True))
    assert not any(a is b for a, b in zip(before, after, strict=True))
    for a, b in zip(before, after, strict=True):
        for old, new in zip(a.matrices, b.matrices, strict=True):
            np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(("heavy", "sets"), [(1, [1, 1, 1]), (2**40, [2, 2, 2])])
def test_a_heavy_network_holds_the_arrays_of_one_rung(
    heavy: int, sets: list[int], study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sets of matrices that are kept while a rung is scored; a small network keeps both."""
    monkeypatch.setattr(large, "HEAVY", heavy)
    prepared, held = prepare(study), []
    score = prepared.runner.score

    def counted(*given: Any, **named: Any) -> Any:
        held.append(len(prepared.foundries.solved._kept) // len(study.network.layers))
        return score(*given, **named)

    monkeypatch.setattr(prepared.runner, "score", counted)
    climb(prepared)
    assert held == sets


def test_freed_memory_is_given_back_where_there_is_a_way(monkeypatch: pytest.MonkeyPatch) -> None:
    give_back()

    def missing(name: str | None) -> None:
        raise OSError

    monkeypatch.setattr("ctypes.CDLL", missing)
    give_back()


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["isaac", "puma"])
def test_the_estimate_is_within_a_factor_of_two_of_the_peak(preset: str, tmp_path: Path) -> None:
    """Ranges, a run and the diagnosis of a layer of 16 passes, in a process of their own."""
    one_layer(tmp_path / "one.onnx")
    config = Path(__file__).resolve().parents[1] / "configs" / f"{preset}.yaml"
    words = [sys.executable, "-c", _MEASURED, str(tmp_path / "one.onnx"), str(config)]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    taken, estimated, batch = map(int, told.split())
    assert batch == 1
    assert estimated / 2 <= taken <= 2 * estimated, (taken / 1e6, estimated / 1e6)


def test_slices_count_among_heavy_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 16 inputs and 48 outputs in 8 slices, 8 bytes an entry."""
    one_layer(tmp_path / "one.onnx", side=4)
    config = Path(__file__).resolve().parents[1] / "configs" / "puma.yaml"
    options = DataOptions(limit=2)
    plan = open_study(tmp_path / "one.onnx", load_settings(config), options, threads=1).plan
    for bound, is_heavy in ((16 * 48 * 8 * 8 - 1, True), (16 * 48 * 8 * 8, False)):
        monkeypatch.setattr(large, "HEAVY", bound)
        assert has_heavy_arrays(plan) == is_heavy


def weights_in(model: onnx.ModelProto) -> int:
    return sum(onnx.numpy_helper.to_array(each).nbytes for each in model.graph.initializer)


def optimised(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(path)
    ort.InferenceSession(model.SerializeToString(), options)
    return onnx.load(path)


def test_large_matrices_are_not_copied_for_each_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ratio of two passes' LSBs stands first; a file computes the same either way."""
    one_layer(tmp_path / "one.onnx", side=4)
    config = Path(__file__).resolve().parents[1] / "configs" / "puma.yaml"
    ideal = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
    settings = load_settings(config, assignments=[*ideal, "calibration.samples=2"])
    study = open_study(tmp_path / "one.onnx", settings, DataOptions(limit=2), threads=1)
    plain = ort.SessionOptions()
    plain.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    outputs, sizes = [], []
    for bound in (2**40, 0):
        monkeypatch.setattr("rxsim.patch.layer_nodes._COPIED_BYTES", bound)
        model = Foundries(study).open(SCENARIOS["nonideal"]).make(0).network.model
        session = ort.InferenceSession(model.SerializeToString(), plain)
        outputs.append(session.run(None, study.inputs.feeds(0, 2))[0])
        sizes.append(weights_in(optimised(model, tmp_path / "optimised.onnx")) / weights_in(model))
    assert outputs[0].tobytes() == outputs[1].tobytes()
    assert sizes[0] > 4  # what the order of factors avoids: should onnxruntime stop, so can we
    assert sizes[1] < 1.1
