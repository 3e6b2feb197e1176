"""The choices that docs/concepts/model.md makes where a model leaves them open, each by its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx.parser
import pytest
from beside_twin import tensors
from chips import bare_study, foundry_of, mapped_of, nominal_hardware
from known import known

from rxsim.calibrate import InputRange
from rxsim.circuit import OperatingPoint
from rxsim.config import IV, load_settings
from rxsim.converters import ErrorMeter, adc_codes, layer_dac, range_blocks, ranged_adc
from rxsim.data import MadeUpInputs
from rxsim.devices import SeparableCurve, curve_of
from rxsim.encodings.stochastic import draw_thresholds
from rxsim.errors import SettingError
from rxsim.load import load_network
from rxsim.mapping import MappedLayer, map_layer
from rxsim.pipeline import DataOptions, Study, evaluate, open_study

MODELS = Path(__file__).parents[1] / "models"
MATMUL = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 3] x) => (float[N, 2] y)
<float[3, 2] w = {1.0, 0.0, -0.5, 0.0, 0.25, 0.0}>
{ y = MatMul(x, w) }
"""


def matmul_study(folder: Path, x: np.ndarray, *assignments: str) -> Study:
    """A network of one product, calibrated on given inputs; its second column is all zeros."""
    path = folder / "net.onnx"
    path.write_bytes(onnx.parser.parse_model(MATMUL).SerializeToString())
    network = load_network(path)
    settings = load_settings(None, xbar="4x4", assignments=assignments)
    inputs = MadeUpInputs({"x": x.astype(np.float32)})
    return bare_study(network, settings, inputs, 8)


def test_arrays_are_numbered_by_group_row_tile_column_tile_polarity() -> None:
    network = load_network(MODELS / "digits_cnn.onnx")
    settings = load_settings(None, xbar="40x20")
    layer = network.layers[1]  # 144 x 32: 4 row tiles, 2 column tiles
    mapped = map_layer(layer, settings.crossbar, settings.device, settings.mapping)
    assert mapped.n_arrays == 4 * 2 * 2
    for p in range(4):
        for q in range(2):
            for polarity in range(2):
                array = mapped.array((p * 2 + q) * 2 + polarity)
                assert array.rows[0] == p * 40
                assert array.cols[0] == q * 20
                assert array.col_signs[0] == (1, -1)[polarity]


def test_the_sign_of_inputs_follows_their_true_minimum_whatever_the_percentile(
    tmp_path: Path,
) -> None:
    x = np.full((8, 3), 1.0)
    x[0, 0] = -1e-3
    study = matmul_study(tmp_path, x, "input.percentile=50")
    found = mapped_of(study).input_ranges["y"]
    assert found.signed
    assert found.x_max == 1.0


def test_a_signed_converter_of_one_bit_is_refused(tmp_path: Path) -> None:
    x = np.array([[1.0, -1.0, 0.5]])
    study = matmul_study(tmp_path, x, "dac.n_bits=1")
    with pytest.raises(SettingError, match=r"layer y has inputs of both signs"):
        foundry_of(study)
    unsigned = matmul_study(tmp_path, np.abs(x), "dac.n_bits=1")
    foundry_of(unsigned)


def test_an_adc_that_measured_nothing_takes_the_layers_largest_range(tmp_path: Path) -> None:
    # What no output reads has any LSB but 0.
    assert ranged_adc(6, np.zeros((1, 1, 2)), np.array([True])).lsb == pytest.approx(1 / 31)
    no_wires = [f"crossbar.{name}=0" for name in ("r_wire_wl", "r_wire_bl", "r_driver", "r_sense")]
    study = matmul_study(tmp_path, np.ones((8, 3)), "adc.scope=column", *no_wires)
    adc = known(foundry_of(study).adcs[0])
    assert 0 < adc.lsb[0, 0, 0] < 1e-6
    assert adc.lsb[0, 0, 1] == adc.lsb[0, 0, 0]  # the column of zeros never carries current


def test_an_x_max_of_zero_counts_as_one(tmp_path: Path) -> None:
    study = matmul_study(tmp_path, np.zeros((8, 3)))
    assert mapped_of(study).input_ranges["y"].x_max == 1.0


def test_numbers_by_layer_come_from_at_most_500_inputs() -> None:
    settings = load_settings(None, xbar="64x64", assignments=["calibration.samples=8"])
    few = evaluate(open_study(MODELS / "digits_mlp.onnx", settings, DataOptions(limit=30)))
    many = evaluate(open_study(MODELS / "digits_mlp.onnx", settings, DataOptions(limit=520)))
    assert (few.diagnosed, many.diagnosed) == (30, 500)


