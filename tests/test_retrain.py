"""Training against crossbars: forward and backward passes, batches, resuming, and what is written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, utils
from small_networks import dense, network

import rxsim
from rxsim.cli import main
from rxsim.config import load_settings
from rxsim.load import load_network
from rxsim.onnx_graph import with_outputs
from rxsim.pipeline import DataOptions, Study, open_study, patched_chip
from rxsim.retrain.batches import Batches
from rxsim.retrain.checkpoint import Checkpoint
from rxsim.retrain.options import RetrainOptions
from rxsim.retrain.places import bias_names, weight_name
from rxsim.session import Session

torch = pytest.importorskip("torch")
OnnxModule = pytest.importorskip("rxsim.retrain.interpreter").OnnxModule
forward = pytest.importorskip("rxsim.retrain.forward")
retrain = pytest.importorskip("rxsim.retrain.retrained").retrained

MODELS = Path(__file__).parent.parent / "models"
CONFIGS = MODELS.parent / "configs"
TRAIN = MODELS / "digits_train.npz"
NO_WIRES = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
NO_CONVERTERS = ["dac.n_bits=null", "adc.n_bits=null"]
Values = dict[str, np.ndarray]


def opened(model: str | onnx.ModelProto, *assignments: str, data: Any = TRAIN) -> Study:
    path = MODELS / f"{model}.onnx" if isinstance(model, str) else model
    settings = load_settings(None, xbar="64x64", assignments=list(assignments))
    return open_study(path, settings, DataOptions(data=data), threads=1)


def module_of(study: Study) -> Any:
    layers = list(study.network.layers)
    names = {weight_name(layer) for layer in layers}
    names |= {name for name in bias_names(study.network.model, layers).values() if name}
    return OnnxModule(study.network.model, names)


def tensors(study: Study, count: int) -> dict[str, Any]:
    feeds = study.inputs.feeds(0, count)
    return {name: torch.from_numpy(value.copy()) for name, value in feeds.items()}


def between(model: onnx.ModelProto, given: str, wanted: str) -> onnx.ModelProto:
    """Return the part of a graph from one inner tensor to another."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for name in (given, wanted):
        copy.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return utils.Extractor(copy).extract_model([given], [wanted])


def initialisers(model: onnx.ModelProto) -> Values:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


# The forward pass


@pytest.mark.parametrize(
    ("converters", "parted"), [(NO_CONVERTERS, 0.0), ([], 0.01)], ids=["plain", "converters"]
)
def test_behind_a_refresh_each_layer_is_that_of_the_patched_chip(
    converters: Sequence[str], parted: float
) -> None:
    """To 1e-4 of its outputs' range; a current at a threshold of an ADC may get the code beside it."""
    study = opened("digits_cnn", *converters, "device.write_sigma=0.02")
    module, exact = module_of(study), forward.ExactForward(study)
    exact.refresh(module, 0)
    chip, hooks = patched_chip(study, 0).model, exact.hooks(module)
    for layer in study.network.layers:
        with torch.no_grad():
            x = module(tensors(study, 12), [layer.input])[layer.input]
            inputs = [x if name == layer.input else None for name in layer.node.input]
            result = hooks[layer.node.name](layer.node, inputs).numpy()
        part = Session(between(chip, layer.input, layer.output), layer.name)
        (wanted,) = part.run([layer.output], {layer.input: x.numpy()})
        off = np.abs(result - wanted) > 1e-4 * np.ptp(wanted)
        assert off.mean() <= parted
        (ideal,) = Session(between(study.network.model, layer.input, layer.output), layer.name).run(
            [layer.output], {layer.input: x.numpy()}
        )
        assert np.abs(wanted - ideal).max() > 1e-2 * np.ptp(wanted)  # the wires count


def test_behind_a_refresh_the_network_is_the_patched_chip() -> None:
    study = opened("digits_cnn", *NO_CONVERTERS)
    module, exact = module_of(study), forward.ExactForward(study, chip=2)
    exact.refresh(module, 5)
    with torch.no_grad():
        result = module(tensors(study, 20), [study.output], exact.hooks(module))[study.output]
    feeds = study.inputs.feeds(0, 20)
    (wanted,) = Session(patched_chip(study, 2).model, "chip").run([study.output], feeds)
    np.testing.assert_allclose(result, wanted, atol=1e-4 * np.ptp(wanted))


