"""Weights that lie in files: mapped from the user's, and put aside in temporary ones."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import rxsim
from rxsim import mapped_files, spilled
from rxsim.config import load_settings
from rxsim.errors import ModelError, WriteError
from rxsim.load import load_network, runtime, write_onnx
from rxsim.onnx_graph import fresh_name, has_files, large, lies_in_file, serialised
from rxsim.pipeline import open_study, patched_chip
from rxsim.session import Session
from rxsim.spilled import Spill, put_aside, require_disk

IDEAL = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
SETTINGS = [*IDEAL, "calibration.samples=4"]
BESIDE = "net.onnx.data"


def network() -> onnx.ModelProto:
    """Two products with a normalisation that folds into the second, and a table of words."""
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["x"], "words"),
        helper.make_node("MatMul", ["x", "w1"], ["h"], "first"),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node("Mul", ["r", "scale"], ["s"], "scaled"),
        helper.make_node("MatMul", ["s", "w2"], ["y"], "second"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3, 130])],
    )
    for name, shape in (
        ("table", (500, 130)),
        ("w1", (130, 150)),
        ("scale", (150,)),
        ("w2", (150, 130)),
    ):
        values = rng.standard_normal(shape).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(values, name))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def external(tmp_path: Path) -> Path:
    """A file whose weights lie beside it, each at the start of a page."""
    path = tmp_path / "net.onnx"
    onnx.save(network(), path, save_as_external_data=True, location=BESIDE, size_threshold=1000)
    return path


@pytest.fixture
def small_sizes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let every network be heavy and have many values; return the folder of temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(large, "HEAVY", 1000)
    monkeypatch.setattr(spilled, "MANY", 1000)
    monkeypatch.setattr(spilled, "_SMALL", 100)
    return folder


def patched(path: Path, out: Path, *assignments: str) -> bytes:
    """Patch a network as the command does, without its origin; return the file."""
    settings = load_settings(assignments=[*SETTINGS, *assignments])
    chip = patched_chip(open_study(path, settings, threads=1, evaluates=False))
    write_onnx(out, chip.model)
    return out.read_bytes()


@pytest.mark.parametrize(
    "assignments",
    [(), ("adc.where=per_layer",), ("dac.gain_sigma=0.1",), ("adc.n_bits=null",)],
    ids=["per tile", "per layer", "gains of DACs", "no ADC"],
)
def test_the_patched_file_is_the_same_wherever_weights_lie(
    assignments: tuple[str, ...], external: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    inside, out = tmp_path / "inside.onnx", tmp_path / "out.onnx"
    write_onnx(inside, network())
    wanted = patched(inside, out, *assignments)
    folder = request.getfixturevalue("small_sizes")
    assert patched(inside, out, *assignments) == wanted
    assert patched(external, out, *assignments) == wanted
    assert not list(folder.iterdir())


def test_an_evaluation_is_the_same_wherever_weights_lie(
    external: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The whole ladder with its diagnosis, on write errors that are drawn."""
    inside = tmp_path / "inside.onnx"
    write_onnx(inside, network())
    settings = {"device": {"write_sigma": 0.05}, "calibration": {"samples": 4}, "trials": 2}
    told = [rxsim.evaluate(inside, settings, limit=4).as_json()]
    folder = request.getfixturevalue("small_sizes")
    told += [rxsim.evaluate(path, settings, limit=4).as_json() for path in (inside, external)]
    for each in told:
        for part in ("timing", "provenance", "network", "model"):
            each.pop(part, None)
    assert told[0] == told[1] == told[2]
    assert not list(folder.iterdir())


@pytest.mark.usefixtures("small_sizes")
def test_weights_stay_where_they_lie_and_others_are_put_aside(external: Path) -> None:
    loaded = load_network(external)
    held = {tensor.name: tensor for tensor in loaded.model.graph.initializer}
    assert all(lies_in_file(held[name]) for name in ("table", "w1"))
    assert has_files(loaded.original)
    numbers = {tensor.name: numpy_helper.to_array(tensor) for tensor in network().graph.initializer}
    first, second = loaded.layers
    np.testing.assert_array_equal(first.matrices[0], numbers["w1"])
    wanted = numbers["w2"] * numbers["scale"][:, None].astype(np.float64)
    np.testing.assert_allclose(second.matrices[0], wanted, rtol=1e-7)
    assert not first.matrices.flags.writeable


@pytest.mark.parametrize("unpacked", [2**40, 0])
@pytest.mark.usefixtures("small_sizes")
def test_a_session_reads_weights_from_files(
    unpacked: int, external: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "UNPACKED", unpacked)
    loaded = load_network(external)
    tokens = np.array([[1, 2, 3], [499, 0, 7]])
    numbers = {tensor.name: numpy_helper.to_array(tensor) for tensor in network().graph.initializer}
    hidden = np.maximum(numbers["table"][tokens].astype(np.float64) @ numbers["w1"], 0)
    wanted = (hidden * numbers["scale"]) @ numbers["w2"]
    for model in (loaded.original, loaded.model):
        (got,) = Session(model, "the network").run(["y"], {"tokens": tokens})
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.usefixtures("small_sizes")
def test_whoever_takes_a_network_from_python_gets_all_its_values(external: Path) -> None:
    given = rxsim.patched(external, {"calibration": {"samples": 4}})
    assert not has_files(given)
    onnx.checker.check_model(given)
    assert given.ByteSize() > 4 * 2 * 130 * 150


