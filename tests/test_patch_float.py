"""Without converters, wires and levels the patched network is the float network."""

import gzip
import itertools
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from chips import bare_study
from test_load import (
    CONV_FORMS,
    FORMS,
    NORM_FORMS,
    difference,
    feed_sets,
    folded_sequence_model,
    load_form,
    needs_assets,
    random_feeds,
    run,
)

from rxsim.config import Settings, load_settings
from rxsim.data import MadeUpInputs
from rxsim.load import Network, load_network
from rxsim.patch import PatchedNetwork
from rxsim.pipeline import DataOptions, open_study, patched_chip
from rxsim.pipeline.study.study import Study
from rxsim.session import Session

ASSETS = Path(os.environ.get("RXSIM_ASSETS", ""))
MODELS = Path(__file__).parent.parent / "models"
DIGITS = ["digits_mlp", "digits_cnn", "digits_dsconv", "digits_resnet"]
PERFECT = [
    *(f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")),
    *(f"{section}.n_bits=null" for section in ("device", "dac", "adc")),
    "calibration.samples=4",
]
TOLERANCE = 1e-4
HALF = {"half precision": 5e-3}
BATCHED = [name for name in FORMS if name != "matmul with the constant left of a vector"]
"""The forms whose first axis is a batch, or can be taken for one."""
VARIANTS = [
    [f"mapping.row_order={order}", f"mapping.w_max_scope={scope}", f"adc.where={where}"]
    for order, scope, where in itertools.product(
        ("channel_major", "kernel_major"),
        ("layer", "tile", "column"),
        ("per_tile", "per_layer"),
    )
    if (scope, where) != ("tile", "per_layer")  # refused: the tiles would need one scale
]
"""Every row order, scale and place of the ADC that can stand together."""


def perfect(xbar: str, *more: str) -> Settings:
    return load_settings(None, xbar=xbar, assignments=[*PERFECT, *more])


class OneBatch:
    """Inputs that are always fed whole, whatever their axes mean."""

    labels = None

    def __init__(self, tensors: dict[str, np.ndarray], length: int) -> None:
        self._tensors = tensors
        self._length = length

    def __len__(self) -> int:
        return self._length

    def feeds(self, start: int, stop: int) -> dict[str, np.ndarray]:
        assert (start, stop) == (0, self._length)
        return self._tensors


def study_of(network: Network, settings: Settings, feeds: dict[str, np.ndarray]) -> Study:
    """A study that is calibrated on some given feeds."""
    batch = network.fixed_batch or 2
    inputs: Any = OneBatch(feeds, batch)
    return bare_study(network, settings, inputs, batch)


def patch_form(name: str, folder: Path, xbar: str, *more: str) -> tuple[Network, PatchedNetwork]:
    network = load_form(name, folder)
    feeds = random_feeds(network.model, 2, 1)
    return network, patched_chip(study_of(network, perfect(xbar, *more), feeds))


@pytest.fixture(scope="module")
def perfectly_patched(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], tuple[Network, PatchedNetwork]]:
    """Patches a form on perfect arrays, once; what it returns is read only."""
    return cache(lambda name: patch_form(name, tmp_path_factory.mktemp("form"), "8x4"))


def assert_equal_results(
    network: Network, patched: PatchedNetwork, feeds: dict[str, np.ndarray], tolerance: float
) -> None:
    wanted, got = run(network.original, feeds), run(patched.model, feeds)
    for a, b in zip(got, wanted, strict=True):
        assert difference(a, b) <= tolerance


@pytest.mark.parametrize("name", BATCHED)
def test_every_mapped_form_equals_the_float_network(
    name: str, perfectly_patched: Callable[[str], tuple[Network, PatchedNetwork]]
) -> None:
    network, patched = perfectly_patched(name)
    assert set(patched.taps) == {layer.name for layer in network.layers}
    for feeds in feed_sets(network):
        assert_equal_results(network, patched, feeds, HALF.get(name, TOLERANCE))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: ",".join(variant))
@pytest.mark.parametrize(
    "name",
    [
        "batchnorm after grouped conv",
        "conv with strides, dilations and pads",
        "conv with auto_pad SAME_LOWER",
        "conv of three axes",
        "grouped conv",
        "gemm with everything",
        "gemm with constant A",
        "matmul of rank three",
    ],
)
def test_every_mapping_of_a_layer_equals_the_float_network(
    name: str, variant: list[str], tmp_path: Path
) -> None:
    network, patched = patch_form(name, tmp_path, "8x4", *variant)
    assert_equal_results(network, patched, random_feeds(network.model, 3, 2), TOLERANCE)