def test_where_nothing_is_random_one_chip_stands_for_all_trials() -> None:
    settings = load_settings(None, assignments=["trials=3", "calibration.samples=8"])
    result = evaluate(open_study(MODELS / "digits_mlp.onnx", settings, DataOptions(limit=20)))
    assert result.deterministic
    runs = result.rung("nonideal").trials
    assert len(runs) == 3
    assert all((run.predictions == runs[0].predictions).all() for run in runs)
    random = load_settings(
        None, assignments=["trials=3", "calibration.samples=8", "device.write_sigma=0.2"]
    )
    result = evaluate(open_study(MODELS / "digits_mlp.onnx", random, DataOptions(limit=20)))
    assert not result.deterministic
    snrs = [run.mean("snr_db") for run in result.rung("nonideal").trials]
    assert len(set(snrs)) == 3


def mapped_conv(*assignments: str, xbar: str, depthwise: bool = False) -> MappedLayer:
    """The second Conv of a shipped network, 144 x 32, or a depthwise one."""
    name = "digits_dsconv" if depthwise else "digits_cnn"
    layers = load_network(MODELS / f"{name}.onnx").layers
    layer = next(one for one in layers if one.groups > 1) if depthwise else layers[1]
    own = load_settings(None, xbar=xbar, assignments=assignments)
    return map_layer(layer, own.crossbar, own.device, own.mapping)


SLICED = ("mapping.weight_bits=7", "mapping.bits_per_cell=2")


def test_of_the_arrays_of_a_tile_a_is_slice_times_polarities_plus_polarity() -> None:
    digital = mapped_conv(*SLICED, "mapping.subtract=digital", xbar="144x32")
    assert digital.n_arrays == 3 * 2
    for a in range(6):
        array = digital.array(a)
        # Readouts of output n: slice by slice, plus before minus.
        assert list(array.cols[:2]) == [a, 6 + a]


def test_adjacent_columns_go_slice_by_slice_plus_before_minus_and_references_behind() -> None:
    pair = mapped_conv(*SLICED, "mapping.layout=adjacent", xbar="144x192").array(0)
    assert list(pair.cols[:6]) == [0, 0, 1, 1, 2, 2]
    assert list(pair.col_signs[:6]) == [1, -1] * 3
    offset = ["mapping.scheme=offset", "mapping.offset_removal=reference_column"]
    array = mapped_conv(*offset, xbar="144x40").array(0)
    assert list(array.references[:32]) == [32] * 32
    assert (array.cols[32:] == -1).all()


def test_equal_parts_differ_by_one_at_most_and_the_larger_ones_come_first() -> None:
    mapped = mapped_conv("mapping.split=equal", xbar="50x30")
    assert [len(rows) for rows in mapped.row_tiles] == [48, 48, 48]
    uneven = mapped_conv("mapping.split=equal", xbar="33x30")
    assert [len(rows) for rows in uneven.row_tiles] == [29, 29, 29, 29, 28]
    assert mapped.tiling.col_tiles == ((0, 16), (16, 32))


def test_as_many_groups_as_the_diagonal_has_room_for_share_an_array() -> None:
    alone = mapped_conv(xbar="64x64", depthwise=True)
    k, n = alone.layer.n_inputs, alone.layer.n_outputs
    packed = mapped_conv("mapping.pack_groups=true", xbar=f"{3 * k + 1}x{4 * n}", depthwise=True)
    assert packed.tiling.packed == 3
    array = packed.array(0)
    rows = array.rows[: 3 * k].reshape(3, k)
    assert [list(one) for one in rows] == [list(range(g * k, (g + 1) * k)) for g in range(3)]


def test_a_tile_is_a_row_tile_group_and_column_tile_and_a_column_is_one_output_of_one_row_tile() -> (
    None
):
    slices, col_tiles = np.zeros(4, dtype=int), np.array([0, 0, 1, 1])
    present = np.ones((2, 4), dtype=bool)
    tile = range_blocks("tile", 1, 3, 2, slices, col_tiles, present)
    assert len(np.unique(tile)) == 3 * 2 * 2
    assert (tile[0, 0, :2] == tile[0, 0, 0]).all()
    column = range_blocks("column", 1, 3, 2, slices, col_tiles, present)
    assert len(np.unique(column)) == 3 * 2 * 4
    mapped = mapped_conv("mapping.w_max_scope=column", xbar="40x20")
    assert (mapped.w_max == mapped.w_max[:1]).all()  # one output of the whole layer
    assert len(np.unique(mapped.w_max)) == 32


def test_slices_and_passes_have_ranges_of_their_own_in_every_scope() -> None:
    slices = np.array([0, 1, 0, 1])
    for scope in ("layer", "tile", "column"):
        found = range_blocks(scope, 2, 1, 1, slices, np.zeros(4, dtype=int), np.ones((1, 4), bool))
        assert not set(found[0].ravel()) & set(found[1].ravel())
        assert not set(found[:, 0, ::2].ravel()) & set(found[:, 0, 1::2].ravel())


