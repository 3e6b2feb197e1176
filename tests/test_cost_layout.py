"""Where networks lie on chips, and what moves between these, against loops over arrays and by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from plain_counts import arrays_of
from recurrent_models import recurrent_model
from small_networks import network

from rxsim.cli import root
from rxsim.config import Settings
from rxsim.cost.price.filled import weight_bytes
from rxsim.cost.price.layout import Layout
from rxsim.cost.price.network import NetworkCost
from rxsim.cost.technology_files import read_technology
from rxsim.cost.totals import instances
from rxsim.load import load_network
from rxsim.pipeline import network_cost

MODEL = Path(__file__).parents[1] / "models" / "digits_mlp.onnx"
BITS = 6


def file_of(folder: Path, text: str) -> Path:
    file = folder / "small.yaml"
    file.write_text(f"base: isaac\n{text}")
    return file


def levels(unit: int, tile: int, chip: int) -> str:
    held = f"unit: {{holds: {unit}}}, tile: {{holds: {tile}}}, chip: {{holds: {chip}}}"
    return f"levels: {{{held}}}\n"


def cost_of(
    model: onnx.ModelProto, shape: tuple[int, ...], technology: Path | str, **more: Any
) -> NetworkCost:
    cost = {"technology": str(technology), "array_energy": "technology"}
    given = {"crossbar": {"rows": 8, "cols": 8}, "cost": cost, "adc": {"n_bits": 8}, **more}
    name = model.graph.input[0].name
    return network_cost(load_network(model), Settings.model_validate(given), {name: shape})


def layout_of(cost: NetworkCost) -> Layout:
    assert cost.layout is not None
    return cost.layout


@pytest.mark.parametrize(
    ("name", "units", "mib"), [("puma", 2208, 69), ("isaac", 2016, 63)], ids=["puma", "isaac"]
)
def test_a_chip_holds_what_its_source_says(name: str, units: int, mib: int) -> None:
    """138 tiles of 8 cores of 2 units; 8 arrays of 128 x 128 cells of 2 bits in each: 69 MB."""
    technology = read_technology(name)
    assert instances(technology, "unit", "chip") == units
    assert weight_bytes(technology, "chip") == units * 8 * 128 * 128 * 2 / 8 == mib * 2**20


@dataclass
class Drawn:
    """A network by its operators: what each takes, and the columns of products."""

    ops: list[tuple[str, list[str]]] = field(default_factory=list)
    widths: dict[str, int] = field(default_factory=lambda: {"x": 12})

    @property
    def model(self) -> onnx.ModelProto:
        text, weights = "", {}
        for number, (op, taken) in enumerate(self.ops):
            made = f"t{number}"
            if op == "Gemm":
                rng = np.random.default_rng(number)
                weights[f"w{number}"] = rng.standard_normal(
                    (self.widths[taken[0]], self.widths[made])
                )
                text += f"[n{number}] {made} = Gemm({taken[0]}, w{number})\n"
            else:
                text += f"[n{number}] {made} = {op}({', '.join(taken)})\n"
        last = f"t{len(self.ops) - 1}"
        return network(f"{text} [last] y = Identity({last})", (12,), weights)


@st.composite
def networks(draw: st.DrawFn) -> Drawn:
    """Draw a network of products, activations and sums of earlier tensors."""
    drawn = Drawn()
    for number in range(draw(st.integers(2, 9))):
        before = list(drawn.widths)
        op = draw(st.sampled_from(["Gemm", "Gemm", "Relu", "Add"]))
        first = draw(st.sampled_from(before[-3:]))
        taken, width = [first], drawn.widths[first]
        if op == "Gemm":
            width = draw(st.integers(1, 20))
        if op == "Add":
            taken.append(draw(st.sampled_from([n for n in before if drawn.widths[n] == width])))
        drawn.ops.append((op, taken))
        drawn.widths[f"t{number}"] = width
    if all(op != "Gemm" for op, _ in drawn.ops):
        drawn.ops[0] = ("Gemm", ["x"])
        drawn.widths["t0"] = 12
        drawn.ops[1:] = [("Relu", [f"t{k - 1}"]) for k in range(1, len(drawn.ops))]
        drawn.widths |= {f"t{k}": 12 for k in range(1, len(drawn.ops))}
    return drawn


def plain_traffic(
    drawn: Drawn, cost: NetworkCost, chosen: dict[str, Any], unit: int, together: int
) -> dict[str, Any]:
    """Go through the operators one by one, and through every array of each."""
    where: dict[str, set[int]] = {"x": {0}}
    found: dict[str, Any] = {"activation": {}, "sums": {}, "digital": 0, "spans": {}}
    next_unit = 0
    for number, (op, taken) in enumerate(drawn.ops):
        made = f"t{number}"
        if op == "Gemm":
            layer = next(each for each in cost.layers if each.name == f"n{number}")
            shape = (1, drawn.widths[taken[0]], drawn.widths[made])
            arrays, _, _ = arrays_of(np.ones(shape), 1, chosen)
            chips, senders = set(), 0
            for copy in range(layer.replicas):
                of_output: dict[tuple[int, int], list[int]] = {}
                for index, array in enumerate(arrays):
                    chip = (next_unit + index // unit) // together
                    chips.add(chip)
                    if copy == 0 and index == 0:
                        home = chip
                    is_minus = all(side == 1 for _, side in array.kinds)
                    if chosen["mapping"]["subtract"] == "digital" or not is_minus:
                        for output in array.outputs:
                            of_output.setdefault(output, []).append(chip)
                if copy == 0:  # a single position: the first copy has it
                    senders = sum(len(set(of)) - 1 for of in of_output.values())
                next_unit += -(-len(arrays) // unit)
            moved = [chip for chip in chips if chip not in where[taken[0]]]
            found["activation"][layer.name] = len(moved) * drawn.widths[taken[0]] * BITS
            found["sums"][layer.name] = senders * layer.counts.sum_bits
            found["spans"][layer.name] = (min(chips), max(chips))
            where[taken[0]] |= chips
            where[made] = {home}
            continue
        best = None
        for chip in sorted(set.union(*(where[name] for name in taken)), reverse=True):
            brought = sum(
                drawn.widths[name] * BITS for name in set(taken) if chip not in where[name]
            )
            if best is None or brought < best[0]:
                best = brought, chip
        assert best is not None
        found["digital"] += best[0]
        for name in taken:
            where[name].add(best[1])
        where[made] = {best[1]}
    found["used"] = -(-next_unit // together)
    return found


@settings(max_examples=40, deadline=None)
@given(
    networks(),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    st.sampled_from(["analog", "digital"]),
)
def test_traffic_is_that_of_a_loop_over_arrays(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: Drawn,
    unit: int,
    tile: int,
    chip: int,
    subtract: str,
) -> None:
    file = file_of(tmp_path_factory.mktemp("t"), levels(unit, tile, chip))
    mapping = {"subtract": subtract}
    cost = cost_of(drawn.model, (1, 12), file, mapping=mapping)
    layout = layout_of(cost)
    chosen = Settings.model_validate({"crossbar": {"rows": 8, "cols": 8}, "mapping": mapping})
    for level, together in zip(layout.levels, (tile, tile * chip), strict=True):
        plain = plain_traffic(drawn, cost, chosen.model_dump(), unit, together)
        assert level.layer_bits == plain["activation"]
        assert level.partial_sum_bits == plain["sums"]
        assert level.digital_bits == plain["digital"]
        assert level.used == plain["used"]
        assert level.unknown == ()
        for placed in layout.layers:
            assert placed.spans[level.name] == plain["spans"][placed.name]
        told = level.as_json()
        parts = ("activation_bits", "partial_sum_bits", "digital_bits")
        assert told["bits"] == sum(told[part] for part in parts)


def test_a_residual_block_by_hand(tmp_path: Path) -> None:
    """Three products of 8 x 8 on a chip each, and two sums that take an earlier tensor."""
    rng = np.random.default_rng(0)
    text = """
        [a] h = Gemm(x, u) [r] k = Relu(h)
        [b] m = Gemm(k, v) [s] n = Add(k, m)
        [c] p = Gemm(n, w) [t] y = Add(k, p)
    """
    weights = {name: rng.standard_normal((8, 8)) for name in "uvw"}
    cost = cost_of(network(text, (8,), weights), (1, 8), file_of(tmp_path, levels(2, 1, 1)))
    layout = layout_of(cost)
    chip = layout.outermost
    assert [placed.spans["chip"] for placed in layout.layers] == [(0, 0), (1, 1), (2, 2)]
    # k to chip 1 for b, where s runs; n to chip 2 for c; k to chip 2 for t.
    assert chip.layer_bits == {"a": 0, "b": 8 * BITS, "c": 8 * BITS}
    assert chip.digital_bits == 8 * BITS
    assert set(chip.partial_sum_bits.values()) == {0}
    assert (layout.units, chip.used) == (3, 3)
    # 16 bits a weight in isaac; a chip of two arrays of 128 x 128 cells of 2 bits.
    assert (layout.weight_bytes, layout.holds_bytes) == (3 * 64 * 2, 2 * 128 * 128 * 2 / 8)


def test_copies_share_positions_and_each_send_sums(tmp_path: Path) -> None:
    """A convolution of 16 rows at 9 places: two row tiles on a chip each, 3 copies of 3 places."""
    weights = {"w": np.random.default_rng(0).standard_normal((2, 4, 2, 2))}
    model = network("[c] y = Conv(x, w)", (4, 4, 4), weights)
    file = file_of(tmp_path, levels(2, 1, 1))
    cost = {"technology": str(file), "array_energy": "technology", "replicate": {"balance": 12}}
    layout = layout_of(cost_of(model, (1, 4, 4, 4), file, cost=cost))
    assert (layout.units, layout.outermost.used) == (6, 6)
    (placed,) = layout.layers
    assert placed.spans["chip"] == (0, 5)
    sent = layout.outermost
    assert sent.layer_bits == {"c": 5 * 64 * BITS}
    # 8 bits, pairs in analog, two row tiles.
    assert sent.partial_sum_bits == {"c": 9 * 2 * (8 + 1)}


def test_an_lstm_sends_its_gates_and_no_state(tmp_path: Path) -> None:
    """7 steps, 6 units: W x on chip 0, the recurrent product with all states and gates on chip 1.

    The states of the first step are one tensor of 6 zeros, which is made from X on chip 0.
    """
    model = recurrent_model("LSTM", inputs=5, hidden=6, outputs=("Y",))
    file = file_of(tmp_path, levels(8, 1, 1))
    crossbar = {"rows": 4, "cols": 16}
    layout = layout_of(cost_of(model, (7, 1, 5), file, crossbar=crossbar))
    assert [placed.spans["chip"] for placed in layout.layers] == [(0, 0), (1, 1)]
    assert layout.outermost.as_json() | {"holds_units": 1} == {
        **{"name": "chip", "holds_units": 1, "used": 2, "unknown": []},
        **{"bits": (7 * 24 + 6) * BITS, "digital_bits": (7 * 24 + 6) * BITS},
        **{"activation_bits": 0, "partial_sum_bits": 0},
    }


def test_branches_and_loops_are_gone_through(tmp_path: Path) -> None:
    """Products on chip 0, in a branch on chip 1, in a loop on chip 2, where its state stays."""
    rng = np.random.default_rng(3)
    text = """
        [a] h = Gemm(x, u)
        [l] top = ReduceMax<keepdims = 0>(h)
        [g] is_high = Greater(top, zero)
        [i] m = If (is_high) <
            then_branch = one () => (float[1, 8] p) { [b] p = Gemm(h, v) },
            else_branch = two () => (float[1, 8] q) { [r] q = Relu(h) }
        >
        [c] y = Loop (three, go, m) <
            body = step (int64 number, bool on, float[1, 8] s) => (bool off, float[1, 8] t) {
                [e] off = Identity(on) [d] t = Gemm(s, w)
            }
        >
    """
    weights = {name: rng.standard_normal((8, 8)) for name in "uvw"}
    model = network(text, (8,), {**weights, "zero": 0.0})
    for name, value in (("three", np.array(3)), ("go", np.array(True))):
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    layout = layout_of(cost_of(model, (1, 8), file_of(tmp_path, levels(2, 1, 1))))
    assert [placed.name for placed in layout.layers] == ["a", "b", "d"]
    # h goes to the branch, where the other branch runs too, and what comes out to the first step.
    told = layout.outermost
    assert told.layer_bits == {"a": 0, "b": 8 * BITS, "d": 0}
    assert told.digital_bits == 8 * BITS
    assert told.unknown == ()


def test_layers_on_the_same_arrays_lie_at_the_same_place(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    weights = {"w": rng.standard_normal((8, 8)), "v": rng.standard_normal((8, 8))}
    text = "[a] h = Gemm(x, w) [b] k = Gemm(h, v) [c] y = Gemm(k, w)"
    cost = cost_of(network(text, (8,), weights), (1, 8), file_of(tmp_path, levels(2, 1, 1)))
    layout = layout_of(cost)
    assert [placed.first_unit for placed in layout.layers] == [0, 1, 0]
    assert layout.outermost.layer_bits == {"a": 0, "b": 8 * BITS, "c": 8 * BITS}
    assert (layout.units, layout.weight_bytes) == (2, 2 * 64 * 2)


def test_a_link_is_priced_by_bits_where_these_are_stated(tmp_path: Path) -> None:
    """4 pJ for 32 bits: three chips move 8 values of 6 bits to the second and the third each."""
    rng = np.random.default_rng(2)
    weights = {name: rng.standard_normal((8, 8)) for name in "uvw"}
    text = "[a] h = Gemm(x, u) [b] k = Gemm(h, v) [c] m = Gemm(k, w) [s] y = Add(m, h)"
    model = network(text, (8,), weights)
    by_power = cost_of(model, (1, 8), file_of(tmp_path, levels(2, 1, 1)))
    link = "components: {link: {energy_j: 4.0e-12, bits: 32, source: test, status: P}}\n"
    by_bits = cost_of(model, (1, 8), file_of(tmp_path, levels(2, 1, 1) + link))
    of_power, of_bits = (
        next(each for each in cost.components if each.name == "link")
        for cost in (by_power, by_bits)
    )
    # h and k to the next chip, and h to the third, where the sum is formed.
    assert of_bits.actions == pytest.approx(3 * 8 * BITS / 32)
    assert of_bits.energy_j == pytest.approx(3 * 8 * BITS / 32 * 4e-12, rel=1e-12)
    assert (of_bits.basis, of_power.basis) == ("action", "power")
    # Three chips of one unit each, each in use for its layer alone.
    assert of_power.energy_j == pytest.approx(10.4 * by_power.latency_s, rel=1e-12)
    assert of_bits.area_mm2 == of_power.area_mm2


def test_without_levels_around_arrays_nothing_is_laid_out() -> None:
    model = network("[a] y = Gemm(x, w)", (8,), {"w": np.eye(8) + 1})
    told = cost_of(model, (1, 8), "rxnn-64").as_json()
    assert told["layout"] is None


def test_the_command_says_what_fits(tmp_path: Path) -> None:
    words = ["cost", str(MODEL), "--array-energy=technology", "-q", "--xbar=128x128"]
    shown = CliRunner().invoke(root, [*words, "--technology=puma"])
    assert "Fits 1 of puma's chips: 3 of 2,208 units" in shown.output
    assert "of 69 MiB of 16-bit weights" in shown.output
    file = file_of(tmp_path, levels(2, 1, 1))
    shown = CliRunner().invoke(root, [*words, f"--technology={file}"])
    assert f"Lies on 3 of {file}'s chips: 3 of 3 units" in shown.output
    assert "between chips" in shown.output
