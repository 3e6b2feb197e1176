"""Technologies: totals that their sources print, shares with their scope, and files of users."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from rxsim.cost.adc_choice import adc_design, with_adc
from rxsim.cost.technology import LevelName, Status, Technology
from rxsim.cost.technology_files import named_technology, read_technology, technology_names
from rxsim.cost.totals import instances, peak, product_energy_j, totals, weights_in
from rxsim.errors import InputError

# Printed by, or derived from what is printed by: Shafiee et al., ISCA 2016; Ankit et al., ASPLOS 2019.
# Technology, level, power in W, area in mm2.
PRINTED: list[tuple[str, LevelName, float, float | None]] = [
    ("isaac", "unit", 24.08e-3, 0.0131),
    ("isaac", "tile", 330e-3, 0.372),
    ("isaac", "chip", 65.8, 85.4),
    ("puma", "unit", 19.08e-3, None),
    ("puma", "core", 42.37e-3, 0.036),
    ("puma", "tile", 373.8e-3, 0.479),
    ("puma", "chip", 62.5, 90.6),
]
# The ADC's share as sources print it, in percent: of power, of area.
SHARES: list[tuple[str, LevelName, int, int | None]] = [
    ("isaac", "unit", 66, 73),
    ("isaac", "chip", 49, None),
    ("puma", "unit", 84, None),
]


@pytest.mark.parametrize(("name", "level", "power_w", "area_mm2"), PRINTED)
def test_totals_are_the_printed_ones(
    name: str, level: LevelName, power_w: float, area_mm2: float | None
) -> None:
    whole = totals(named_technology(name), level, name)
    assert whole.power_w == pytest.approx(power_w, rel=0.01)
    assert whole.area_mm2 == (None if area_mm2 is None else pytest.approx(area_mm2, rel=0.01))
    assert whole.scope == f"a {level} of {name}"


@pytest.mark.parametrize("name", technology_names())
def test_parts_add_up_to_their_level(name: str) -> None:
    technology = named_technology(name)
    for level in technology.level_names:
        whole = totals(technology, level)
        assert sum(part.power_w or 0 for part in whole.parts) == pytest.approx(whole.power_w)
        assert sum(part.power_share or 0 for part in whole.parts) == pytest.approx(1)
        if whole.area_mm2 is not None:
            assert sum(part.area_mm2 or 0 for part in whole.parts) == pytest.approx(whole.area_mm2)


@pytest.mark.parametrize(("name", "level", "of_power", "of_area"), SHARES)
def test_the_share_of_the_adc_is_told_with_its_scope(
    name: str, level: LevelName, of_power: int, of_area: int | None
) -> None:
    whole = totals(named_technology(name), level, name)
    told = whole.shares("adc")
    assert f"{of_power} % of the power of a {level} of {name}" in told
    if of_area is not None:
        assert f"{of_area} % of the area and" in told


def test_a_product_of_puma_takes_the_printed_time_and_energy() -> None:
    puma = named_technology("puma")
    assert puma.product.time_s == pytest.approx(2304e-9)
    assert product_energy_j(puma) == pytest.approx(43.97e-9, rel=0.01)


def test_a_node_of_puma_holds_the_printed_units_and_memory() -> None:
    puma = named_technology("puma")
    assert instances(puma, "unit", "chip") == 2208
    assert weights_in(puma, "chip") * 2 / 2**20 == pytest.approx(69, rel=0.01)  # MiB of 16 bits


def test_peaks_count_two_operations_a_multiply_accumulate() -> None:
    isaac = peak(named_technology("isaac"), "chip", "isaac")
    # By hand: 168 x 12 units, each 128 x 128 weights of 16 bits in 16 passes of 100 ns.
    assert isaac.ops_per_s == pytest.approx(168 * 12 * 2 * 128 * 128 / 1.6e-6)
    assert isaac.ops_per_s == pytest.approx(41.3e12, rel=0.01)
    assert isaac.ops_per_s_mm2 == pytest.approx(479e9, rel=0.01)
    assert isaac.ops_per_s_w == pytest.approx(628e9, rel=0.01)
    assert (isaac.scope, isaac.convention) == (
        "a chip of isaac",
        "2 operations a multiply-accumulate",
    )
    assert peak(named_technology("puma"), "chip").ops_per_s == pytest.approx(31.4e12, rel=0.01)


def test_the_surveys_array_has_its_shares_with_kulls_adc_carried_by_saberi() -> None:
    """Its DACs are what these shares leave, so this watches the numbers' arithmetic."""
    array = totals(named_technology("rxnn-64"), "array", "rxnn-64")
    assert (
        array.shares("adc") == "adc: 65 % of the area and 85 % of the power of an array of rxnn-64"
    )
    power_w = 3.1e-3 * 2.379 / 1.67
    assert array.part("adc").power_w == pytest.approx(power_w)
    assert array.power_w == pytest.approx(power_w / 0.85, rel=1e-3)


