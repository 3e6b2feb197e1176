"""A layer's inputs as they are driven: its DACs, its encoding, the passes.

See docs/concepts/model.md section 5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rxsim.calibrate import InputRange
from rxsim.config import Settings
from rxsim.converters.dac import Dac, layer_dac
from rxsim.converters.thermal_noise import PassNoise
from rxsim.encodings import ENCODINGS, Cells, Encoding, InputCodes, Pass


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPlan:
    """A layer's inputs.

    Attributes:
        dac: activation -> code.
        encoding: code -> voltages.
        codes: the codes that it encodes.
        passes: the passes that are converted, in order.
        x_per_volt: activation that one volt of weighted passes stands for.
        cells: volt -> volt that it counts as, where DACs make voltages and cells are not linear; None
            where they are linear, or where codes are lengths of pulses.
        noise: of the DACs in each pass; empty where there is none.
    """

    dac: Dac
    encoding: Encoding
    codes: InputCodes
    passes: tuple[Pass, ...]
    x_per_volt: float
    cells: Cells | None = None
    noise: tuple[PassNoise, ...] = ()

    @property
    def pulses(self) -> tuple[Pass, ...]:
        """Each set of voltages that nominal DACs put on the wordlines, also those summed in analog."""
        return self.encoding.pulses(self.codes)

    @property
    def rest_volt(self) -> float:
        """Weighted volt that an input of 0 drives: the offset that is removed digitally."""
        return sum(each.weight * each.rest * each.volt for each in self.passes)

    @property
    def counted_rest_volt(self) -> float:
        """Volt that `rest_volt` counts as, where cells are not linear."""
        return sum(each.weight * each.counted_rest * each.volt * each.gain for each in self.passes)

    @property
    def offset_volt(self) -> float:
        """Weighted volt that a DAC's offset of one LSB counts as."""
        return sum(each.weight * each.offsets * each.volt * each.gain for each in self.passes)

    @property
    def adds_up(self) -> bool:
        """Whether the passes can be driven as one: a single sum of their units counts like theirs."""
        return not self.is_curved and not self.noise

    @property
    def is_curved(self) -> bool:
        """Whether a pass has a curve: its units do not count in proportion to their number."""
        return any(each.curve is not None for each in self.passes)

    def in_one_pass(self) -> InputPlan:
        """Return a plan with a single pass: the weighted sum of all, without units of an input of 0.

        Only for a plan that adds up.
        """
        return replace(self, passes=(self.encoding.in_one_pass(self.passes, self.codes),))

    def bent(self, cells: Cells) -> InputPlan:
        """Put the curve of cells that are not linear into every pass.

        Args:
            cells: volt -> volt that it counts as.

        Raises:
            SettingError: the passes can't hold the curve.
        """
        passes = tuple(self.encoding.bent(each, cells, self.codes) for each in self.passes)
        # A code that is a pulse's length is not bent: errors of its DAC count as they are.
        return replace(self, passes=passes, cells=cells if self.encoding.carries_voltages else None)

    def drawn(
        self, rng: np.random.Generator, shape: tuple[int, ...], channel_axis: int
    ) -> InputPlan:
        """Put a chip's random numbers into every pass; only where the encoding is random.

        Args:
            rng: the chip's generator for this layer.
            shape: of the layer's input tensor, without its batch axis.
            channel_axis: of the tensor with its batch axis: 1 of a Conv, -1 of a matrix product.
        """
        drawn = self.encoding.drawn(self.passes, self.codes, rng, shape, channel_axis)
        return replace(self, passes=drawn)


def layer_input_plan(name: str, measured: InputRange, settings: Settings) -> InputPlan:
    """Set up a layer's inputs.

    Args:
        name: of the layer.
        measured: its input range.
        settings: the layer's.

    Raises:
        SettingError: a one-bit DAC would have to carry signed inputs.
    """
    encoding = ENCODINGS[settings.input.encoding]
    codes = InputCodes(
        signed=measured.signed,
        n_bits=settings.dac.n_bits,
        settings=settings.input,
        per_pass=settings.input.adc_per_pass,
    )
    dac = layer_dac(name, measured, settings)
    passes = encoding.passes(codes)
    return InputPlan(
        dac=dac,
        encoding=encoding,
        codes=codes,
        passes=passes,
        x_per_volt=encoding.x_per_volt(measured.x_max, passes, codes),
    )