def one_layer(*assignments: str) -> tuple[Study, Any, Any]:
    """Return a layer of 8 x 5 weights with a bias, and its inputs."""
    rng = np.random.default_rng(3)
    model = dense(rng.normal(size=(8, 5)), rng.normal(size=5))
    data = rng.uniform(-1, 1, (40, 8)).astype(np.float32)
    study = opened(model, *assignments, data=data)
    return study, module_of(study), torch.from_numpy(data)


def hook_of(study: Study, module: Any, exact: Any) -> Any:
    """Return the layer as a function of its input."""
    (layer,) = study.network.layers
    hook = exact.hooks(module)[layer.node.name]
    return lambda x: hook(
        layer.node, [x if name == layer.input else None for name in layer.node.input]
    )


def test_weights_that_moved_move_the_product() -> None:
    """H(x) + f(x, w) - f(x, w0), the bias among the weights."""
    study, module, x = one_layer("dac.n_bits=null", "input.percentile=100")
    exact = forward.ExactForward(study)
    exact.refresh(module, 0)
    product = hook_of(study, module, exact)
    before = product(x).detach().numpy()
    (layer,) = study.network.layers
    weight, bias = (module.value(name) for name in layer.node.input[1:])
    step = torch.full_like(weight, 0.01), torch.full_like(bias, -0.5)
    with torch.no_grad():
        weight.add_(step[0])
        bias.add_(step[1])
    moved = x.numpy() @ np.full(weight.shape, 0.01) - 0.5
    np.testing.assert_allclose(product(x).detach().numpy(), before + moved, atol=1e-5)
    exact.refresh(module, 0)  # the same chip with the weights as they are
    assert np.abs(product(x).detach().numpy() - before - moved).max() > 1e-3


def test_gaussian_noise_has_its_deviation_anew_at_every_product() -> None:
    """Mean and deviation over 4,096 weights, each within 4 standard errors."""
    rng = np.random.default_rng(1)
    weight = rng.uniform(-2, 2, (64, 64)).astype(np.float32)
    study = opened(dense(weight), data=np.eye(64, dtype=np.float32))
    module = module_of(study)
    noisy = forward.GaussianForward(study.network, 0.05, torch.Generator().manual_seed(4))
    noisy.refresh(module, 0)
    with torch.no_grad():
        first, second = (
            hook_of(study, module, noisy)(torch.eye(64)).numpy() - weight for _ in range(2)
        )
    sigma = 0.05 * np.abs(weight).max()
    for noise in (first, second):
        assert abs(noise.mean()) < 4 * sigma / 64
        assert abs(noise.std() - sigma) < 4 * sigma / np.sqrt(2 * 4096)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4 / 64


# The backward pass


def test_on_perfect_hardware_gradients_are_those_of_the_float_network() -> None:
    study = opened(
        "digits_cnn", *NO_WIRES, *NO_CONVERTERS, "device.n_bits=null", "input.percentile=100"
    )
    module, exact = module_of(study), forward.ExactForward(study)
    exact.refresh(module, 0)
    grads: list[Values] = []
    ways: list[Any] = [{}, exact.hooks(module)]
    for hooks in ways:
        module.zero_grad()
        scores = module(tensors(study, 32), [study.output], hooks)[study.output]
        torch.nn.functional.cross_entropy(scores, torch.arange(32) % 10).backward()
        grads.append({name: held.grad.numpy().copy() for name, held in module.trained().items()})
    for name, wanted in grads[0].items():
        assert np.linalg.norm(wanted) > 0
        assert np.linalg.norm(grads[1][name] - wanted) <= 1e-4 * np.linalg.norm(wanted), name


def test_what_dacs_clip_gets_no_gradient() -> None:
    study, module, x = one_layer()
    exact = forward.ExactForward(study)
    exact.refresh(module, 0)
    source = x[:4].clone()
    source[0, 2], source[3, 5] = 100.0, -100.0
    source.requires_grad_()
    hook_of(study, module, exact)(source).sum().backward()
    (layer,) = study.network.layers
    wanted = np.tile(module.value(layer.node.input[1]).detach().numpy().sum(axis=1), (4, 1))
    wanted[0, 2] = wanted[3, 5] = 0
    np.testing.assert_allclose(source.grad, wanted, rtol=1e-5, atol=1e-6)


