"""A plain pricing of one layer: acts of a plain counter times the numbers of a technology's YAML.

Written from the definitions alone (docs/concepts/cost.md, "Prices"); nothing of rxsim is used.
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from plain_counts import arrays_of, converting, plain_counts

FOLDER = Path(__file__).parent.parent / "rxsim" / "cost" / "technologies"


def technology_values(name: str) -> dict[str, Any]:
    """Read a shipped technology as plain YAML."""
    values: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return values


def of_one(part: dict[str, Any], key: str) -> float:
    """Return an area or a power of one instance."""
    return float(part[key]) / int(part.get("together", 1))


def energy_of_act(part: dict[str, Any]) -> float | None:
    """Return the energy of an act, J; None where only a power is stated."""
    if "energy_j" in part:
        return float(part["energy_j"])
    if "rate_hz" in part:
        return of_one(part, "power_w") / float(part["rate_hz"])
    return None


def outer_levels(values: dict[str, Any]) -> list[tuple[str, float]]:
    """List levels around arrays with the arrays that each holds."""
    found, held = [], 1.0
    for name in ("unit", "core", "tile", "chip"):
        if name in values["levels"]:
            held *= values["levels"][name]["holds"]
            found.append((name, held))
    return found


class PlainLayer:
    """A layer on arrays, priced by hand.

    Attributes:
        energy: of an inference by component, J.
        area: by component, mm2.
        seconds: of an inference.
        converters: ADCs.
    """

    def __init__(
        self,
        values: dict[str, Any],
        weights: np.ndarray,
        kernel: int,
        positions: int,
        settings: dict[str, Any],
        *,
        elements: tuple[int, int],
        signed: bool = True,
        asked: int | None = None,
    ) -> None:
        """Count and price.

        Args:
            values: of the technology's file.
            weights: (groups, K, N).
            kernel: rows of a channel.
            positions: input vectors of an inference.
            settings: of the layer, plain.
            elements: of the input and the output tensor.
            signed: whether inputs are below 0.
            asked: columns of an ADC that the section `cost` asks for.
        """
        self._values, self._bar = values, settings["crossbar"]
        outer = outer_levels(values)
        self._unit = int(outer[0][1]) if outer else 1
        self._counts = plain_counts(
            *(weights, kernel, positions, settings), signed=signed, arrays_per_unit=self._unit
        )
        self.share = asked or settings["adc"]["share"]
        if asked is None and self.share == 1:
            self.share = min(values["product"]["cols"], self._bar["cols"])
        _, slices, sides = arrays_of(weights, kernel, settings)
        mapping = settings["mapping"]
        self._most_columns = self._bar["cols"]
        if mapping["layout"] == "separate":
            self._most_columns *= slices * (sides if mapping["subtract"] == "digital" else 1)
        self.converters = self._converters(weights, kernel, settings)
        self.seconds = positions * self._product_seconds(settings)
        bits = settings["dac"]["n_bits"] or 32
        code = settings["adc"]["n_bits"] or 32
        buffered = self._counts["buffer_read_bits"] + elements[1] * bits
        width = (self._counts["largest_sum"] * 2**code - 1).bit_length()
        moved = elements[0] * bits + self._counts["crossing"] * width
        cells = self._bar["rows"] * self._bar["cols"]
        self._ratio = cells / (values["product"]["rows"] * values["product"]["cols"])
        self.acts: dict[str, float] = {
            "array_read": self._counts["reads"] * self._ratio,
            "dac_drive": self._counts["drives"],
            "sample": self._counts["sample_and_holds"],
            "conversion": self._counts["conversions"],
            "shift_add": self._counts["shift_and_adds"],
            **dict.fromkeys(("buffer", "bus"), buffered),
            "network": moved,
        }
        self.energy, self.area = self._priced()

    def _product_seconds(self, settings: dict[str, Any]) -> float:
        product, parts = self._values["product"], self._values["components"].values()
        adc = next(part for part in parts if part["action"] == "conversion")
        pulses, passes = self._counts["pulses"], self._counts["passes"]
        stage = float(product.get("read_s", 0))
        if settings["adc"]["n_bits"] is not None:
            share = min(self.share, self._most_columns)
            stage = max(stage, share / float(adc["rate_hz"]) * passes / pulses)
        stage = stage or float(product["stage_s"])
        return float(stage * (pulses + int(product["stages"]) - 1))

    def _converters(self, weights: np.ndarray, kernel: int, settings: dict[str, Any]) -> int:
        """Put converted columns of every tile side by side, so many on each ADC."""
        if settings["adc"]["n_bits"] is None:
            return 0
        digital = settings["mapping"]["subtract"] == "digital"
        arrays, _, _ = arrays_of(weights, kernel, settings)
        converts = converting(arrays, settings)
        columns: dict[tuple[int, int, int], int] = defaultdict(int)
        for array in arrays:
            if array.tile not in converts:
                continue
            for _, side in array.kinds:
                if digital or side == 0:
                    columns[array.tile] += len(array.outputs)
            columns[array.tile] += array.references if digital else 0
        return sum(math.ceil(number / self.share) for number in columns.values())

    def _places(self) -> list[tuple[str, float]]:
        """List components at every level, and how many the layer has there."""
        arrays, units = self._counts["arrays"], self._counts["units"]
        sizes = {
            "array_read": self._ratio,
            "dac_drive": self._bar["rows"],
            "sample": self._bar["cols"],
        }
        levels, components = self._values["levels"], self._values["components"]
        found: list[tuple[str, float]] = []
        for name, number in levels["array"]["parts"].items():
            action = components[name]["action"]
            each = arrays * sizes.get(action, number)
            found.append((name, self.converters if action == "conversion" else each))
        for level, held in outer_levels(self._values):
            for name, number in levels[level].get("parts", {}).items():
                found.append((name, number * units * self._unit / held))
        return found

    def _priced(self) -> tuple[dict[str, float], dict[str, float]]:
        energy: dict[str, float] = {}
        area: dict[str, float] = defaultdict(float)
        for name, number in self._places():
            part = self._values["components"][name]
            if "area_mm2" in part:
                area[name] += number * of_one(part, "area_mm2")
            else:
                area[name] += 0.0
            act = energy_of_act(part)
            if act is not None and part["action"] in self.acts:
                bits = part["bits"] if part["action"] in ("buffer", "bus", "network") else 1
                energy[name] = self.acts[part["action"]] / bits * act
            else:
                power = number * of_one(part, "power_w") * self.seconds
                energy[name] = energy.get(name, 0.0) + power
        return energy, dict(area)