@pytest.mark.parametrize("xbar", ["1x1", "5x3", "7x64", "64x2"])
@pytest.mark.parametrize("name", ["grouped conv", "conv of one axis", "gemm with everything"])
def test_every_array_size_equals_the_float_network(name: str, xbar: str, tmp_path: Path) -> None:
    for order in ("channel_major", "kernel_major"):
        network, patched = patch_form(name, tmp_path, xbar, f"mapping.row_order={order}")
        assert_equal_results(network, patched, random_feeds(network.model, 3, 2), TOLERANCE)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: ",".join(variant))
@pytest.mark.parametrize("name", ["grouped conv", "gemm with everything", "half precision"])
def test_fine_converters_on_each_tile_hardly_change_the_result(
    name: str, variant: list[str], tmp_path: Path
) -> None:
    """The same sums with every conversion kept apart: its DAC, its rows, its decoding."""
    fine = ["dac.n_bits=20", "adc.n_bits=20", "adc.range=full_scale", *variant]
    network, patched = patch_form(name, tmp_path, "8x4", *fine)
    assert "Round" in {node.op_type for node in patched.model.graph.node}
    feeds = random_feeds(network.model, 2, 1)
    assert_equal_results(network, patched, feeds, 1e-2 if name in HALF else 2e-4)


def types_of(values: Any) -> list[tuple[str, bytes]]:
    return [(value.name, value.type.SerializeToString()) for value in values]


@pytest.mark.parametrize("converters", [[], ["dac.n_bits=6", "adc.n_bits=6"]])
@pytest.mark.parametrize("name", BATCHED)
def test_patched_networks_are_valid_and_keep_the_users_inputs_and_outputs(
    name: str,
    converters: list[str],
    tmp_path: Path,
    perfectly_patched: Callable[[str], tuple[Network, PatchedNetwork]],
) -> None:
    network, patched = (
        patch_form(name, tmp_path, "8x4", *converters) if converters else perfectly_patched(name)
    )
    onnx.checker.check_model(patched.model, full_check=True)
    given = {tensor.name for tensor in network.original.graph.initializer}
    inputs = [value for value in network.original.graph.input if value.name not in given]
    assert types_of(patched.model.graph.input) == types_of(inputs)
    assert types_of(patched.model.graph.output) == types_of(network.original.graph.output)
    names = [node.name for node in patched.model.graph.node]
    assert len(set(names)) == len(names)
    before = {(node.domain, node.op_type) for node in network.original.graph.node}
    foreign = {(n.domain, n.op_type) for n in patched.model.graph.node if n.domain}
    assert foreign <= before


@pytest.mark.parametrize("name", [*NORM_FORMS, *CONV_FORMS])
def test_patching_leaves_the_networks_own_models_as_they_are(name: str, tmp_path: Path) -> None:
    network = load_form(name, tmp_path)
    before = network.model.SerializeToString(), network.original.SerializeToString()
    matrices = [layer.matrices.copy() for layer in network.layers]
    nodes = [layer.node.SerializeToString() for layer in network.layers]
    feeds = random_feeds(network.model, 2, 1)
    patched_chip(study_of(network, perfect("8x4", "adc.n_bits=6"), feeds))
    assert (network.model.SerializeToString(), network.original.SerializeToString()) == before
    assert [layer.node.SerializeToString() for layer in network.layers] == nodes
    for layer, kept in zip(network.layers, matrices, strict=True):
        np.testing.assert_array_equal(layer.matrices, kept)


def test_a_layer_is_really_computed_by_its_arrays(tmp_path: Path) -> None:
    """The comparison above can fail: levels, wires and converters each change the result."""
    for change in (["device.n_bits=2"], ["crossbar.r_driver=1000"], ["dac.n_bits=4"]):
        network, patched = patch_form("grouped conv", tmp_path, "8x4", *change)
        feeds = random_feeds(network.model, 2, 1)
        (wanted,), (got,) = run(network.original, feeds), run(patched.model, feeds)
        assert difference(got, wanted) > 10 * TOLERANCE


def test_tensor_and_node_names_that_patching_would_choose_may_be_taken(tmp_path: Path) -> None:
    model = taken_names_model()
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    network = load_network(path)
    feeds = random_feeds(network.model, 2, 1)
    patched = patched_chip(study_of(network, perfect("8x4"), feeds))
    names = [node.name for node in patched.model.graph.node]
    assert len(set(names)) == len(names)
    assert_equal_results(network, patched, feeds, TOLERANCE)


def taken_names_model() -> onnx.ModelProto:
    """Two products: the second bears the name that the first one's patch gives its own."""
    model = FORMS["two layers with the constants left"].model()
    first, second = model.graph.node
    first.name, second.name = "a", "a/product"
    first.output[0] = second.input[1] = "a/dac_scaled"
    return model


