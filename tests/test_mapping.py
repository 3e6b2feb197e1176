"""Where weights lie on arrays, and with what conductance: against loops written out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rxsim.config import Crossbar, Device, Mapping
from rxsim.load.layers import find_layers
from rxsim.mapping import map_layer

G_ON, G_OFF = 5e-5, 1e-6
DEVICE = Device(g_on=G_ON, g_off=G_OFF)


def conv_layer(weight: np.ndarray, group: int = 1) -> Any:
    """Build the one layer of a network that is a single Conv."""
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], "conv", group=group)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", None, None, None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", None, None, None])],
        [numpy_helper.from_array(weight.astype(np.float32), "w")],
    )
    model: onnx.ModelProto = helper.make_model(graph)
    return find_layers(model)[0][0]


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def placed(mapped: Any) -> dict[tuple[int, int, int], list[float]]:
    """Collect, for each (group, k, n), g_plus and g_minus as the arrays' own maps say."""
    layer = mapped.layer
    found: dict[tuple[int, int, int], list[float]] = {}
    for index in range(mapped.n_arrays):
        array = mapped.array(index)
        for r, row in enumerate(array.rows):
            for c, col in enumerate(array.cols):
                if row < 0 or col < 0:
                    continue
                key = (row // layer.n_inputs, row % layer.n_inputs, col % layer.n_outputs)
                assert col // layer.n_outputs == row // layer.n_inputs
                side = 0 if array.col_signs[c] > 0 else 1
                found.setdefault(key, [np.nan, np.nan])[side] = array.target[r, c]
    return found


@pytest.mark.parametrize("row_order", ["channel_major", "kernel_major"])
@pytest.mark.parametrize(
    ("group", "shape"), [(1, (7, 3, 3, 2)), (3, (6, 2, 3, 3)), (4, (4, 1, 3, 3))]
)
def test_every_weight_lies_on_one_pair_with_the_conductance_of_its_share(
    group: int, shape: tuple[int, int, int, int], row_order: str
) -> None:
    w = weights(*shape)
    layer = conv_layer(w, group)
    mapped = map_layer(layer, Crossbar(rows=8, cols=3), DEVICE, Mapping(row_order=row_order))
    found = placed(mapped)
    w_max = np.abs(w).max()
    outputs = shape[0] // group
    assert len(found) == w.size
    for (g, k, n), (plus, minus) in found.items():
        channel, row, column = np.unravel_index(k, shape[1:])
        value = w[g * outputs + n, channel, row, column]
        assert plus == pytest.approx(G_OFF + max(value, 0) / w_max * (G_ON - G_OFF), rel=1e-6)
        assert minus == pytest.approx(G_OFF + max(-value, 0) / w_max * (G_ON - G_OFF), rel=1e-6)


def test_weights_fill_an_array_from_its_first_row_and_column_and_the_rest_rests_at_g_off() -> None:
    layer = conv_layer(weights(5, 3, 2, 2))  # K = 12, N = 5
    mapped = map_layer(layer, Crossbar(rows=8, cols=4), DEVICE, Mapping())
    assert mapped.n_arrays == 2 * 2 * 2
    last = mapped.array(mapped.n_arrays - 1)  # p = 1, q = 1, minus: 4 rows, 1 column
    assert last.rows.tolist() == [8, 9, 10, 11, -1, -1, -1, -1]
    assert last.cols.tolist() == [4, -1, -1, -1]
    assert last.col_signs[0] == -1
    unused = np.ones((8, 4), dtype=bool)
    unused[:4, :1] = False
    assert (last.target[unused] == G_OFF).all()
    assert not last.blank.any()
    assert mapped.tiling.utilisation == pytest.approx(2 * 60 / (8 * 32))


def test_unused_cells_can_be_open() -> None:
    layer = conv_layer(weights(5, 3, 2, 2))
    mapped = map_layer(layer, Crossbar(rows=8, cols=4), DEVICE, Mapping(unused_cells="open"))
    array = mapped.array(7)
    assert array.blank.sum() == 32 - 4
    assert (array.target[array.blank] == 0).all()
    assert (array.target[~array.blank] >= G_OFF).all()


def test_kernel_major_puts_the_kernel_position_first() -> None:
    layer = conv_layer(weights(2, 3, 2, 2))  # k = channel * 4 + position
    mapped = map_layer(layer, Crossbar(rows=64, cols=64), DEVICE, Mapping(row_order="kernel_major"))
    assert mapped.row_tiles[0].tolist() == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]


def test_w_max_is_that_of_its_scope() -> None:
    w = weights(5, 3, 2, 2)
    layer = conv_layer(w)
    matrix = np.abs(w.reshape(5, 12).T)
    bar = Crossbar(rows=8, cols=4)

    def scale(scope: str) -> np.ndarray:
        return map_layer(layer, bar, DEVICE, Mapping(w_max_scope=scope)).w_max[:, 0]

    assert scale("layer") == pytest.approx(np.full((2, 5), matrix.max()))
    assert scale("column") == pytest.approx(np.stack([matrix.max(axis=0)] * 2))
    tile = scale("tile")
    assert tile[0, 0] == pytest.approx(matrix[:8, :4].max())
    assert tile[0, 4] == pytest.approx(matrix[:8, 4:].max())
    assert tile[1, 3] == pytest.approx(matrix[8:, :4].max())


def test_a_percentile_clips_the_largest_weights() -> None:
    w = weights(8, 4, 3, 3)
    mapped = map_layer(conv_layer(w), Crossbar(), DEVICE, Mapping(w_percentile=90))
    w_max = np.percentile(np.abs(w.astype(np.float64)), 90)
    assert mapped.w_max[0, 0, 0] == pytest.approx(w_max)
    top = max(mapped.array(0).target.max(), mapped.array(1).target.max())
    assert top == pytest.approx(G_ON, rel=1e-12)


def test_a_layer_or_column_of_zeros_has_a_scale_of_one() -> None:
    w = weights(4, 2, 2, 2)
    w[1] = 0
    by_column = map_layer(conv_layer(w), Crossbar(), DEVICE, Mapping(w_max_scope="column"))
    assert by_column.w_max[0, 0, 1] == 1
    whole = map_layer(conv_layer(np.zeros_like(w)), Crossbar(), DEVICE, Mapping())
    assert (whole.w_max == 1).all()
    assert (whole.array(0).target == G_OFF).all()
