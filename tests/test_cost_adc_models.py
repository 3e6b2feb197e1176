"""ADC models to the digits that their sources print, their ranges and spread; scaling between nodes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rxsim.cost.adc import ADC_MODELS, AdcDesign, conversion, spread
from rxsim.cost.adc_choice import adc_design, with_adc
from rxsim.cost.adc_models.zigzag import dac_energy_j
from rxsim.cost.scaling import area_factor, delay_ratio, energy_ratio, scaled
from rxsim.cost.technology_files import named_technology
from rxsim.cost.totals import totals
from rxsim.errors import InputError


def design(bits: int, rate_hz: float = 1.2e9, node_nm: float = 32, **more: float) -> AdcDesign:
    return AdcDesign(
        bits=bits,
        rate_hz=rate_hz,
        node_nm=node_nm,
        rows=int(more.get("rows", 128)),
        column_ohm=more.get("column_ohm"),
        v_read=more.get("v_read"),
    )


@pytest.mark.parametrize(
    ("bits", "rate_hz", "energy_pj", "area_um2"),
    [
        (4, 1e8, "0.92", "3274"),
        (6, 1e8, "1.07", "3417"),
        (8, 1e8, "1.71", "3939"),
        (10, 1e8, "3.31", "4796"),
        (12, 1e8, "29.1", "9185"),
        (8, 1.28e9, "1.93", "6469"),
        (10, 1.28e9, "16.4", "12275"),
    ],
)
def test_andrulis_has_the_printed_digits(
    bits: int, rate_hz: float, energy_pj: str, area_um2: str
) -> None:
    cost = conversion("andrulis", design(bits, rate_hz))
    digits = len(energy_pj.partition(".")[2])
    assert f"{cost.energy_j * 1e12:.{digits}f}" == energy_pj
    assert f"{(cost.area_mm2 or 0) * 1e6:.0f}" == area_um2


@pytest.mark.parametrize(
    ("bits", "energy_pj", "area_um2"),
    [
        *[(4, 0.79, 361), (5, 0.99, 477), (6, 1.20, 627), (7, 1.42, 845)],
        *[(8, 1.67, 1200), (9, 1.969, 1828), (10, 2.379, 3002)],
    ],
)
def test_saberi_has_the_printed_table(bits: int, energy_pj: float, area_um2: float) -> None:
    cost = conversion("saberi", design(bits))
    assert cost.energy_j == pytest.approx(energy_pj * 1e-12)
    assert cost.area_mm2 == pytest.approx(area_um2 * 1e-6)


def test_kull_is_3_1_mw_at_1_2_gs_and_agrees_with_its_technology() -> None:
    cost = conversion("kull", design(8))
    assert f"{cost.energy_j * 1e12:.2f}" == "2.58"
    generic = named_technology("generic-32nm").adc
    assert (cost.energy_j, cost.area_mm2) == (generic.energy_of_action_j, generic.area_mm2)


def test_saberis_8_bits_are_isaacs_adc() -> None:
    isaac = conversion("table", adc_design(named_technology("isaac")))
    assert f"{isaac.energy_j * 1e12:.3f}" == "1.667"
    saberi = conversion("saberi", design(8))
    assert saberi.energy_j == pytest.approx(isaac.energy_j, rel=0.005)  # it prints three digits
    assert saberi.area_mm2 == pytest.approx(isaac.area_mm2)


def test_zigzag_by_hand() -> None:
    cost = conversion("zigzag", design(8, rows=64))
    assert cost.energy_j == pytest.approx((800 + 65.536) * 0.81e-15)
    assert cost.area_mm2 == pytest.approx(256 * 10**0.9108 * 1e-6)
    assert cost.time_s == pytest.approx(8 * (0.41792 + 0.640) * 1e-9)
    assert cost.node_nm == 28
    assert dac_energy_j(6) == pytest.approx(243e-15)


def test_neurosim_by_hand() -> None:
    cost = conversion("neurosim", design(8, column_ohm=4e4, v_read=0.2))
    column = 0.079449 * math.exp(-2.297 * 5)  # log10(4e4 / 2 / .2) is 5
    assert cost.energy_j == pytest.approx(((1.1294 * 8 + 8.8998) * 1e-6 + column) * 9e-9)
    assert cost.time_s == pytest.approx(9e-9)
    assert cost.area_mm2 is None
    older = conversion("neurosim", design(8, node_nm=130, column_ohm=4e4, v_read=0.2))
    assert older.energy_j > cost.energy_j


def test_models_differ_3_7_times_at_8_bits_and_10_times_at_10() -> None:
    assert f"{spread(design(8)).energy_ratio:.1f}" == "3.7"
    assert f"{spread(design(10, 1.28e9)).energy_ratio:.0f}" == "10"


def test_the_spread_says_why_a_model_is_left_out() -> None:
    of_ten = spread(design(10))
    assert set(of_ten.conversions) == {"andrulis", "saberi", "zigzag"}
    assert set(of_ten.left_out) == {"kull", "neurosim", "table"}
    assert "expected 8" in of_ten.left_out["kull"]
    assert (of_ten.area_ratio or 0) > 1
    with_column = spread(design(8, column_ohm=1e5, v_read=0.2))
    assert "neurosim" in with_column.conversions
    assert spread(design(8), ["kull"]).energy_ratio is None


def test_the_table_carries_by_the_named_model_only() -> None:
    stated = named_technology("isaac").adc
    asked = replace(design(10), stated=stated)
    carried = conversion("table", replace(asked, carried_by="saberi"))
    assert carried.energy_j == pytest.approx(2e-3 / 1.2e9 * 2.379 / 1.67)
    assert carried.area_mm2 == pytest.approx(0.0012 * 3002 / 1200)
    with pytest.raises(InputError, match="found 10 bits, expected 8"):
        conversion("table", asked)
    with pytest.raises(InputError, match="expected 8; choose others"):
        conversion("table", replace(asked, carried_by="kull"))
    both = replace(asked, column_ohm=1e4, v_read=0.2)
    with pytest.raises(InputError, match="expected a model that gives areas"):
        conversion("table", replace(both, carried_by="neurosim"))


@pytest.mark.parametrize(
    ("model", "asked", "sentence"),
    [
        ("andrulis", design(3), "found 3 bits, expected 4 to 12"),
        ("andrulis", design(13), "found 13 bits, expected 4 to 12"),
        ("andrulis", design(8, node_nm=180), "found a node of 180 nm, expected 7 to 130 nm"),
        ("andrulis", design(8, rate_hz=0), "found 0 conversions a second"),
        ("andrulis", design(8, rate_hz=math.nan), "found nan conversions a second"),
        ("saberi", design(11), "found 11 bits, expected 4 to 10"),
        ("zigzag", design(12), "found 12 bits, expected 4 to 11"),
        ("kull", design(6), "found 6 bits, expected 8;"),
        (
            "neurosim",
            design(8, column_ohm=1e4, v_read=0.2, node_nm=28),
            "expected one of 32, 130 nm",
        ),
        ("neurosim", design(8, column_ohm=1e4), "found no column resistance and read voltage"),
        ("neurosim", design(8, column_ohm=-1e4, v_read=0.2), "found a column of -10000 ohm"),
        ("table", design(8), "found no energy of a conversion"),
        ("magic", design(8), "expected one of andrulis, kull, neurosim, saberi, table, zigzag"),
    ],
)
def test_a_design_outside_a_models_range_is_refused(
    model: str, asked: AdcDesign, sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        conversion(model, asked)
    assert sentence in str(caught.value)


def test_every_model_names_its_source() -> None:
    assert all(model.source for model in ADC_MODELS.all().values())


# Source: Stillmaker and Baas 2017: area from 32 nm.
AREAS = {130: 14, 90: 6.1, 65: 3.3, 45: 2.2, 20: 0.46, 16: 0.41, 14: 0.38, 10: 0.22, 7: 0.13}
# Likewise: energy's coefficients at some nodes.
ENERGIES = {130: (7.171, -6.709, 2.904), 65: (3.755, -4.398, 1.975), 32: (0.9559, -0.7823, 0.471)}


def test_scaling_rows() -> None:
    for node, factor in AREAS.items():
        assert area_factor(32, node) == pytest.approx(factor)
        assert area_factor(node, 32) == pytest.approx(1 / factor)
    energies = {node: a * 0.64 + b * 0.8 + c for node, (a, b, c) in ENERGIES.items()}
    assert energy_ratio(32, 130) == pytest.approx(energies[130] / energies[32])
    assert energy_ratio(65, 32) == pytest.approx(energies[32] / energies[65])
    assert area_factor(32, 55) == pytest.approx((2.2 + 3.3) / 2)  # halfway between 45 and 65
    assert delay_ratio(32, 16) == 0.5
    ratios = [energy_ratio(32, node) for node in sorted({*AREAS, 32})]
    assert ratios == sorted(ratios)


@pytest.mark.parametrize(
    ("node", "supply"), [(6.9, 0.8), (131, 0.8), (math.nan, 0.8), (65, 0), (65, math.inf)]
)
def test_scaling_beyond_its_tables_is_refused(node: float, supply: float) -> None:
    with pytest.raises(InputError, match="expected"):
        energy_ratio(32, node, supply)


def test_a_scaled_technology_leaves_its_adc_unless_asked() -> None:
    isaac = named_technology("isaac")
    before = totals(isaac, "unit")
    small, smallest = scaled(isaac, 16), scaled(isaac, 16, adcs=True)
    for technology, factor in ((small, 1.0), (smallest, 0.41)):
        area = totals(technology, "unit").part("adc").area_mm2
        assert area == pytest.approx((before.part("adc").area_mm2 or 0) * factor)
    ratio = energy_ratio(32, 16)
    area, power = before.area_mm2 or 0, before.power_w or 0
    # Arrays, DACs and sample-and-holds of a unit stay: ISAAC's mm2 and W.
    stays = (8 * 2.5e-5 + 1024 * 1.66e-7 + 4e-5, 8 * 0.3e-3 + 1024 * 4.167e-13 * 9.375e6 + 1e-5)
    assert totals(smallest, "unit").area_mm2 == pytest.approx(stays[0] + (area - stays[0]) * 0.41)
    assert totals(smallest, "unit").power_w == pytest.approx(stays[1] + (power - stays[1]) * ratio)
    assert "Stillmaker" in small.components["buffer"].source
    assert (small.components["buffer"].status, small.adc.status) == ("D", "P")
    assert totals(small, "chip").printed is None
    assert scaled(isaac, 32).components == isaac.components


def test_an_adc_model_is_scaled_only_when_asked() -> None:
    asked = design(8, node_nm=65)
    kull = conversion("kull", asked)
    carried = conversion("kull", asked, scale_node=True)
    assert (kull.node_nm, carried.node_nm) == (32, 65)
    assert carried.area_mm2 == pytest.approx((kull.area_mm2 or 0) * 3.3)
    assert carried.energy_j == pytest.approx(kull.energy_j * energy_ratio(32, 65))


def test_pumas_adc_keeps_its_area_within_the_core() -> None:
    puma = named_technology("puma")
    changed = with_adc(puma, "andrulis")
    assert totals(changed, "core").area_mm2 == totals(puma, "core").area_mm2
    assert (totals(changed, "core").power_w or 0) > 0.03