def test_single_columns_whose_inputs_have_one_sign_use_codes_from_zero() -> None:
    low, high = adc_codes(6, np.array([True, False]))
    assert (list(low), list(high)) == ([-31, 0], [31, 63])


def test_the_range_of_least_mean_square_error_is_one_of_256() -> None:
    """Against every candidate by brute force; ranges that nothing uses are 0."""
    rng = np.random.default_rng(0)
    blocks = np.array([[[0, 0, 1, -1]], [[2, 1, 2, 2]]])
    batches = [[rng.standard_normal((6, 4, 5)) ** 3 for _ in range(2)] for _ in range(3)]
    values = [
        np.abs([batch[k][:, c] for batch in batches for k, c in np.argwhere(blocks[:, 0] == one)])
        for one in range(3)
    ]
    largest = np.array([one.max() for one in values])
    meter = ErrorMeter(blocks, np.where(blocks < 0, 0, largest[blocks]), np.array([7, 7]))
    for batch in batches:
        meter.add(batch, 1)
    for one, sizes in enumerate(values):
        ranges = np.arange(1, 257) / 256 * largest[one]
        errors = [
            np.where(sizes <= r, (r / 7) ** 2 / 12, np.square(sizes - r)).sum() for r in ranges
        ]
        found = meter.ranges()[blocks == one]
        assert found == pytest.approx(np.full(found.shape, ranges[int(np.argmin(errors))]))
    assert (meter.ranges()[blocks < 0] == 0).all()


def test_random_pulses_are_drawn_once_for_each_chip_channel_and_place() -> None:
    """A threshold is the sum of a channel's and a place's number: all inputs meet the same."""
    pulses = draw_thresholds(np.random.default_rng(0), 5, (3, 4, 2), 1)
    assert (pulses.channels.shape, pulses.places.shape) == ((5, 3, 1, 1), (5, 1, 4, 2))


def test_the_share_of_an_input_offset_is_removed_by_what_perfect_hardware_would_give(
    tmp_path: Path,
) -> None:
    """So wires leave an offset that grows with them: inputs of 0 do not give 0."""
    x = np.random.default_rng(0).uniform(-1, 1, (8, 3))
    own = ["input.signed_input=offset", "crossbar.r_sense=20000", "device.n_bits=null"]
    study = matmul_study(tmp_path, x, *own)
    foundry = foundry_of(study)
    (item,) = nominal_hardware(foundry)
    rest = 32 * 0.2 / 63
    assert item.input_plan.rest_volt == pytest.approx(rest)
    # The weights of the two outputs add up to 0.75 w_max and to 0.
    span = study.settings.device.g_on - study.settings.device.g_off
    assert item.constant is not None
    assert item.constant[0] == pytest.approx(np.array([[rest * 0.75 * span, 0]]), abs=1e-12 * span)


def test_codes_of_probes_are_those_of_the_patched_graph_on_ties_too(tmp_path: Path) -> None:
    """x_max 3 and 15 steps: multiples of float32(0.1) lie on ties or just off them, as float32 says."""
    x = np.float32(0.1) * np.arange(-30, 31, dtype=np.float32)
    tall = np.stack([x, x, x], axis=1)
    study = matmul_study(tmp_path, tall * np.float32(3 / x.max()), "dac.n_bits=5")
    found = tensors(foundry_of(study).make(0).network.model, ["y/dac_codes"], tall)["y/dac_codes"]
    measured = InputRange(mapped_of(study).input_ranges["y"].x_max, True)
    assert measured.x_max == 3.0
    dac = layer_dac("y", measured, study.settings)
    assert (dac.codes(x) == found[:, 0]).all()
    assert len(set(found[:, 0])) == 31  # -15 to 15
    exact = np.abs(x.astype(np.float64) * 5 % 1 - 0.5) < 1e-6
    assert exact.sum() == 30
    assert (found[exact, 0] % 2 == 0).sum() > 20


def test_a_table_of_positive_voltages_stands_for_a_symmetric_cell() -> None:
    curve = curve_of(IV(form="table", v=(0.1, 0.3), f=(0.05, 0.4)), 0.2)
    assert isinstance(curve, SeparableCurve)
    v = np.linspace(-0.3, 0.3, 13)
    assert curve.f(-v) == pytest.approx(-curve.f(v))


def test_a_voltage_counts_as_what_its_cells_carry_at_the_operating_one() -> None:
    """u = v* f(v)/f(v*) with f = sinh(v/0.1): 0.07 counts as itself, 0.2 as 0.07 sinh(2)/sinh(0.7)."""
    at = OperatingPoint(curve_of(IV(form="sinh", v0=0.1), 0.2), 0.07)
    found = at.linear_volts(np.array([0.0, 0.07, 0.2]))
    assert found == pytest.approx([0, 0.07, 0.07 * 3.6268604078 / 0.7585837018], rel=1e-9)
