"""Stages state the settings that they read: keys follow from it, and none reads more than it states."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chips import mapped_of
from pydantic import create_model

import rxsim
from rxsim.calibrate import INPUT_RANGES
from rxsim.config import IV, Device, Reads, Settings, pinned, settings_hash
from rxsim.config.models import Adc, Calibration, Crossbar, Dac, Input, Mapping
from rxsim.converters.read_settings import ADC_RANGES, INPUTS
from rxsim.devices import Chip
from rxsim.effects import effects
from rxsim.mapping import COUNTS
from rxsim.pipeline import DataOptions, calibrate, open_study
from rxsim.pipeline.study.calibration_match import calibrated_by
from rxsim.schema import Section
from rxsim.tiles import TILES, transfer_matrices

MODELS = Path(__file__).parent.parent / "models"
STAGES = {
    "input ranges": INPUT_RANGES,
    "tiles": TILES,
    "inputs": INPUTS,
    "ADC ranges": ADC_RANGES,
    "counts": COUNTS,
    "calibration": calibrated_by(),
}
SECTIONS: dict[str, type[Section]] = {
    "crossbar": Crossbar,
    "device": Device,
    "mapping": Mapping,
    "input": Input,
    "dac": Dac,
    "adc": Adc,
    "calibration": Calibration,
}
# By hand: whose key a new field of a section changes, besides the result's own.
CHANGED = {
    "crossbar": {"tiles", "calibration"},
    "device": {"tiles", "calibration"},
    "mapping": {"tiles", "calibration", "counts"},
    "input": {"inputs", "calibration", "counts"},
    "dac": {"inputs", "calibration"},
    "adc": {"ADC ranges", "calibration"},
    "calibration": {"calibration"},
}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_new_field_of_a_section_changes_the_keys_of_its_readers_and_no_other(
    section: str,
) -> None:
    wider = create_model(f"Wider{section}", __base__=SECTIONS[section], brand_new=(float, 0.0))
    fields: dict[str, Any] = {section: (wider, wider())}
    model = create_model("WiderSettings", __base__=Settings, **fields)
    before, after = (model.model_validate({section: {"brand_new": value}}) for value in (0.0, 1.0))
    changed = {name for name, reads in STAGES.items() if reads.of(before) != reads.of(after)}
    assert changed == CHANGED[section]
    assert settings_hash(before) != settings_hash(after)


def test_every_setting_is_read_by_some_stage_or_named_as_one_that_none_reads() -> None:
    """Trials and the seed choose chips; who shares an ADC and what its errors are, each chip's ADCs."""
    names = Reads(tuple(Settings.model_fields)).of(Settings())
    unread = {name for name in names if not any(reads.covers(name) for reads in STAGES.values())}
    assert unread == {"trials", "adc.share"}


def test_reads_join_and_leave_out() -> None:
    both = Reads(("adc",), but=("adc.share",)) | Reads(("adc.share", "dac.n_bits"))
    assert both.covers("adc.share")
    assert both.covers("dac.n_bits")
    assert not both.covers("dac.inl")
    assert not both.less(["adc.range"]).covers("adc.range")
    assert set((Reads(("adc",)) | Reads(("dac",), but=("dac.inl",))).of(Settings())) == {
        *(name for name in Reads(("adc", "dac")).of(Settings()) if name != "dac.inl")
    }


_NAMES = {kind: name for name, kind in SECTIONS.items()} | {IV: "device.iv"}


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Collect the dotted names of the settings that are read as attributes."""
    read: set[str] = set()
    plain = Section.__getattribute__

    def watching(self: Section, name: str) -> Any:
        if type(self) in _NAMES and name in type(self).model_fields:
            read.add(f"{_NAMES[type(self)]}.{name}")
        return plain(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(Section, "__getattribute__", watching)
        yield read


SETTINGS = [
    {},
    {"input.range": "model"},
    {
        "mapping.scheme": "offset",
        "mapping.offset_removal": "reference_column",
        "device.write_sigma": 0.1,
        "device.stuck_lrs": 0.01,
    },
    {"device.iv": {"form": "sinh", "v0": 0.3}, "adc.range": "full_scale", "device.d2d_sigma": 0.1},
    {
        "input.encoding": "bit_serial",
        "crossbar.topology": "input_gated",
        "mapping.weight_bits": 4,
        "mapping.bits_per_cell": 2,
        "adc.range": "unit_lsb",
    },
    {"device.model": "pcm-joshi", "adc.criterion": "mse", "adc.where": "per_layer", "dac.inl": 0.3},
]


@pytest.mark.parametrize("changes", SETTINGS)
def test_arrays_read_no_setting_that_they_do_not_state(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = rxsim.settings(xbar="16x12", changes={**changes, "calibration.samples": 4})
    mapped = mapped_of(open_study(MODELS / "digits_mlp.onnx", settings, DataOptions(limit=2)))
    layer = mapped.layers[0]
    name = layer.layer.name
    with watched(monkeypatch) as read:
        transfer_matrices(layer, mapped.settings[name], Chip(0, 0), point=mapped.points.get(name))
    assert read
    assert {name for name in read if not _stated(TILES, name)} == set()


@pytest.mark.parametrize("changes", SETTINGS)
def test_calibration_reads_no_setting_that_it_does_not_state(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nominal hardware: settings of what is drawn are switched off before they can be read."""
    settings = rxsim.settings(xbar="16x12", changes={**changes, "calibration.samples": 4})
    study = open_study(MODELS / "digits_mlp.onnx", settings, DataOptions(limit=2))
    with watched(monkeypatch) as read:
        calibrate(study)
    drawn = pinned(effect.off for effect in effects().values() if effect.per_chip)
    # Random curves of ADCs that a graph has no room for are refused when layers are mapped.
    # A preset is read to see that no law of it is left: nominal hardware is of model ideal.
    checked = {"adc.share", "device.model", "device.without"}
    states = calibrated_by() | Reads(drawn)
    assert {name for name in read - checked if not _stated(states, name)} == set()


@pytest.mark.parametrize("changes", SETTINGS)
def test_counting_reads_no_setting_that_it_does_not_state(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrays, cells, conversions and passes follow from shapes and from what is stated."""
    settings = rxsim.settings(xbar="16x12", changes={**changes, "calibration.samples": 4})
    study = open_study(MODELS / "digits_mlp.onnx", settings, DataOptions(limit=2))
    with watched(monkeypatch) as read:
        for layer in study.plan.layers.values():
            assert layer.arrays * layer.cells * (layer.conversions(1) or 0) > 0
            assert layer.arrays_unpacked is None
            assert layer.most_passes >= 1
    # The cells of a weight come with their levels, which no count depends on.
    assert {name for name in read if not _stated(COUNTS, name)} <= {"device.n_bits"}


def _stated(reads: Reads, name: str) -> bool:
    """The number of levels stands for bits and levels both."""
    levels = name in ("device.n_bits", "device.n_levels")
    return reads.covers("device.levels" if levels else name)
