"""Scales and shifts around a product become part of its weights where that is exact, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from test_load import (
    BN,
    C1,
    IMAGE,
    MAP,
    ROWS,
    TABLE,
    Form,
    Shapes,
    conv_matrix,
    difference,
    feed_sets,
    load,
    norm,
    normalised,
    run,
)
from test_patch_float import TOLERANCE, assert_equal_results, perfect, study_of

from rxsim.config import load_settings
from rxsim.errors import InputError, SettingError
from rxsim.pipeline import DataOptions, calibrate, evaluate, open_study, patched_chip

STATE = f"{BN}(s, gamma, beta, mean, var)"


def by_output(weight: np.ndarray, factor: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = weight * factor.reshape(-1, *(1 for _ in weight.shape[1:]))
    return scaled


def by_input(weight: np.ndarray, factor: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = weight * factor.reshape(1, -1, *(1 for _ in weight.shape[2:]))
    return scaled


def plain_conv(weights: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    return [("c", conv_matrix(weights["w"]))]


def plain(weights: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    return [("m", weights["w"][None])]


M1: Shapes = {"w": (9, 5)}
# name: form, and the nodes that are gone
FOLDED: dict[str, tuple[Form, set[str]]] = {
    "mul behind conv": (
        Form(
            IMAGE,
            MAP,
            "[c] s = Conv<pads=[1,1,1,1]>(x, w, b) [k] y = Mul(f, s)",
            C1 | {"b": (6,), "f": (6, 1, 1)},
            lambda w: [("c", conv_matrix(by_output(w["w"], w["f"])))],
        ),
        {"Mul"},
    ),
    "div, add, sub and mul by a scalar behind a grouped conv": (
        Form(
            IMAGE,
            MAP,
            "[c] s = Conv<group=2>(x, w) t = Add(s, a) u = Div(t, varf) v = Sub(e, u) y = Mul(v, g)",
            {"w": (6, 2, 3, 3), "a": (1, 6, 1, 1), "varf": (6, 1, 1), "e": (6, 1, 1), "g": ()},
            lambda w: [("c", conv_matrix(by_output(w["w"], -w["g"] / w["varf"]), 2))],
        ),
        {"Add", "Div", "Sub", "Mul"},
    ),
    "matmul, add, batchnorm": (
        Form(
            ROWS,
            TABLE,
            f"[m] r = MatMul(x, w) s = Add(r, b) t = {STATE} y = Relu(t)",
            {"w": (9, 5), "b": (5,)} | norm(5),
            lambda w: [("m", (w["w"] * normalised(w))[None])],
        ),
        {BN},
    ),
    "matmul, batchnorm": (
        Form(
            ROWS,
            TABLE,
            f"[m] s = MatMul(x, w) y = {STATE}",
            {"w": (9, 5)} | norm(5),
            lambda w: [("m", (w["w"] * normalised(w))[None])],
        ),
        {BN},
    ),
    "matmul of rank three, mul": (
        Form(
            "float[N,4,9] x",
            "float[N,4,M] y",
            "[m] s = MatMul(x, w) y = Mul(s, f)",
            {"w": (9, 5), "f": (1, 1, 5)},
            lambda w: [("m", (w["w"] * w["f"][0, 0])[None])],
        ),
        {"Mul"},
    ),
    "gemm with everything, dropout, identity, batchnorm": (
        Form(
            ROWS,
            TABLE,
            "[g] p = Gemm<alpha=0.5, beta=-2.0, transB=1>(x, w, b) q = Dropout(p) s = Identity(q) "
            f"y = {STATE}",
            {"w": (5, 9), "b": (1, 5)} | norm(5),
            lambda w: [("g", (0.5 * w["w"].T * normalised(w))[None])],
        ),
        {BN},
    ),
    "conv in channels last, scaled there": (
        Form(
            "float[N,7,6,4] x",
            "float[N,H,W,C] y",
            "p = Transpose<perm=[0,3,1,2]>(x) [c] q = Conv<pads=[1,1,1,1]>(p, w) "
            "s = Transpose<perm=[0,2,3,1]>(q) r = Cast<to=1>(s) t = Mul(r, f) u = Add(t, a) "
            "y = Relu(u)",
            C1 | {"f": (6,), "a": (6,)},
            lambda w: [("c", conv_matrix(by_output(w["w"], w["f"])))],
        ),
        {"Mul", "Add"},
    ),
    "batchnorm before a conv with groups and bias": (
        Form(
            IMAGE,
            MAP,
            f"[n] t = {BN}(x, gamma, beta, mean, var) [c] y = Conv<group=2, strides=[2,1]>(t, w, b)",
            {"w": (6, 2, 3, 3), "b": (6,)} | norm(4),
            lambda w: [
                (
                    "c",
                    conv_matrix(
                        np.concatenate(
                            [
                                by_input(w["w"][:3], normalised(w)[:2]),
                                by_input(w["w"][3:], normalised(w)[2:]),
                            ]
                        ),
                        2,
                    ),
                )
            ],
        ),
        {BN},
    ),
    "a normalised input before gemm": (
        Form(
            ROWS,
            TABLE,
            "s = Sub(x, a) t = Div(s, varf) [g] y = Gemm<alpha=0.3, beta=1.5, transB=1>(t, w, b)",
            {"w": (5, 9), "b": (5,), "a": (9,), "varf": (1, 9)},
            lambda w: [("g", 0.3 * (w["w"] / w["varf"]).T[None])],
        ),
        {"Sub", "Div"},
    ),
    "a normalised input before matmul": (
        Form(
            "float[N,3,9] x",
            "float[N,3,M] y",
            "s = Mul(x, f) t = Sub(e, s) [m] u = MatMul(t, w) y = Relu(u)",
            {"w": (9, 5), "f": (9,), "e": ()},
            lambda w: [("m", (-w["w"] * w["f"][:, None])[None])],
        ),
        {"Mul", "Sub"},
    ),
    "a scale of channels last before a conv that pads": (
        Form(
            "float[N,7,6,4] x",
            MAP,
            "s = Sub(x, a) t = Div(s, varf) p = Transpose<perm=[0,3,1,2]>(t) "
            "[c] y = Conv<pads=[1,1,1,1]>(p, w)",
            C1 | {"a": (4,), "varf": (1, 1, 1, 4)},
            lambda w: [("c", conv_matrix(by_input(w["w"], 1 / w["varf"].ravel())))],
        ),
        {"Div"},
    ),
    "scales on both sides": (
        Form(
            IMAGE,
            MAP,
            f"[n] t = {BN}(x, gamma1, beta1, mean1, var1) [c] s = Conv(t, w) u = Mul(s, f) "
            f"y = {BN}(u, gamma, beta, mean, var)",
            C1 | norm(4, "1") | norm(6) | {"f": (1, 6, 1, 1)},
            lambda w: [
                (
                    "c",
                    conv_matrix(
                        by_output(
                            by_input(w["w"], normalised(w, "1")), w["f"].ravel() * normalised(w)
                        )
                    ),
                )
            ],
        ),
        {BN, "Mul"},
    ),
}

# name: form, and the nodes that stay
KEPT: dict[str, tuple[Form, set[str]]] = {
    "an addition alone": (
        Form(IMAGE, MAP, "[c] s = Conv(x, w) y = Add(s, a)", C1 | {"a": (6, 1, 1)}, plain_conv),
        {"Add"},
    ),
    "a factor along the width": (
        Form(IMAGE, MAP, "[c] s = Conv(x, w) y = Mul(s, f)", C1 | {"f": (4,)}, plain_conv),
        {"Mul"},
    ),
    "a factor for each row": (
        Form(
            "float[4,9] x", TABLE, "[m] s = MatMul(x, w) y = Mul(s, f)", M1 | {"f": (4, 1)}, plain
        ),
        {"Mul"},
    ),
    "a factor that spreads a single output": (
        Form(ROWS, TABLE, "[m] s = MatMul(x, w) y = Mul(s, f)", {"w": (9, 1), "f": (5,)}, plain),
        {"Mul"},
    ),
    "a factor with more axes": (
        Form(
            ROWS,
            "float[A,N,M] y",
            "[m] s = MatMul(x, w) y = Mul(s, f)",
            M1 | {"f": (1, 1, 5)},
            plain,
        ),
        {"Mul"},
    ),
    "a factor in front that spreads a single channel": (
        Form(
            "float[N,1,7,6] x",
            MAP,
            "t = Mul(x, f) [c] y = Conv(t, w)",
            C1 | {"f": (4, 1, 1)},
            plain_conv,
        ),
        {"Mul"},
    ),
    "a result that is read twice": (
        Form(
            IMAGE,
            MAP,
            "[c] s = Conv(x, w) t = Mul(s, f) y = Add(s, t)",
            C1 | {"f": (6, 1, 1)},
            plain_conv,
        ),
        {"Mul", "Add"},
    ),
    "an input that is read twice": (
        Form(
            IMAGE,
            f"{MAP}, float[N,4,7,6] t",
            "t = Mul(x, f) [c] y = Conv(t, w)",
            C1 | {"f": (4, 1, 1)},
            plain_conv,
        ),
        {"Mul"},
    ),
    "division by the result": (
        Form(IMAGE, MAP, "[c] s = Conv(x, w) y = Div(f, s)", C1 | {"f": ()}, plain_conv),
        {"Div"},
    ),
    "batchnorm of a sequence's second axis": (
        Form(
            "float[N,4,9] x",
            "float[N,4,M] y",
            f"[m] s = MatMul(x, w) y = {STATE}",
            M1 | norm(4),
            plain,
        ),
        {BN},
    ),
    "a factor in another type": (
        Form(
            IMAGE,
            "double[N,C,H,W] y",
            "[c] s = Conv(x, w) r = Cast<to=11>(s) f = Constant<value = double {3.0}>() y = Mul(r, f)",
            C1,
            plain_conv,
        ),
        {"Mul"},
    ),
    "an input of another type": (
        Form(
            "double[N,4,7,6] x",
            MAP,
            "f = Constant<value = double {3.0}>() s = Mul(x, f) r = Cast<to=1>(s) [c] y = Conv(r, w)",
            C1,
            plain_conv,
        ),
        {"Mul"},
    ),
    "batchnorm behind an activation": (
        Form(IMAGE, MAP, f"[c] r = Conv(x, w) s = Relu(r) y = {STATE}", C1 | norm(6), plain_conv),
        {BN},
    ),
}


@pytest.mark.parametrize("name", FOLDED)
def test_what_surrounds_a_product_is_in_its_weights(name: str, tmp_path: Path) -> None:
    form, gone = FOLDED[name]
    network = load(form.model(), tmp_path)
    for layer, (wanted_name, wanted) in zip(
        network.layers, form.layers(form.weights()), strict=True
    ):
        assert layer.name == wanted_name
        assert difference(layer.matrices.astype(float), wanted.astype(float)) < 1e-5
    assert not gone & {node.op for node in network.digital}
    chip = patched_chip(study_of(network, perfect("8x4"), feed_sets(network)[0]))
    for feeds in feed_sets(network):
        assert_equal_results(network, chip, feeds, TOLERANCE)
        for got, wanted in zip(run(network.model, feeds), run(form.model(), feeds), strict=True):
            assert difference(got, wanted) < 1e-5
    onnx.checker.check_model(network.model, full_check=True)


@pytest.mark.parametrize("name", KEPT)
def test_what_can_not_be_in_the_weights_stays(name: str, tmp_path: Path) -> None:
    form, stay = KEPT[name]
    network = load(form.model(), tmp_path)
    ((_, wanted),) = form.layers(form.weights())
    assert difference(network.layers[0].matrices.astype(float), wanted.astype(float)) == 0
    assert stay <= {node.op for node in network.digital}
    for feeds in feed_sets(network):
        for got, result in zip(run(network.model, feeds), run(form.model(), feeds), strict=True):
            assert difference(got, result) < 1e-5


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-44])
def test_factors_that_floats_can_not_hold_stay(scale: float, tmp_path: Path) -> None:
    model = Form(ROWS, TABLE, "[m] s = MatMul(x, w) [d] y = Div(s, f)", M1, plain).model()
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(scale, np.float32), "f"))
    assert [node.name for node in load(model, tmp_path).digital] == ["d"]


MODES = Form(
    IMAGE,
    MAP,
    f"[c] r = Conv(x, w) [n] s = {BN}(r, gamma, beta, mean, var) [k] y = Mul(s, f)",
    C1 | norm(6) | {"f": (6, 1, 1)},
    plain_conv,
)


def test_the_setting_says_what_is_folded(tmp_path: Path) -> None:
    path, w = tmp_path / "model.onnx", MODES.weights()
    onnx.save(MODES.model(), path)
    factors = {"none": np.ones(6), "batchnorm": normalised(w)}
    factors["exact"] = normalised(w) * w["f"].ravel()
    for fold, left in (("none", ["n", "k"]), ("batchnorm", ["k"]), ("exact", [])):
        settings = perfect("8x4", f"mapping.fold={fold}", "calibration.samples=4")
        network = open_study(path, settings, DataOptions(limit=4)).network
        (layer,) = network.layers
        wanted = conv_matrix(by_output(w["w"], factors[fold]))
        assert difference(layer.matrices.astype(float), wanted.astype(float)) < 1e-5
        assert [node.name for node in network.digital] == left
        for feeds in feed_sets(network):
            (got,), (result,) = run(network.model, feeds), run(MODES.model(), feeds)
            assert difference(got, result) < 1e-5


def test_folding_belongs_to_the_whole_network_and_to_a_calibration(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"layers.c.mapping.fold: .* whole network"):
        load_settings(None, assignments=["layers.c.mapping.fold=none"])
    path = tmp_path / "model.onnx"
    onnx.save(MODES.model(), path)
    options = DataOptions(limit=4)
    measured = calibrate(open_study(path, perfect("8x4"), options))
    evaluate(open_study(path, perfect("8x4"), options, calibration=measured))
    with pytest.raises(InputError, match=r"mapping\.fold"):
        open_study(path, perfect("8x4", "mapping.fold=none"), options, calibration=measured)