def test_light_networks_use_no_temporary_files(
    external: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file")

    monkeypatch.setattr(Spill, "__init__", refused)
    assert not has_files(load_network(external).model)
    patched(external, tmp_path / "out.onnx")


def changed(path: Path) -> None:
    """Write other weights of the same size."""
    path.write_bytes(path.read_bytes()[::-1])


def cut_short(path: Path) -> None:
    """Cut the file in half."""
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [changed, cut_short, Path.unlink])
@pytest.mark.usefixtures("small_sizes")
def test_a_file_that_changes_while_it_is_in_use_is_one_sentence(
    damage: Callable[[Path], Any], external: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    study = open_study(external, load_settings(assignments=SETTINGS), threads=1, evaluates=False)
    damage(external.with_name(BESIDE))
    with pytest.raises(ModelError, match=r"net\.onnx\.data") as refused:
        patched_chip(study)
    assert "\n" not in str(refused.value)
    assert "start again" in str(refused.value)


@pytest.mark.usefixtures("small_sizes")
def test_a_file_that_is_too_short_is_told_when_it_is_loaded(external: Path) -> None:
    cut_short(external.with_name(BESIDE))
    with pytest.raises(ModelError, match="expected a file of at least that size"):
        load_network(external)


@pytest.mark.usefixtures("small_sizes")
def test_what_a_users_file_says_of_our_files_opens_none(external: Path, tmp_path: Path) -> None:
    """Entries like ours, absolute path and all, are no way out of the model's folder."""
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(4 * 130 * 150))
    elsewhere = tmp_path / "model" / "net.onnx"
    elsewhere.parent.mkdir()
    model = onnx.load(external, load_external_data=False)
    for tensor in model.graph.initializer:
        if tensor.name == "w1":
            state = mapped_files.state_of(secret.stat())
            del tensor.external_data[:]
            for key, value in (
                ("location", str(secret)),
                ("offset", "0"),
                ("length", str(4 * 130 * 150)),
                ("rxsim.state", state),
            ):
                tensor.external_data.add(key=key, value=value)
    elsewhere.write_bytes(model.SerializeToString())
    elsewhere.with_name(BESIDE).write_bytes(external.with_name(BESIDE).read_bytes())
    with pytest.raises(ModelError, match="expected a file in the model's folder"):
        load_network(elsewhere)


