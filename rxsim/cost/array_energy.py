"""Energy of the arrays' reads: what their sources deliver, from the exact circuit, times the time.

A read of a layer is one input vector on all of its arrays, every pass of the encoding. In each pass the
rows are driven for the time of a pulse, whether the pass is converted or summed in analog:

    E = pulse time x sum over passes, instants and rows of share x v_i i_i

`amplitude` is one pass, `bit_serial` one for each digit, `stochastic` one for each random pulse. With
`pulse_width` a row is at its voltage for its share of the pulse, then at 0 V, and stays connected:
between two ends of pulses the circuit is the same, so a pulse is solved once for each distinct width.
Energy of the moments in which voltages change (charging of lines) is left out: the circuit has no
capacitance.

Source: docs/concepts/cost.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rxsim.circuit import source_power
from rxsim.config import Crossbar
from rxsim.converters import WordlineVoltages
from rxsim.devices import IVCurve


@dataclass(frozen=True, slots=True, eq=False)
class RowDrive:
    """What drives the rows of an array during the read of one input vector.

    Attributes:
        volts: source voltages at each instant, volt, float64 (n_instants, n_rows).
        shares: how long each lasts, in times of a full pulse, float64 (n_instants,).
    """

    volts: np.ndarray
    shares: np.ndarray


def row_drives(
    wordlines: WordlineVoltages, rows: np.ndarray, row_signs: np.ndarray, positions: np.ndarray
) -> list[RowDrive]:
    """Return what one pass puts on an array.

    Args:
        wordlines: the pass.
        rows: input `group * K + k` of each physical row, -1 for a row at 0 V, (n_rows,).
        row_signs: +1 or -1, (n_rows,).
        positions: int64 (n,).

    Returns:
        For each position.
    """
    volts = wordlines.volts(rows, row_signs, positions)
    widths = wordlines.widths(rows, positions)
    if widths is None:
        return [RowDrive(each[None], np.ones(1)) for each in volts]
    return [_pulses_of(*each) for each in zip(volts, widths, strict=True)]


def _pulses_of(volts: np.ndarray, widths: np.ndarray) -> RowDrive:
    """Cut a pulse where a row's pulse ends: voltages hold in between."""
    ends = np.unique(widths[(widths > 0) & (volts != 0)])
    starts = np.concatenate([np.zeros(min(len(ends), 1)), ends[:-1]])
    return RowDrive(np.where(widths > starts[:, None], volts, 0.0), ends - starts)


def one_after_the_other(passes: Sequence[RowDrive]) -> RowDrive:
    """Join the passes of a read."""
    return RowDrive(
        np.concatenate([each.volts for each in passes]),
        np.concatenate([each.shares for each in passes]),
    )


def read_energies(
    g: np.ndarray,
    crossbar: Crossbar,
    reads: Sequence[RowDrive],
    *,
    pulse_s: float,
    curve: IVCurve | None = None,
) -> np.ndarray:
    """Return the energy that each read of an array takes from its sources.

    Args:
        g: programmed conductances, siemens, (n_rows, n_cols).
        crossbar: the resistances, the ends of the lines and the topology.
        reads: what drives the rows.
        pulse_s: time of a full pulse, second.
        curve: of the cells; None where these are linear.

    Returns:
        Joule, float64 (n_reads,).

    Raises:
        CircuitError: the array can't be solved.
    """
    if not reads:
        return np.zeros(0)
    whole = one_after_the_other(reads)
    driven = np.asarray(whole.volts.any(axis=1))
    power = np.zeros(len(driven))
    power[driven] = source_power(g, crossbar, whole.volts[driven], curve)
    read = np.repeat(np.arange(len(reads)), [len(each.shares) for each in reads])
    return np.bincount(read, power * whole.shares * pulse_s, minlength=len(reads))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEnergy:
    """Energy of reading all arrays of a layer once: one input vector, every pass.

    Attributes:
        joules: mean over the calibration inputs and their positions, joule.
        standard_error: of the mean, from sampling arrays, inputs and positions, joule; 0 where all were
            taken; None where a single one of several tells nothing of the others.
        arrays: how many arrays were solved.
        inputs: for how many calibration inputs.
        positions: at how many positions of each at least.
    """

    joules: float
    standard_error: float | None
    arrays: int
    inputs: int
    positions: int

    def lasting(self, factor: float) -> ReadEnergy:
        """Return the energy where pulses last so many times as long."""
        error = self.standard_error
        return replace(
            self,
            joules=self.joules * factor,
            standard_error=None if error is None else error * factor,
        )