def test_the_surveys_share_of_power_is_near_without_its_dacs_too() -> None:
    """Kull's ADC, carried by Saberi's model, among ISAAC's printed parts only."""
    base = named_technology("rxnn-64")
    dac = named_technology("isaac").components["dac"].model_copy(update={"rate_hz": 1.875e7})
    plain = base.model_copy(update={"components": {**base.components, "dac": dac}})
    assert totals(plain, "array").part("adc").power_share == pytest.approx(0.85, abs=0.025)


@pytest.mark.parametrize(
    ("model", "power_w"),
    # By hand: energy at 10 bits and 1.2 GS/s from the models' formulas, times the rate.
    [("saberi", 2.379e-12 * 1.2e9), ("zigzag", (1000 + 0.001 * 4**10) * 0.81e-15 * 1.2e9)],
)
def test_an_adc_model_replaces_the_technologys_adc(model: str, power_w: float) -> None:
    base = named_technology("rxnn-64")
    changed = with_adc(base, model)
    adc, was = totals(changed, "array").part("adc"), totals(base, "array")
    assert adc.power_w == pytest.approx(power_w)
    assert adc.status == "D"
    rest = (was.power_w or 0) - (was.part("adc").power_w or 0)
    assert totals(changed, "array").power_w == pytest.approx(rest + power_w)


def test_a_model_without_areas_leaves_the_area_of_the_level_unknown() -> None:
    isaac = named_technology("isaac")
    asked = replace(adc_design(isaac), column_ohm=1e4, v_read=0.2)
    whole = totals(with_adc(isaac, "neurosim", asked), "unit")
    assert (whole.area_mm2, whole.part("adc").area_mm2) == (None, None)
    assert whole.power_w is not None


def test_shipped_numbers_carry_source_node_and_status() -> None:
    for name in technology_names():
        technology = named_technology(name)
        for part in technology.components.values():
            assert part.source
            assert part.status in get_args(Status)
            assert part.node_nm == 32


def test_reconstructed_numbers_stand_only_inside_a_printed_total() -> None:
    for name in technology_names():
        technology = named_technology(name)
        doubtful = {n for n, part in technology.components.items() if part.status == "R"}
        if doubtful:
            whole = totals(technology, technology.level_names[-1])
            assert whole.printed is not None
            assert whole.printed.status == "P"
            assert doubtful <= {part.name for part in whole.parts}
            assert whole.is_reconstructed
    assert not totals(named_technology("generic-32nm"), "tile").is_reconstructed


def written(folder: Path, values: Any) -> Path:
    path = folder / "mine.yaml"
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return path


def test_a_users_file_is_laid_over_its_base(tmp_path: Path) -> None:
    adc = {"energy_j": 1e-12, "source": "my chip", "status": "P"}
    levels = {"unit": {"parts": {"shift_add": None}}, "tile": {"holds": 6}}
    path = written(tmp_path, {"base": "isaac", "components": {"adc": adc}, "levels": levels})
    mine, isaac = read_technology(path), named_technology("isaac")
    unit, before = totals(mine, "unit"), totals(isaac, "unit")
    # Eight ADCs of 1 pJ at 1.2 GS/s in place of 2 mW, and no shift-and-adds of .05 mW in the unit.
    change = 8 * (1.2e-3 - 2e-3) - 4 * 5e-5
    assert unit.power_w == pytest.approx((before.power_w or 0) + change)
    assert instances(mine, "unit", "tile") == 6
    assert totals(mine, "chip").printed is None
    assert read_technology("isaac") is isaac


def test_a_users_file_without_a_base_is_a_whole_technology(tmp_path: Path) -> None:
    text = yaml.safe_dump(named_technology("puma").model_dump(mode="json"))
    assert read_technology(written(tmp_path, text)) == named_technology("puma")