def test_a_full_disk_is_one_sentence(small_sizes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    spill = Spill()
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(WriteError, match=r"No space left on device; .* TMPDIR") as refused:
        put_aside([np.ones(1000)], spill)
    assert refused.value.exit_code == 4
    with pytest.raises(WriteError, match=r"needs about 1099511627776.0 GiB .* TMPDIR"):
        require_disk(2**70, "this network")
    assert not list(small_sizes.iterdir())


def test_a_network_that_the_disk_can_not_take_is_refused_before_it_is_solved(
    external: Path, small_sizes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = os.statvfs_result((4096, 4096, 1000, 0, 0, 1000, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    study = open_study(external, load_settings(assignments=SETTINGS), threads=1, evaluates=False)
    with pytest.raises(WriteError, match=r"has 0\.0 GiB free"):
        patched_chip(study)
    del study  # whose folded weights lie in a file
    assert not list(small_sizes.iterdir())


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_nothing_stays_behind_an_interrupt(
    stop: type[BaseException], external: Path, small_sizes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, times = Spill.append, []

    def interrupted(spill: Spill, values: np.ndarray) -> tuple[int, int]:
        times.append(len(list(small_sizes.iterdir())))
        if times[-1] and len(times) > 6:  # in the midst of the constants of a patched network
            raise stop
        return append(spill, values)

    monkeypatch.setattr(Spill, "append", interrupted)
    study = open_study(external, load_settings(assignments=SETTINGS), threads=1, evaluates=False)
    with pytest.raises(stop):
        patched_chip(study)
    assert times[-1]
    del study
    assert not list(small_sizes.iterdir())


_KILLED = """
import sys, tempfile, time
tempfile.tempdir = sys.argv[1]
from rxsim.spilled import Spill
spill = Spill(named=True)
print("ready", flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_leaves_is_removed_by_the_next(
    small_sizes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spilled, "_NEW", 0.0)
    words = [sys.executable, "-c", _KILLED, str(small_sizes)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (theirs,) = small_sizes.iterdir()
        Spill()
        assert list(small_sizes.iterdir()) == [theirs]  # whose owner lives
        process.send_signal(signal.SIGKILL)
    assert list(small_sizes.iterdir()) == [theirs]
    Spill()
    assert not list(small_sizes.iterdir())


def test_arrays_come_back_as_they_were(small_sizes: Path) -> None:
    rng = np.random.default_rng(1)
    plain = rng.standard_normal((3, 40, 50))
    arrays: list[np.ndarray] = [
        plain,
        plain.transpose(2, 0, 1),
        rng.standard_normal((7, 9)).astype(np.float32).T,
    ]
    mapped = put_aside(arrays, Spill())
    for array, back in zip(arrays, mapped, strict=True):
        np.testing.assert_array_equal(array, back)
        assert back.dtype == array.dtype
        # Sums go along memory: the same order gives the same bits.
        assert np.argsort(back.strides).tolist() == np.argsort(array.strides).tolist()
        assert not back.flags.writeable
    mapped_files.let_go(*mapped, plain)
    np.testing.assert_array_equal(mapped[1], arrays[1])
    assert not list(small_sizes.iterdir())


@pytest.mark.usefixtures("small_sizes")
def test_a_model_is_written_part_by_part_as_protobuf_writes_it(external: Path) -> None:
    whole = network()
    whole.graph.initializer[0].doc_string = "words"
    typed = helper.make_tensor("typed", TensorProto.FLOAT, [2000], np.arange(2000.0))
    whole.graph.initializer.extend([typed, numpy_helper.from_array(np.arange(3), "few")])
    length, parts = serialised(whole)
    content = b"".join(parts)
    assert content == whole.SerializeToString(deterministic=True)
    assert length == len(content)
    in_files = load_network(external).original
    length, parts = serialised(in_files)
    content = b"".join(parts)
    assert length == len(content)
    read, wanted = (
        onnx.load_from_string(content),
        onnx.load(external),
    )  # which reads what lies beside
    assert content == read.SerializeToString(deterministic=True)
    assert list(read.graph.node) == list(wanted.graph.node)
    for got, tensor in zip(read.graph.initializer, wanted.graph.initializer, strict=True):
        assert (got.name, got.raw_data) == (tensor.name, tensor.raw_data)
        assert not got.HasField("data_location")


def test_numbers_behind_names_go_on_where_they_ended() -> None:
    """The same names, whether or not it is remembered which are taken."""
    wanted = ["a", "b", "a", "a_2", "a", "b", "a_2", "a", "a_2_2", "a"]
    taken = [{"a_4", "b_2"}, {"a_4", "b_2"}]
    tried: dict[str, int] = {}
    plain = [fresh_name(taken[0], name) for name in wanted]
    assert [fresh_name(taken[1], name, tried) for name in wanted] == plain
    assert plain[:5] == ["a", "b", "a_2", "a_2_2", "a_3"]
    assert taken[0] == taken[1]


_LOADED = """
import sys
from pathlib import Path
from rxsim.load import load_network, runtime
from rxsim.session import Session

def size(name):
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition(name + ":")[2].split()[0])

before = size("VmHWM"), size("RssAnon")
network = load_network(Path(sys.argv[1]))
assert len(network.layers) == 4
print(size("VmHWM") - before[0], size("RssAnon") - before[1])
runtime.UNPACKED = 0
session = Session(network.model, "the network")
print(size("VmHWM") - before[0], size("RssAnon") - before[1])
"""


def test_a_heavy_network_is_not_held_in_memory(tmp_path: Path) -> None:
    """256 MiB of weights in a sparse file, in a process of its own: a layer's pages at a time."""
    side, layers = 4096, 4
    n_bytes = 4 * side * side
    nodes = [
        helper.make_node("MatMul", [f"x{n}", f"w{n}"], [f"x{n + 1}"], f"fc{n}")
        for n in range(layers)
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", side])
        for name in ("x0", f"x{layers}")
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "wide", ends[:1], ends[1:]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    with (tmp_path / BESIDE).open("wb") as file:
        file.truncate(layers * n_bytes)
        for n in range(layers):
            file.seek(n * n_bytes)
            file.write(np.array([n + 1], np.float32).tobytes())
    for n in range(layers):
        tensor = TensorProto(name=f"w{n}", data_type=TensorProto.FLOAT, dims=[side, side])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", BESIDE), ("offset", n * n_bytes), ("length", n_bytes)):
            tensor.external_data.add(key=key, value=str(value))
        model.graph.initializer.append(tensor)
    (tmp_path / "wide.onnx").write_bytes(model.SerializeToString())
    words = [sys.executable, "-c", _LOADED, str(tmp_path / "wide.onnx")]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    # A layer's pages, and what else loading takes; it took three times the weights of all layers, and
    # a session as much again. One that does not pack its matrices only maps them.
    for line in told.splitlines():
        peak, own = map(int, line.split())
        assert peak < 2 * n_bytes
        assert own < n_bytes
