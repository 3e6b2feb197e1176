"""Pulse width: one pass of pulses at v_read; how long a pulse lasts carries the code.

    t = T q / q_max, v = sign(q) v_read for t, then 0 V

An idle row is driven to 0 V: exact for linear arrays, whose charge is a current times the time. In the
patched network a unit of width counts as v_read / q_max, as an amplitude would. On cells that are not
linear the circuit sees v_read or nothing: each sign has one factor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rxsim.encodings import (
    Cells,
    Encoding,
    InputCodes,
    InputSettings,
    Pass,
    SignedInput,
    phases,
)
from rxsim.encodings._cells import bent_by_size, bent_by_width
from rxsim.encodings._pass import pass_names
from rxsim.encodings._pulses import share_load, share_volts, volts_beyond

# A pulse's width is resolved this finely: the error of an average over its time is far below an LSB.
_INSTANTS = 32


class PulseWidth(Encoding):
    """A width for each code."""

    signed_inputs: tuple[SignedInput, ...] = ("bipolar", "two_phase", "offset")
    one_bit_when = "input.encoding: pulse_width"
    carries_voltages = False

    def is_one_bit(self, settings: InputSettings, n_bits: int | None) -> bool:
        """Tell that a row is at the read voltage or at 0 V."""
        del settings, n_bits
        return True

    def most_passes(self, settings: InputSettings, n_bits: int | None) -> int:
        """Return 2: positive and negative inputs."""
        del settings, n_bits
        return 2

    def passes(self, codes: InputCodes) -> tuple[Pass, ...]:
        """List a pass for each phase."""
        return tuple(
            Pass(units=phase.part, volt=codes.v_read / phase.largest, weight=phase.weight)
            for phase in phases(codes)
        )

    def names(self, pulses: Sequence[Pass]) -> list[str]:
        """Name each pass in words."""
        return pass_names(pulses, "pulses of the input's width")

    def load(self, pulse: Pass, values: np.ndarray, codes: InputCodes) -> tuple[float, float]:
        """Sum squared voltages and active rows in the mean over a pulse's time."""
        return share_load(_widths(pulse, pulse.units.of(values), codes), codes)

    def levels(
        self, pulse: Pass, codes: InputCodes, chances: np.ndarray
    ) -> Sequence[float | np.ndarray]:
        """List the middles of equal shares of a full pulse: one for each code, where these are few."""
        del chances
        count = _INSTANTS
        if codes.high is not None:
            count = min(count, round(codes.v_read / pulse.volt))
        return [(instant + 0.5) / count for instant in range(count)]

    def volts(
        self, pulse: Pass, units: np.ndarray, codes: InputCodes, level: float | np.ndarray = 0.0
    ) -> np.ndarray:
        """Return wordline voltages after a share of a full pulse: of the pulses that last longer."""
        return volts_beyond(units, _widths(pulse, units, codes), codes, level)

    def mean_volts(
        self, pulse: Pass, units: np.ndarray, codes: InputCodes, cells: Cells
    ) -> np.ndarray:
        """Return what the read voltage counts as, times the share of a full pulse."""
        return share_volts(units, _widths(pulse, units, codes), codes, cells)

    def widths(self, pulse: Pass, units: np.ndarray, codes: InputCodes) -> np.ndarray:
        """Return the share of a full pulse that each wordline is on."""
        return _widths(pulse, units, codes)

    def bent(self, converted: Pass, cells: Cells, codes: InputCodes) -> Pass:
        """Put the cells' curve at v_read into the pulses, a factor for each sign."""
        factor = bent_by_size(converted, cells, codes, counted=not codes.per_pass)
        return factor or bent_by_width(converted, cells, codes)


def _widths(pulse: Pass, units: np.ndarray, codes: InputCodes) -> np.ndarray:
    return np.asarray(np.abs(units) / (codes.v_read / pulse.volt))


ENCODING: Encoding = PulseWidth()