def position_noise(energies: np.ndarray, share: float) -> float | None:
    """Return the variance of an array's mean energy for an input, from its sample of positions.

    Args:
        energies: of the reads at the drawn positions, joule, (n,).
        share: of the input's positions that were drawn, 0 to 1.

    Returns:
        Square joule: 0 where all were drawn; None where a single one of several does not tell.
    """
    if share >= 1:
        return 0.0
    if len(energies) < 2:
        return None
    return (1 - share) * float(np.var(energies, ddof=1)) / len(energies)


def mean_read_energy(
    table: np.ndarray, noise: float | None, *, n_arrays: int, n_inputs: int, positions: int
) -> ReadEnergy:
    """Estimate the mean energy of a read of a layer from some of its arrays, inputs and positions.

    Arrays and inputs are two crossed samples, drawn from finite populations without replacement:

        SE^2 = l_a S_a^2 + l_i S_i^2 + l_a l_i S_ai^2 + noise / (n_a n_i),  l = 1/n - 1/N

    with S_a^2, S_i^2 and S_ai^2 the variances among arrays, among inputs, and of what neither explains.
    Source: Hooke, Ann. Math. Stat. 27, 1956 (samples of a two-way table). Estimates below 0 count as 0.

    Args:
        table: joule, means over the drawn positions, float64 (drawn arrays, drawn inputs).
        noise: variance of an entry from its sample of positions (drawn for each anew), square joule;
            None where it is not known: all that neither array nor input explains counts as noise.
        n_arrays: arrays of the layer.
        n_inputs: calibration inputs.
        positions: how many were drawn for each entry.

    Returns:
        For all arrays of the layer together.
    """
    variance = _variance(table, noise, n_arrays, n_inputs)
    return ReadEnergy(
        joules=n_arrays * float(table.mean()),
        standard_error=None if variance is None else n_arrays * float(np.sqrt(variance)),
        arrays=table.shape[0],
        inputs=table.shape[1],
        positions=positions,
    )


def _variance(table: np.ndarray, noise: float | None, n_arrays: int, n_inputs: int) -> float | None:
    """Return the variance of a table's mean; None where one of several tells nothing of the others."""
    arrays, inputs = table.shape
    left_a, left_i = 1 / arrays - 1 / n_arrays, 1 / inputs - 1 / n_inputs
    if (arrays == 1 and left_a > 0) or (inputs == 1 and left_i > 0):
        return None
    if table.size == 1:
        return noise
    if arrays == 1 or inputs == 1:  # all that there are: the other is a single sample
        spread = float(np.var(table, ddof=1))
        noise = spread if noise is None else noise
        return float((left_a + left_i) * max(spread - noise, 0.0) + noise / table.size)
    by_array, by_input = table.mean(axis=1), table.mean(axis=0)
    rest = table - by_array[:, None] - by_input + table.mean()
    unexplained = float(np.square(rest).sum()) / ((arrays - 1) * (inputs - 1))
    noise = unexplained if noise is None else noise
    both = max(unexplained - noise, 0.0)
    among_arrays = float(np.var(by_array, ddof=1)) - left_i * both - noise / inputs
    among_inputs = float(np.var(by_input, ddof=1)) - left_a * both - noise / arrays
    alone = left_a * max(among_arrays, 0.0) + left_i * max(among_inputs, 0.0)
    return float(alone + left_a * left_i * both + noise / table.size)