@pytest.mark.parametrize("xbar", ["64x64", "16x8"])
@pytest.mark.parametrize("name", DIGITS)
def test_the_shipped_networks_equal_their_float_selves(name: str, xbar: str) -> None:
    options = DataOptions(data=MODELS / "digits_test.npz", limit=64)
    study = open_study(MODELS / f"{name}.onnx", perfect(xbar), options, threads=1)
    patched = patched_chip(study)
    with np.load(MODELS / "digits_test.npz") as data:
        images = (data["x"] * 0.0625).astype(np.float32)
    feeds = {study.network.inputs[0].name: images}
    assert_equal_results(study.network, patched, feeds, TOLERANCE)
    onnx.checker.check_model(patched.model, full_check=True)
    assert not any(node.domain for node in patched.model.graph.node)


@pytest.mark.parametrize("variant", VARIANTS[1::2], ids=lambda variant: ",".join(variant))
def test_a_shipped_network_equals_its_float_self_for_other_mappings(variant: list[str]) -> None:
    study = open_study(MODELS / "digits_dsconv.onnx", perfect("16x8", *variant), threads=1)
    patched = patched_chip(study)
    feeds = study.inputs.feeds(0, 32)
    assert_equal_results(study.network, patched, feeds, TOLERANCE)


def test_a_network_without_data_is_patched_on_made_up_inputs(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(FORMS["batchnorm after grouped conv"].model(), path)
    study = open_study(path, perfect("8x4"), threads=1)
    patched = patched_chip(study)
    assert_equal_results(study.network, patched, study.inputs.feeds(0, 8), TOLERANCE)


@pytest.mark.parametrize("bits", ["null", "20"])
def test_a_fixed_batch_that_does_not_divide_the_inputs_changes_nothing(
    bits: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(folded_sequence_model(), path)
    settings = perfect("8x4", f"dac.n_bits={bits}", f"adc.n_bits={bits}", "calibration.samples=7")
    study = open_study(path, settings, DataOptions(limit=6), threads=1)
    patched = patched_chip(study)
    feeds = study.inputs.feeds(0, 6)
    whole = {"x": np.concatenate([feeds["x"], feeds["x"][:2]])}
    for model in (study.network.original, patched.model):
        parts = [run(model, {"x": whole["x"][start : start + 4]})[0] for start in (0, 4)]
        session = Session(model, "a network", 4)
        batches = list(session.batches(study.inputs, ["y"], batch=64, threads=1))
        got = np.concatenate([part for (part,) in batches])
        assert difference(got, np.concatenate(parts)[:6]) == 0
    if bits == "null":
        assert_equal_results(study.network, patched, {"x": whole["x"][:4]}, TOLERANCE)


def cifar(name: str) -> np.ndarray:
    """Twenty test images as the networks want them (README.md of the assets)."""
    with np.load(ASSETS / "cifar10" / "cifar10_test.npz") as data:
        images = next(data[key] for key in data.files if data[key].ndim == 4)[::500]
    if name.startswith("resnet"):
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        images = (images / 255 - mean) / std
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)


def assert_equal_network(path: Path, xbar: str, images: np.ndarray) -> None:
    network = load_network(path)
    name = network.inputs[0].name
    few = MadeUpInputs({name: images[:4]})
    batch = network.fixed_batch or 4
    study = bare_study(network, perfect(xbar), few, batch)
    patched = patched_chip(study).model
    results = []
    for model in (network.original, patched):
        session = Session(model, "a network", network.fixed_batch)
        inputs = MadeUpInputs({name: images})
        parts = session.batches(inputs, [network.output], batch=5, threads=1)
        results.append(np.concatenate([part for (part,) in parts]))
    assert results[0].shape[0] == len(images) == 20
    assert difference(results[1], results[0]) <= TOLERANCE


@needs_assets
@pytest.mark.parametrize(
    "name", ["resnet20_cifar10", "resnet56_cifar10", "mlperftiny_resnet8_cifar10"]
)
def test_cifar_networks_equal_their_float_selves(name: str) -> None:
    assert_equal_network(ASSETS / "cifar10" / f"{name}.onnx", "64x64", cifar(name))


@needs_assets
@pytest.mark.parametrize("xbar", ["64x64", "16x8"])
@pytest.mark.parametrize("name", ["mnist-cntk-opset13-dynbatch", "mnist-cntk-opset7_orig"])
def test_mnist_networks_equal_their_float_selves(name: str, xbar: str) -> None:
    with gzip.open(ASSETS / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        stored = np.frombuffer(file.read(), dtype=np.uint8, offset=16)
    images = stored.reshape(-1, 1, 28, 28)[::500].astype(np.float32)
    assert_equal_network(ASSETS / "mnist" / f"{name}.onnx", xbar, images)