def test_the_column_gradient_has_the_factor_of_each_column() -> None:
    """a = sum H f / sum f^2 over inputs; dL/dw = a x'g. The product itself is H as it is."""
    study, module, x = one_layer("dac.n_bits=null", "input.percentile=100")
    (layer,) = study.network.layers
    weight, bias = (module.value(name) for name in layer.node.input[1:])
    exact = forward.ExactForward(study, "column")
    exact.refresh(module, 0)
    result = hook_of(study, module, exact)(x)
    (hardware,) = Session(patched_chip(study, 0).model, "chip").run(
        [layer.output], {layer.input: x.numpy()}
    )
    np.testing.assert_allclose(result.detach(), hardware, atol=1e-4 * np.ptp(hardware))
    g = np.random.default_rng(2).normal(size=hardware.shape).astype(np.float32)
    result.backward(torch.from_numpy(g))
    f = x.numpy() @ weight.detach().numpy() + bias.detach().numpy()
    factor = (hardware * f).sum(axis=0) / (f * f).sum(axis=0)
    assert np.abs(factor - 1).max() > 1e-3
    np.testing.assert_allclose(weight.grad, factor * (x.numpy().T @ g), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(bias.grad, factor * g.sum(axis=0), rtol=1e-3, atol=1e-4)


# Batches


@pytest.mark.parametrize(("inputs", "batch"), [(100, 15), (97, 16)])
def test_every_epoch_sees_each_input_once_and_never_what_is_held_out(
    inputs: int, batch: int
) -> None:
    """Of 90 inputs 6 batches of 15 are all; of 87 five of 16 leave 7 out, others in each epoch."""
    batches = Batches(inputs, batch, 0.1, seed=2)
    held = set(batches.held_out.tolist())
    assert len(held) == 10
    count = (inputs - 10) // batch
    seen: set[int] = set()
    for epoch in range(4):
        drawn = np.concatenate([batches.at(epoch * count + k) for k in range(count)])
        assert len(set(drawn.tolist())) == len(drawn) == count * batch
        seen |= set(drawn.tolist())
    assert seen == set(range(inputs)) - held
    assert (batches.at(0) != Batches(inputs, batch, 0.1, seed=3).at(0)).any()
    np.testing.assert_array_equal(batches.at(5), Batches(inputs, batch, 0.1, seed=2).at(5))


# The training


def trained(tmp_path: Path, name: str, *options: str) -> onnx.ModelProto:
    """Run `rxsim retrain` and return what it wrote."""
    assert ran(tmp_path, name, *options) == 0
    assert not (tmp_path / f"{name}.checkpoint.npz").exists()
    return onnx.load(tmp_path / name)


def ran(tmp_path: Path, name: str, *options: str) -> Any:
    """Run `rxsim retrain` and return its exit code; its settings are written where it has some."""
    if "--ranges" in options:
        options = (*options, "--save-settings", str(tmp_path / f"{name}.yaml"))
    small = ["--data", str(TRAIN), "--xbar", "64x64", "--threads", "1", "--quiet", "--batch", "32"]
    few = ["--iterations", "4", "--refresh", "2", "--learning-rate", "3e-4"]
    arguments = [str(MODELS / "digits_mlp.onnx"), "-o", str(tmp_path / name)]
    with pytest.raises(SystemExit) as end:
        main(["retrain", *arguments, *small, *few, *options])
    return end.value.code


def test_one_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    options = ["--set", "device.write_sigma=0.01"]
    one, two, other = (
        trained(tmp_path, f"{k}.onnx", *options, "--seed", seed)
        for k, seed in enumerate(("7", "7", "8"))
    )
    assert one.SerializeToString() == two.SerializeToString()
    assert one.SerializeToString() != other.SerializeToString()


@pytest.mark.parametrize(
    "options",
    [
        ["--set", "device.write_sigma=0.02", "--set", "device.read_sigma=0.01"],
        ["--optimiser", "sgd", "--noise", "gaussian:0.05"],
        ["--noise", "gaussian:0.05", "--clip", "1.5"],
        ["--gradient", "column", "--patience", "2"],
        ["--train", "norms", "--start", "matched", "--ranges", "learned"],
    ],
    ids=lambda options: " ".join(options),
)
def test_an_interrupted_training_goes_on_to_the_same_bytes(
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = trained(tmp_path, "whole.onnx", *options, "--iterations", "5")
    capsys.readouterr()
    written = Checkpoint.write

    def interrupted(self: Checkpoint, path: Path) -> None:
        written(self, path)
        if self.iteration == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "write", interrupted)
        assert ran(tmp_path, "part.onnx", *options, "--iterations", "5") == 130
    kept = tmp_path / "part.onnx.checkpoint.npz"
    error = capsys.readouterr().err
    assert error.startswith("rxsim: interrupted; ")
    assert "--resume" in error
    assert kept.is_file()
    assert not (tmp_path / "part.onnx").exists()
    part = trained(tmp_path, "part.onnx", *options, "--iterations", "5", "--resume")
    assert part.SerializeToString() == whole.SerializeToString()


def test_a_resumed_training_has_the_curve_of_an_uninterrupted_one(tmp_path: Path) -> None:
    study = opened("digits_mlp")
    options = RetrainOptions(iterations=5, refresh=2, batch=32, learning_rate=3e-3)
    whole, _ = retrain(study, options)
    path = tmp_path / "c.npz"

    class Stop(Exception):
        pass

    kept: list[Checkpoint] = []
    with pytest.MonkeyPatch.context() as patch:

        def write(self: Checkpoint, path: Path) -> None:
            kept.append(self)
            if self.iteration == 4:
                raise Stop

        patch.setattr(Checkpoint, "write", write)
        with pytest.raises(Stop):
            retrain(study, options, path)
    kept[-1].write(path)
    part, _ = retrain(study, options, path, resume=True)
    assert [point.iteration for point in part.points] == [0, 2, 4, 5]
    assert [replace(p, seconds=0) for p in part.points] == [
        replace(p, seconds=0) for p in whole.points
    ]
    assert part.best == whole.best


def changed(before: onnx.ModelProto, after: onnx.ModelProto) -> set[str]:
    """Return the initialisers whose values differ; all else of two models has to be the same."""
    names, tensors = set(), zip(before.graph.initializer, after.graph.initializer, strict=True)
    for old, new in tensors:
        if old != new:
            assert (old.name, old.dims, old.data_type) == (new.name, new.dims, new.data_type)
            assert (numpy_helper.to_array(old) != numpy_helper.to_array(new)).any()
            names.add(old.name)
    copies = []
    for model in (before, after):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        copy.graph.ClearField("initializer")
        copies.append(copy)
    assert copies[0] == copies[1]
    return names


@pytest.mark.parametrize(
    ("train", "wanted"),
    [
        ("all", {f"fc{k}.{part}" for k in (1, 2, 3) for part in ("weight", "bias")}),
        ("weights", {f"fc{k}.weight" for k in (1, 2, 3)}),
        ("biases", {f"fc{k}.bias" for k in (1, 2, 3)}),
        ("norms", {f"fc{k}.{part}" for k in (1, 2, 3) for part in ("weight", "bias")}),
        ("fc2", {"fc2.weight", "fc2.bias"}),
        ("fc1, *3", {"fc1.weight", "fc1.bias", "fc3.weight", "fc3.bias"}),
    ],
)
def test_only_what_is_trained_differs_in_the_file(
    train: str, wanted: set[str], tmp_path: Path
) -> None:
    model = trained(tmp_path, "out.onnx", "--train", train)
    assert changed(onnx.load(MODELS / "digits_mlp.onnx"), model) == wanted
    onnx.checker.check_model(model, full_check=True)


def test_the_file_of_folded_normalisations_computes_what_was_trained(tmp_path: Path) -> None:
    """Its own graph keeps them; loaded again, it has the weights of the best point."""
    study = opened("digits_dsconv", *NO_CONVERTERS)
    training, model = retrain(study, RetrainOptions(iterations=3, refresh=3, batch=32))
    changed(onnx.load(MODELS / "digits_dsconv.onnx"), model)
    again = initialisers(load_network(model).model)
    assert training.values.keys() <= again.keys()
    for name, values in training.values.items():
        np.testing.assert_allclose(again[name], values, rtol=1e-5, atol=1e-6)


def test_clipped_weights_stay_within_their_bound(tmp_path: Path) -> None:
    before = initialisers(onnx.load(MODELS / "digits_mlp.onnx"))
    after = initialisers(trained(tmp_path, "out.onnx", "--clip", "1.2"))
    for name, values in before.items():
        if name.endswith("weight"):
            bound = 1.2 * values.std(ddof=1)
            assert np.abs(values).max() > bound
            assert np.abs(after[name]).max() == pytest.approx(bound, rel=1e-5)


@pytest.mark.parametrize(("chip", "trials"), [(3, [3, 3, 3, 3]), (None, [0, 1, 2, 3])])
def test_a_chip_is_the_same_or_another_at_each_refresh(
    chip: int | None, trials: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def recorded(study: Study, trial: int) -> Any:
        asked.append(trial)
        return patched_chip(study, trial)

    monkeypatch.setattr(forward, "patched_chip", recorded)
    options = RetrainOptions(iterations=5, refresh=2, batch=32, chip=chip)
    retrain(opened("digits_mlp", "device.stuck_lrs=0.01"), options)
    assert asked == trials


def test_training_for_a_chip_with_stuck_cells_lowers_its_loss() -> None:
    """The chip of the written network, in onnxruntime, on inputs that had no part in it."""
    faults = ["device.stuck_lrs=0.02", "device.stuck_hrs=0.05"]
    study = opened("digits_mlp", *faults)
    options = RetrainOptions(iterations=20, refresh=5, batch=32, learning_rate=3e-3, chip=3)
    training, model = retrain(study, options)
    with np.load(MODELS / "digits_test.npz") as test:
        x, labels = test["x"].astype(np.float32) / 16, test["y"]
    losses = []
    for each in (onnx.load(MODELS / "digits_mlp.onnx"), model):
        chip = patched_chip(opened(each, *faults, data=x), 3).model
        (scores,) = Session(chip, "chip").run(["logits"], {"image": x})
        shifted = scores - scores.max(axis=1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        losses.append(-logs[np.arange(len(labels)), labels].mean())
    assert losses[1] < 0.7 * losses[0]
    assert training.points[training.best].held_out_loss < 0.7 * training.points[0].held_out_loss


def test_training_gives_accuracy_back_on_harsh_arrays() -> None:
    """From about 0.40: at least 0.3 more after 30 iterations, on test images; noise gives less."""
    test = rxsim.DataOptions(
        data=MODELS / "digits_test.npz", calibrate=TRAIN, card=MODELS / "digits_cnn.yaml", limit=300
    )

    def accuracy(model: Any) -> float:
        result = rxsim.evaluate(
            model, CONFIGS / "harsh-128.yaml", test, scenarios=["nonideal"], threads=1
        )
        return float(result.rung("nonideal").summary()["accuracy"]["mean"])

    told = rxsim.retrained(
        MODELS / "digits_cnn.onnx",
        CONFIGS / "harsh-128.yaml",
        TRAIN,
        iterations=30,
        refresh=5,
        batch=32,
        learning_rate=1e-2,
        threads=1,
    )
    assert accuracy(told.model) >= accuracy(MODELS / "digits_cnn.onnx") + 0.3


# Models of other forms


def test_layers_that_share_weights_are_trained_as_one() -> None:
    """Through the same constant of the graph; where normalisations make two of it, neither is."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    data = x, np.argmax(x, axis=1)
    options: Any = {"iterations": 20, "batch": 16, "learning_rate": 3e-2, "threads": 1}
    options |= {"train_on": "labels", "held_out": 0.5, "refresh": 4}
    text = "[a] h = MatMul(x, w) r = Relu(h) [b] y = MatMul(r, w)"
    model = network(text, (4,), {"w": rng.normal(size=(4, 4))})
    told = rxsim.retrained(model, "8x8", data, **options)
    assert changed(model, told.model) == {"w"}
    norms: Mapping[str, Any] = {
        f"{name}{k}": rng.uniform(0.5, 1.5, 4) for name in "sbmv" for k in (1, 2)
    }
    text = (
        "[a] h = Gemm(x, w) g = BatchNormalization(h, s1, b1, m1, v1) r = Relu(g) "
        "[b] i = Gemm(r, w) y = BatchNormalization(i, s2, b2, m2, v2)"
    )
    model = network(text, (4,), {"w": rng.normal(size=(4, 4)), **norms})
    told = rxsim.retrained(model, "8x8", data, **options)
    assert changed(model, told.model) == {"b1", "b2"}
    assert "share values of the file with b" in told.told["not_trained"]["a"]


def test_following_the_float_network_needs_no_labels(tmp_path: Path) -> None:
    with np.load(TRAIN) as data:
        np.savez(tmp_path / "plain.npz", x=data["x"])
    plain = trained(tmp_path, "plain.onnx", "--data", str(tmp_path / "plain.npz"))
    labelled = trained(tmp_path, "labelled.onnx")
    assert plain.SerializeToString() == labelled.SerializeToString()


def test_a_fixed_batch_is_trained_like_a_free_one() -> None:
    """The loss of a batch is over several runs then."""
    free = onnx.load(MODELS / "digits_mlp.onnx")
    fixed = onnx.ModelProto()
    fixed.CopyFrom(free)
    for value in (*fixed.graph.input, *fixed.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 8
    data = DataOptions(data=TRAIN, card=MODELS / "digits_mlp.yaml")
    options: Any = {"iterations": 3, "batch": 20, "noise": "none", "threads": 1}
    options |= {"train_on": "labels", "learning_rate": 1e-2}
    one, two = (rxsim.retrained(model, "64x64", data, **options) for model in (free, fixed))
    for name, values in initialisers(one.model).items():
        np.testing.assert_allclose(initialisers(two.model)[name], values, atol=1e-5)


def test_a_closing_softmax_and_shapes_given_by_options() -> None:
    rng = np.random.default_rng(0)
    text = (
        "[c] h = Conv(x, w) g = GlobalAveragePool(h) f = Flatten(g) s = Softmax(f) "
        "y = Reshape(s, shape)"
    )
    model = network(text, (2, 6, 6), {"w": rng.normal(size=(3, 2, 3, 3))})
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1, 3]), "shape"))
    for axis, name in zip(
        model.graph.input[0].type.tensor_type.shape.dim[2:], ("H", "W"), strict=True
    ):
        axis.dim_param = name
    data: Any = rng.normal(size=(40, 2, 6, 6)).astype(np.float32)
    options = DataOptions(data=data, fix_axes={"H": 6, "W": 6})
    told = rxsim.retrained(model, "32x32", options, iterations=3, batch=8, threads=1)
    assert changed(model, told.model) == {"w"}


def test_a_loop_of_ones_own_trains_the_module_and_gives_the_model() -> None:
    """A step of plain gradient descent, against numpy."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(4, 3)).astype(np.float32)
    x, g = rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
    model = dense(weight)
    module = rxsim.torch_module(model)
    (parameter,) = module.parameters()
    (module({"x": torch.from_numpy(x)})["y"] * torch.from_numpy(g)).sum().backward()
    with torch.no_grad():
        parameter -= 0.1 * parameter.grad
    after = module.onnx_model()
    assert changed(model, after) == {"w"}
    np.testing.assert_allclose(initialisers(after)["w"], weight - 0.1 * x.T @ g, atol=1e-5)
    assert not list(rxsim.torch_module(model, trainable=[]).parameters())
    patched = rxsim.patched(MODELS / "digits_mlp.onnx", "32x32")
    assert OnnxModule(patched).outputs == ("logits",)


def test_outputs_in_the_middle_can_be_trained_towards() -> None:
    """with_outputs in the file: an output that is no closing one."""
    model = with_outputs(onnx.load(MODELS / "digits_mlp.onnx"), ["logits"])
    data = DataOptions(data=TRAIN, card=MODELS / "digits_mlp.yaml")
    told = rxsim.retrained(model, "64x64", data, iterations=1, batch=8, threads=1, train="fc3")
    assert changed(model, told.model) == {"fc3.weight", "fc3.bias"}


def test_the_examples_of_the_guide_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (MODELS.parent / "docs" / "guides" / "retrain.md").read_text(encoding="utf-8")
    (tmp_path / "models").symlink_to(MODELS)
    (tmp_path / "configs").symlink_to(CONFIGS)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", guide, flags=re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, block in enumerate(blocks):
        exec(compile(block, f"example {number + 1}", "exec"), names)
    assert len(blocks) == 2
    points = names["told"].points
    assert points[names["told"].best].held_out_accuracy > points[0].held_out_accuracy + 0.1
    before = initialisers(onnx.load(MODELS / "digits_mlp.onnx"))
    after = initialisers(names["trained"])
    assert all((before[name] != after[name]).any() for name in before)
