"""What an explanation holds: plain values, and their JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from rxsim.config import Settings, as_plain
from rxsim.estimate import Estimate
from rxsim.explain.block_means import block_means, block_of_map
from rxsim.explain.quantity import Quantity
from rxsim.pipeline.ladder.rung import plain_value

SCHEMA_VERSION = 1


class Untried(StrEnum):
    """Why no remedy was tried."""

    NOTHING_TO_MEND = "nothing_to_mend"
    """The built chips do no worse than the float network."""
    NO_TIME = "no_time"
    """The budget was spent before."""
    FAILED = "failed"
    """None of those that apply could be run."""
    NONE_APPLIES = "none_applies"
    """There is none against these effects that changes anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """What an effect does to the quantity.

    Attributes:
        name: of the effect.
        title: its name for readers.
        alone: v(only this effect) - v(none).
        left_out: v(all) - v(all but this effect): what it does where all others are on.
        added: v with this effect and those before it - v with those before it, in the table's order.
        shapley: its Shapley value; None where there was no time for it.
        sampling_error: standard error of the Shapley value from sampled orders; 0 where it is exact.
        noise_share: its part of the noise power of the network's output, by Shapley values of that;
            None where not measured, or where there is no noise.
        behind: what the effect that costs most takes more than this one, of the same chips and images,
            by Shapley values (else by means of alone and left out), errors of sampled orders included;
            None for that effect itself, and where not known.
    """

    name: str
    title: str
    alone: Estimate
    left_out: Estimate
    added: Estimate
    shapley: Estimate | None
    sampling_error: float
    noise_share: float | None = None
    behind: Estimate | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "alone": self.alone.as_json(),
            "left_out": self.left_out.as_json(),
            "added": self.added.as_json(),
            "shapley": None if self.shapley is None else self.shapley.as_json(),
            "sampling_error": self.sampling_error,
            "noise_share": self.noise_share,
            "behind": None if self.behind is None else self.behind.as_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectsTable:
    """What each active effect does.

    Attributes:
        rows: in the order of accumulation.
        method: exact, sampled, or none: how Shapley values were had.
        orders: sampled orders of joining.
        coalitions: sets of effects that were evaluated.
        notes: by effect, what is to be said of switching it off.
        sets: the evaluated sets of effects, by names of rows, each with its mean of the quantity: what
            Shapley values are computed from.
    """

    rows: tuple[EffectRow, ...]
    method: str
    orders: int
    coalitions: int
    notes: Mapping[str, str]
    sets: Mapping[tuple[str, ...], float] = field(default_factory=dict)

    @property
    def worst_first(self) -> tuple[str, ...]:
        """Names of effects by what they cost: Shapley value, else the mean of alone and left out."""
        return tuple(row.name for row in sorted(self.rows, key=_size, reverse=True))

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "rows": [row.as_json() for row in self.rows],
            "method": self.method,
            "orders": self.orders,
            "coalitions": self.coalitions,
            "notes": dict(self.notes),
            "sets": [{"on": list(on), "mean": mean} for on, mean in self.sets.items()],
        }


