"""What a training holds on to or changes for its hardware: input ranges, channels, gains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from small_networks import dense, network

import rxsim
from rxsim.config import Settings, load_settings
from rxsim.onnx_graph import with_outputs
from rxsim.pipeline import DataOptions, Study, open_study, patched_chip
from rxsim.retrain.options import RetrainOptions
from rxsim.retrain.trained_settings import settings_of, settings_text
from rxsim.session import Session

torch = pytest.importorskip("torch")
retrain = pytest.importorskip("rxsim.retrain.retrained").retrained
OnnxModule = pytest.importorskip("rxsim.retrain.interpreter").OnnxModule
gains = pytest.importorskip("rxsim.retrain.gains")
input_ranges = pytest.importorskip("rxsim.retrain.input_ranges")

MODELS = Path(__file__).parent.parent / "models"
TRAIN = MODELS / "digits_train.npz"
NO_CONVERTERS = ["dac.n_bits=null", "adc.n_bits=null"]


def opened(model: str | onnx.ModelProto, *assignments: str, data: Any = TRAIN) -> Study:
    path = MODELS / f"{model}.onnx" if isinstance(model, str) else model
    settings = load_settings(None, xbar="64x64", assignments=list(assignments))
    return open_study(path, settings, DataOptions(data=data), threads=1)


# Input ranges


def one_layer_ranges(n_bits: int) -> Any:
    """Return the ranges of a layer whose inputs reach from -4 to 4."""
    data = np.linspace(-4, 4, 40, dtype=np.float32).reshape(-1, 1)
    study = opened(dense(np.ones((1, 1))), f"dac.n_bits={n_bits}", data=data)
    (layer,) = study.network.layers
    return layer.name, input_ranges.InputRanges(study, learned=True)


def test_the_gradient_to_a_range_is_its_bound_where_it_clips_and_the_rounding_error_elsewhere() -> (
    None
):
    """Three bits, both signs: steps of 4/3. dc/dp of c(x) = clip(x, p b) + (p - 1) e at p = 1."""
    name, ranges = one_layer_ranges(3)
    assert ranges.x_max == {name: 4.0}
    x = torch.tensor([-9.0, -1.0, 0.5, 2.2, 7.0], requires_grad=True)
    clipped = ranges.clipped(name, x, (-4.5, 4.5))
    np.testing.assert_allclose(clipped.detach(), [-4.5, -1, 0.5, 2.2, 4.5])
    step = 4 / 3
    # Beyond the bounds the clipped value itself is rounded: 4.5 to 3 steps.
    error = np.array([-4 + 4.5, -step + 1, -0.5, 2 * step - 2.2, 4 - 4.5])
    for at, wanted in enumerate(error + np.array([-4.5, 0, 0, 0, 4.5])):
        (gradient,) = torch.autograd.grad(
            clipped[at], list(ranges.parameters().values()), retain_graph=True
        )
        assert float(gradient) == pytest.approx(wanted, abs=1e-6)
    clipped.sum().backward()
    np.testing.assert_allclose(x.grad, [0, 1, 1, 1, 0])


def test_a_step_multiplies_the_range_and_the_next_chip_has_it() -> None:
    name, ranges = one_layer_ranges(6)
    (log,) = ranges.parameters().values()
    with torch.no_grad():
        log.fill_(np.log(1.5))
    ranges.take_up()
    assert ranges.x_max[name] == pytest.approx(6, rel=1e-6)
    assert float(log.detach()) == 0
    data = np.linspace(-4, 4, 40, dtype=np.float32).reshape(-1, 1)
    study = ranges.refresh(opened(dense(np.ones((1, 1))), data=data))
    (taps,) = patched_chip(study).taps.values()
    assert taps.input_bounds is not None
    assert taps.input_bounds[1] == pytest.approx(6 * 31.5 / 31, rel=1e-6)


def test_the_settings_of_a_training_give_the_chip_that_it_was_trained_on() -> None:
    """Its loss on what is held out, computed from the written network and settings in onnxruntime."""
    study = opened("digits_mlp", "crossbar.r_wire_wl=20", "crossbar.r_wire_bl=20")
    options = RetrainOptions(
        iterations=4, refresh=2, batch=32, learning_rate=1e-3, ranges="learned", start="matched"
    )
    training, model = retrain(study, options)
    settings = settings_of(study, training)
    assert training.ranges is not None
    assert training.before is not None
    assert training.before.held_out_loss > training.points[0].held_out_loss
    written = Settings.model_validate(yaml.safe_load(settings_text(settings, ["a", "b"])))
    assert written == settings
    assert training.ranges.keys() == settings.layers.keys() == {"fc1", "fc2", "fc3"}
    card = MODELS / "digits_mlp.yaml"
    again = open_study(model, settings, DataOptions(data=TRAIN, card=card), threads=1)
    chip = patched_chip(again).model
    with np.load(TRAIN) as data:
        x = data["x"].astype(np.float32) / 16
    (wanted,) = Session(onnx.load(MODELS / "digits_mlp.onnx"), "float").run(
        ["logits"], {"image": x}
    )
    (scores,) = Session(chip, "chip").run(["logits"], {"image": x})
    held = batches_of(study).held_out
    logs = [np.log(softmax(each[held] / 2)) for each in (wanted, scores)]
    loss = 4 * (np.exp(logs[0]) * (logs[0] - logs[1])).sum(axis=1).mean()
    assert loss == pytest.approx(training.points[training.best].held_out_loss, rel=1e-3)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def batches_of(study: Study) -> Any:
    from rxsim.retrain.batches import Batches

    return Batches(len(study.inputs), 32, 0.1, study.settings.seed)


# Channels


@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn", "digits_dsconv"])
def test_matched_channels_have_the_moments_of_the_float_network(name: str) -> None:
    """Mean and deviation of each layer's output on the chip, in onnxruntime, on the inputs matched.

    Weights scaled by column are the same conductances, so that without converters one round is exact.
    """
    columns = ["mapping.w_max_scope=column", "crossbar.r_wire_wl=10", "device.n_bits=null"]
    study = opened(name, *columns, *NO_CONVERTERS)
    options = RetrainOptions(
        iterations=1, refresh=1, batch=128, start="matched", ranges="kept", learning_rate=1e-12
    )
    from rxsim.retrain.channels import Matching

    seen: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        take_up = Matching.take_up

        def taken(self: Any) -> None:
            take_up(self)
            seen.append({k: v.detach().numpy().copy() for k, v in self._trained.items()})

        patch.setattr(Matching, "take_up", taken)
        retrain(study, options)
    from rxsim.retrain.batches import Batches
    from rxsim.retrain.weights import with_values

    positions = Batches(len(study.inputs), 128, 0.1, study.settings.seed).trained[:128]
    x = study.inputs.subset(positions).feeds(0, 128)
    matched = patched_chip(replace(study, network=with_values(study.network, seen[-1]))).model
    outputs = [layer.output for layer in study.network.layers]
    of_float, of_chip, before = (
        Session(with_outputs(model, outputs), "m").run(outputs, x)
        for model in (study.network.model, matched, patched_chip(study).model)
    )
    off = False
    for layer, wanted, given, first in zip(
        study.network.layers, of_float, of_chip, before, strict=True
    ):
        axis = layer.channel_axis % wanted.ndim
        others = tuple(each for each in range(wanted.ndim) if each != axis)
        size = wanted.std()
        for moment in (np.mean, np.std):
            np.testing.assert_allclose(
                moment(given, axis=others), moment(wanted, axis=others), atol=2e-4 * size
            )
            off = off or bool(
                np.abs(moment(first, axis=others) - moment(wanted, axis=others)).max() > 1e-2 * size
            )
    assert off


def test_a_network_without_a_free_batch_can_not_be_matched() -> None:
    fixed = onnx.load(MODELS / "digits_mlp.onnx")
    for value in (*fixed.graph.input, *fixed.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 8
    data = DataOptions(data=TRAIN, card=MODELS / "digits_mlp.yaml")
    with pytest.raises(rxsim.errors.InputError, match="start: found matched and a network"):
        rxsim.retrained(
            fixed, "64x64", data, batch=16, iterations=1, start="matched", ranges="kept", threads=1
        )


# Gains


def test_gains_of_channels_have_the_gradient_of_a_factor_behind_the_layer() -> None:
    """Of a Conv with groups: each output channel's weights move by the same factor."""
    rng = np.random.default_rng(4)
    model = network("[c] y = Conv<group=2>(x, w)", (4, 5, 5), {"w": rng.normal(size=(6, 2, 3, 3))})
    study = opened(model, data=rng.normal(size=(3, 4, 5, 5)).astype(np.float32))
    (layer,) = study.network.layers
    name = layer.node.input[1]
    module = OnnxModule(study.network.model, {name})
    x = torch.from_numpy(rng.normal(size=(3, 4, 5, 5)).astype(np.float32))
    target = torch.from_numpy(rng.normal(size=(3, 6, 3, 3)).astype(np.float32))
    factor = torch.ones(6, requires_grad=True)
    output = module({layer.input: x}, [layer.output])[layer.output]
    (wanted,) = torch.autograd.grad(
        ((output * factor.reshape(-1, 1, 1) - target) ** 2).sum(), [factor], retain_graph=True
    )
    ((output - target) ** 2).sum().backward()
    held = gains.Gains(module, gains.channel_numbers(study.network))
    before = module.value(name).detach().numpy().copy()
    held.pull()
    (log,) = held.parameters().values()
    np.testing.assert_allclose(log.grad, wanted, rtol=1e-4)
    assert module.value(name).grad is None
    with torch.no_grad():
        log.copy_(torch.log(torch.arange(1, 7) / 3))
    held.take_up()
    factors = np.arange(1, 7).reshape(-1, 1, 1, 1) / 3
    np.testing.assert_allclose(module.value(name).detach(), before * factors, rtol=1e-5)


def test_training_norms_leaves_the_directions_of_columns() -> None:
    study = opened("digits_cnn", "crossbar.r_wire_wl=20", "crossbar.r_wire_bl=20")
    options = RetrainOptions(iterations=4, refresh=4, batch=32, learning_rate=1e-3, train="norms")
    training, _ = retrain(study, options)
    for layer in study.network.layers:
        before = layer.matrices
        name = layer.node.input[1]
        after = training.values[name]
        if layer.op == "Conv":
            stored = onnx.numpy_helper.to_array(
                next(t for t in study.network.model.graph.initializer if t.name == name)
            )
            ratio = after / stored
            assert np.ptp(ratio, axis=(1, 2, 3)).max() < 1e-4
            assert np.abs(ratio - 1).max() > 1e-3
        assert before.size == after.size
