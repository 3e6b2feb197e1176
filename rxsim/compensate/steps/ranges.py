"""Ranges of DACs and ADCs by least mean square error of each layer's output.

A factor on x_max first, with currents read exactly, then a factor on the ADC's ranges behind these
inputs. Each is searched in octaves around 1, as long as the error falls, then between them to an eighth
of an octave. Every second block of calibration inputs chooses, the others judge: a factor is kept where
it lowers their error beyond its own error (a paired, one-sided t-test at 95 %).

Source: least mean square error of a uniform quantiser's range, as in Banner et al., NeurIPS 2019; here
found by measuring instead of from a distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Self

import numpy as np
from pydantic import Field, model_validator
from scipy.special import stdtrit

from rxsim.compensate.bench import RangeBench
from rxsim.compensate.step import RangeFactors, RangeStep, Residual
from rxsim.schema import Integer, Section

Measure = Callable[[Mapping[str, float]], Mapping[str, np.ndarray]]
"""`measure(factors)`: errors of each named layer in each block of inputs."""

# Assumption: 2^-12 of full scale is below what any layer of 2^12 rows carries.
_LEAST, _MOST = -12.0, 3.0
_FINER = (0.5, 0.25, 0.125)
_LEVEL = 0.95


class RangesOptions(Section):
    """Options of `ranges`."""

    dac: bool = Field(True, description="choose input ranges")
    adc: bool = Field(True, description="choose ranges of ADCs")
    inputs: Integer = Field(64, ge=1, description="calibration inputs that are measured, at most")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.dac or self.adc):
            raise ValueError("found dac: false and adc: false, expected one of them true")
        return self


class Ranges(RangeStep[RangesOptions]):
    """Chooses a factor on x_max and one on the ADC's ranges for each layer."""

    title = "converter ranges of least mean square error"
    source = "as in Banner et al., NeurIPS 2019, measured"
    options = RangesOptions

    def choose(self, bench: RangeBench, options: RangesOptions) -> Mapping[str, RangeFactors]:
        """Return the factors of each layer, by its name."""
        bench = bench.on(options.inputs)
        names = [layer.layer.name for layer in bench.layers]
        ones = dict.fromkeys(names, 1.0)
        with_dac = bench.with_dac if options.dac else frozenset()
        with_adc = bench.with_adc if options.adc else frozenset()

        dac = ones | search(
            with_dac, lambda factors: bench.square_errors(factors.keys(), factors, None)
        )
        known: dict[tuple[str, float], np.ndarray] = {}

        def behind(factors: Mapping[str, float]) -> Mapping[str, np.ndarray]:
            errors = bench.square_errors(factors.keys(), dac, factors)
            known.update({(name, factors[name]): each for name, each in errors.items()})
            return errors

        adc = ones | search(with_adc, behind)
        if unknown := {name: adc[name] for name in names if (name, adc[name]) not in known}:
            behind(unknown)
        after = {name: known[name, adc[name]] for name in names}
        before = bench.square_errors(names, ones, ones)
        chosen = {}
        for name in names:
            kept = _is_lower(before[name], after[name])
            residual = Residual(
                _judged(before[name]),
                _judged(after[name] if kept else before[name]),
                "of the output's mean square",
            )
            factors = (dac[name], adc[name]) if kept else (1.0, 1.0)
            chosen[name] = RangeFactors(*factors, residual)
        return chosen


STEP = Ranges()


def search(names: Iterable[str], measure: Measure) -> dict[str, float]:
    """Return the factor of each layer at which its error is least; 1 where that is not proven.

    Args:
        names: of the layers.
        measure: measures all layers at once, each at its factor.
    """
    tried: dict[str, dict[float, np.ndarray]] = {name: {} for name in sorted(names)}

    def ask(wanted: Mapping[str, float]) -> None:
        new = {name: at for name, at in wanted.items() if at not in tried[name]}
        if new:
            for name, errors in measure({name: 2.0**at for name, at in new.items()}).items():
                tried[name][new[name]] = errors

    def best(name: str) -> float:
        # Of equal errors the factor nearest to 1.
        return min(tried[name], key=lambda at: (float(tried[name][at][::2].mean()), abs(at)))

    for octave in (0.0, -1.0, 1.0):
        ask(dict.fromkeys(tried, octave))
    while beyond := {name: at for name in tried if (at := _beyond(tried[name], best(name)))}:
        ask(beyond)
    for step in _FINER:
        middle = {name: best(name) for name in tried}
        ask({name: at - step for name, at in middle.items()})
        ask({name: at + step for name, at in middle.items()})
    found = {name: best(name) for name in tried}
    return {
        name: 2.0**at if at and _is_lower(tried[name][0.0], tried[name][at]) else 1.0
        for name, at in found.items()
    }


def _beyond(tried: Mapping[float, np.ndarray], best: float) -> float | None:
    """Return the octave behind the best one, where that lies at the end of those that were tried."""
    if best == min(tried) and best > _LEAST:
        return best - 1
    if best == max(tried) and best < _MOST:
        return best + 1
    return None


def _is_lower(before: np.ndarray, after: np.ndarray) -> bool:
    """Tell whether the error of the blocks that did not choose is proven to be lower."""
    gain = (before - after)[1::2]
    if len(gain) < 2:
        return False
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    return bool(gain.mean() > stdtrit(len(gain) - 1, _LEVEL) * error)


def _judged(errors: np.ndarray) -> float:
    """Return the mean error of the blocks that did not choose; of all where there is only one."""
    return float((errors[1::2] if len(errors) > 1 else errors).mean())