def _size(row: EffectRow) -> float:
    if row.shapley is not None:
        return abs(row.shapley.mean)
    return abs(row.alone.mean + row.left_out.mean) / 2


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ArrayMap:
    """A closer look at an array that does badly: its used cells, in physical order.

    Rows that carry inputs and columns that are read are used. The target of a cell is its level,
    programmed without errors and without compensation.

    Attributes:
        layer: its layer.
        array: its index in the layer.
        loss: share of its current that its wires take, all used rows driven alike.
        ratio: g_eff over the target conductance of each used cell, float64 (rows, columns); NaN where
            the target is 0. Cells that are not linear: at the operating point of the layer.
        error: mean current of each used cell beside that of its target, ampere, float64 (rows,
            columns): (g_eff - target) times the mean size of its row's voltage over calibration
            inputs. Cells that are not linear: g_eff times what that voltage counts as.
    """

    layer: str
    array: int
    loss: float
    ratio: np.ndarray
    error: np.ndarray

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN as null, a large map as means over blocks of cells."""
        block = block_of_map(self.ratio.shape)
        return {
            "layer": self.layer,
            "array": self.array,
            "loss": self.loss,
            "block": list(block),
            "ratio": _listed(block_means(self.ratio, block)),
            "error": _listed(block_means(self.error, block)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """What a layer does to the quantity, and how it fares.

    Noise is the sum of squared errors of its output before the activation, over that of the float
    network's output (SNR = -10 log10 of it), of the first chip.

    Attributes:
        name: of the layer.
        op: type of its node in the file.
        only: v(only this layer analog) - v(float network); None where there was no time for it.
        all_but: v(all analog) - v(all but this layer); None likewise.
        output_noise: its part of the noise power of the network's output: the mean of what it makes
            alone and of what goes without it, over the whole; None likewise.
        snr_clean_db: of its output, its inputs those of the float network; None: not to be compared.
        snr_db: of its output in the patched network: errors of earlier layers included.
        dac_clipping: share of inputs that saturate their DAC; None without DAC.
        adc_clipping: share of conversions that saturate; None without ADC.
        noise_alone: by effect its noise with clean inputs where only this effect is on.
        noise_left_out: by effect its noise with clean inputs where only this effect is off.
        dominant: the effect that makes most of its noise; empty where none does.
    """

    name: str
    op: str
    only: Estimate | None
    all_but: Estimate | None
    output_noise: float | None
    snr_clean_db: float | None
    snr_db: float | None
    dac_clipping: float | None
    adc_clipping: float | None
    noise_alone: Mapping[str, float]
    noise_left_out: Mapping[str, float]
    dominant: str

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "op": self.op,
            "only": None if self.only is None else self.only.as_json(),
            "all_but": None if self.all_but is None else self.all_but.as_json(),
            "output_noise": self.output_noise,
            "snr_clean_db": plain_value(self.snr_clean_db),
            "snr_db": plain_value(self.snr_db),
            "dac_clipping": self.dac_clipping,
            "adc_clipping": self.adc_clipping,
            "noise_alone": {name: plain_value(noise) for name, noise in self.noise_alone.items()},
            "noise_left_out": {
                name: plain_value(noise) for name, noise in self.noise_left_out.items()
            },
            "dominant": self.dominant,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersTable:
    """What each layer does.

    Attributes:
        rows: in the order of the network.
        worst_first: names of the layers by what they cost.
        arrays: a closer look at the arrays that do worst, worst first.
        inputs: how many inputs the numbers at a layer's own output come from.
    """

    rows: tuple[LayerRow, ...]
    worst_first: tuple[str, ...]
    arrays: tuple[ArrayMap, ...]
    inputs: int

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "rows": [row.as_json() for row in self.rows],
            "worst_first": list(self.worst_first),
            "arrays": [array.as_json() for array in self.arrays],
            "inputs": self.inputs,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A remedy that was tried: other settings on the same chips and images.

    Attributes:
        remedy: its name.
        title: what was done, for readers.
        changes: settings that differ, by dotted name (layers.NAME.section.key for a single layer).
        value: mean of the quantity, of all images.
        gain: over the settings as they are, positive where it is better, on the images that choose the
            best.
        confirmed: of a finalist the same on all other images, which had no part in the choice; None for
            others, and where there are too few images for both.
        arrays: how many arrays the network takes.
        conversions: how many ADC conversions an input takes; None where unknown.
        combined: names of the remedies that it takes together, in the order of being added; a single
            name otherwise.
        fresh_chips: chips without a part in the choice that confirm; 0: the chips that chose; None
            where it is not confirmed, or where all chips are the same.
        trap: name of the trap that advises this; empty for none.
    """

    remedy: str
    title: str
    changes: Mapping[str, Any]
    value: float
    gain: Estimate
    confirmed: Estimate | None
    arrays: int | None
    conversions: int | None
    combined: tuple[str, ...]
    fresh_chips: int | None = None
    trap: str = ""

    @property
    def changes_anything(self) -> bool:
        """Whether it changed the quantity of any chip and image: gain and interval are not all 0."""
        gains = [self.gain] if self.confirmed is None else [self.gain, self.confirmed]
        return any(part for gain in gains for part in (gain.mean, gain.low, gain.high))

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "remedy": self.remedy,
            "title": self.title,
            "changes": dict(self.changes),
            "value": self.value,
            "gain": self.gain.as_json(),
            "confirmed": None if self.confirmed is None else self.confirmed.as_json(),
            "arrays": self.arrays,
            "conversions": self.conversions,
            "combined": list(self.combined),
            "fresh_chips": self.fresh_chips,
            "trap": self.trap,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """A known mistake that was seen in these settings, data or this network.

    Attributes:
        name: of the trap.
        sentence: what was seen, in numbers, and what to do.
        advice: settings that it advises to try, by dotted name; each mapping is a remedy.
    """

    name: str
    sentence: str
    advice: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Explanation:
    """Why accuracy fell.

    Attributes:
        quantity: what is explained.
        floating: the quantity of the float network.
        none: of hardware without any active effect.
        all: of the built chips.
        interval: 95 % interval of `all`, chips and images both samples; None where nothing tells.
        chips: programmed chips; 1 where all are the same.
        images: evaluated inputs.
        effects: None where not asked for.
        layers: None where not asked for.
        attempts: remedies that were tried, best first; None where not asked for.
        traps: known mistakes that were seen.
        left_out: what there was no time for, a sentence each.
        settings: resolved settings, plain.
        better: the settings of the best attempt; None where none is proven to be better.
        provenance: versions, hashes, data.
        runs: patched networks that were run over the images.
        seconds: wall time by stage.
        untried: why no remedy was tried; None where some were, or were not asked for.
    """

    quantity: Quantity
    floating: float
    none: float
    all: float
    interval: tuple[float, float] | None
    chips: int
    images: int
    effects: EffectsTable | None
    layers: LayersTable | None
    attempts: tuple[Attempt, ...] | None
    traps: tuple[Trap, ...]
    left_out: tuple[str, ...]
    settings: Mapping[str, Any]
    better: Settings | None
    provenance: Mapping[str, Any]
    runs: int
    seconds: Mapping[str, float]
    untried: Untried | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON; everything but `timing` repeats for the same seed."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "explanation",
            "quantity": self.quantity.name,
            "float32": self.floating,
            "none": self.none,
            "all": self.all,
            "interval_new_images": None if self.interval is None else list(self.interval),
            "chips": self.chips,
            "images": self.images,
            "effects": None if self.effects is None else self.effects.as_json(),
            "layers": None if self.layers is None else self.layers.as_json(),
            "attempts": None
            if self.attempts is None
            else [attempt.as_json() for attempt in self.attempts],
            "untried": self.untried,
            "traps": {trap.name: trap.sentence for trap in self.traps},
            "left_out": list(self.left_out),
            "settings": dict(self.settings),
            "better": None if self.better is None else as_plain(self.better),
            "provenance": dict(self.provenance),
            "runs": self.runs,
            "timing": {"seconds": dict(self.seconds)},
        }


def _listed(values: np.ndarray) -> list[list[float | None]]:
    return [[plain_value(float(value)) for value in row] for row in values]