def changed_adc(**entries: Any) -> dict[str, Any]:
    return {"base": "isaac", "components": {"adc": {"source": "s", "status": "P", **entries}}}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (changed_adc(energy_j="much"), "components.adc.energy_j: found 'much', expected a number"),
        (changed_adc(energy_j=-1), "components.adc.energy_j: found -1, expected 0 or above"),
        (changed_adc(area_mm2=".inf"), "components.adc.area_mm2: found '.inf', expected a number"),
        (changed_adc(energy_j=float("nan")), "components.adc.energy_j: found nan, expected"),
        (
            changed_adc(status="guess"),
            "components.adc.status: found 'guess', expected 'P', 'D' or 'R'",
        ),
        (changed_adc(energi=1), "components.adc: found the key 'energi', expected one of"),
        (
            changed_adc(energy_j=1e-12, power_w=1),
            "components.adc: found energy_j x rate_hz of 0.0012 W",
        ),
        (
            changed_adc(area_within="chips"),
            "components.adc.area_within: found 'chips', expected one of",
        ),
        (
            {"base": "isaac", "components": {"adc": {"power_w": 1}}},
            "components.adc: found a new power_w",
        ),
        (
            {"base": "puma", "components": {"adc": {"power_w": 1, "source": "s", "status": "P"}}},
            "components.adc.power_w: found a new number, but those below it are of 8 together",
        ),
        (
            {"base": "isaac", "components": {"adc": None}},
            "levels.array.parts: found 'adc', expected",
        ),
        (
            {"base": "isaac", "components": {"adc": 3}},
            "components.adc: found 3, expected a mapping",
        ),
        ({"base": "isaac", "components": 3}, "components: found 3, expected a mapping"),
        (
            {"base": "isaac", "levels": {"room": {"holds": 1}}},
            "levels.room: found 'room', expected",
        ),
        (
            {"base": "isaac", "levels": {"tile": {"holds": 0}}},
            "levels.tile.holds: found 0, expected",
        ),
        ({"base": "isaac", "levels": {"core": {}}}, "levels.core.holds is missing"),
        (
            {"base": "isaac", "levels": {"array": {"holds": 2}}},
            "levels.array.holds: found a number",
        ),
        (
            {"base": "isaac", "levels": {"unit": {"parts": {"x": 1}}}},
            "levels.unit.parts: found 'x'",
        ),
        (
            {"base": "isaac", "product": {"stage_s": 0, "source": "s", "status": "P"}},
            "product.stage_s: found 0, expected a number",
        ),
        (
            {"base": "isaac", "carried_by": "magic"},
            "carried_by: found 'magic', expected 'andrulis'",
        ),
        (
            {"base": "puma", "components": {"adc": {"status": "P"}}},
            "components.adc: found a new status, expected its source beside it; add it",
        ),
        (
            {"base": "puma", "components": {"adc": {"source": "my chip"}}},
            "components.adc: found a new source, expected its status beside it; add it",
        ),
        (
            {"base": "puma", "components": {"adc": {"area_within": "tile_rest"}}},
            "components.adc: found a new area_within, expected its source and status beside it; add",
        ),
        (
            {"base": "puma", "components": {"adc": {"status": "P", "source": None}}},
            "components.adc: found a new status, expected its source beside it; add it",
        ),
        (
            {"base": "puma", "product": {"stage_s": 1e-9, "stages": 1}},
            "product: found a new stage_s, expected its source and status beside it; add both",
        ),
        (
            {"base": "rxnn-64", "product": {"status": "P"}},
            "product: found a new status, expected its source beside it; add it",
        ),
        (
            {"base": "puma", "instructions": {"cycles": {"alu": 1}}},
            "instructions: found a new cycles, expected its source and status beside it; add both",
        ),
        (
            {"base": "puma", "levels": {"chip": {"printed": {"power_w": 1}}}},
            "levels.chip.printed.source is missing",
        ),
        ({"base": "isac"}, "base: found 'isac', expected a technology's name"),
        ({"base": 3}, "base: found 3, expected a technology's name"),
        ({"base": "isaac", "levls": {}}, "found the key 'levls', expected one of"),
        ({}, "is missing; add it"),
        ("- 1", "holds a list, expected a mapping"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_a_bad_file_gets_a_sentence_with_the_path_of_the_entry(
    tmp_path: Path, values: Any, sentence: str
) -> None:
    path = written(tmp_path, values)
    with pytest.raises(InputError) as caught:
        read_technology(path)
    message = str(caught.value)
    assert sentence in message
    assert "technology file" in message
    assert "\n" not in message


def test_what_says_nothing_new_needs_no_source(tmp_path: Path) -> None:
    same = {"adc": {"about": "my ADC", "power_w": 0.016, "together": 8}}
    cycles = {"cycles": {"alu": 128}, "lanes": 128}
    path = written(tmp_path, {"base": "puma", "components": same, "instructions": cycles})
    puma, mine = named_technology("puma"), read_technology(path)
    assert mine.adc == puma.adc.model_copy(update={"about": "my ADC"})
    assert mine.instructions == puma.instructions


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    isaac = named_technology("isaac")
    with pytest.raises(InputError, match="did you mean isaac"):
        read_technology("isac")
    with pytest.raises(InputError, match="can't be read"):
        read_technology(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="found 'core', expected one of array, unit, tile, chip"):
        totals(isaac, "core")
    with pytest.raises(InputError, match="swap them"):
        instances(isaac, "chip", "unit")
    with pytest.raises(InputError, match="found 'x', expected one of"):
        totals(isaac, "unit").part("x")


def test_two_adcs_are_refused() -> None:
    values: dict[str, Any] = named_technology("isaac").model_dump()
    values["components"]["more"] = values["components"]["adc"]
    with pytest.raises(ValueError, match="found 2 with the action 'conversion', expected one"):
        Technology.model_validate(values)
