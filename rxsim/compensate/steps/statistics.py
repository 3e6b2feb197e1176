"""Mean and standard deviation of every channel brought to the float network's, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

from rxsim.compensate.bench import NormalisedLayer, OutputBench
from rxsim.compensate.moments import distance_of_moments
from rxsim.compensate.step import Correction, Knowledge, Needs, OutputStep, Residual
from rxsim.mapping import MappedLayer
from rxsim.schema import Section

UNIT = "of the outputs' rms, rms error of mean and spread, on the inputs fitted to"


class StatisticsOptions(Section):
    """Options of `statistics`.

    Attributes:
        spread: whether the standard deviation is brought to the float network's, not the mean only.
    """

    spread: bool = True


class Statistics(OutputStep[StatisticsOptions]):
    """Gains and additions of outputs, by the moments of their channels."""

    title = "mean and spread of each channel"
    source = "Joshi et al., Nat. Commun. 2020"
    options = StatisticsOptions

    def knows(self, options: StatisticsOptions) -> Knowledge:
        """Say that the chip is measured."""
        return "chip"

    def needs(self, layer: MappedLayer, options: StatisticsOptions) -> Needs:
        """Ask for an addition for each output, and for a multiplication with `spread`."""
        outputs = layer.layer.n_channels
        scaled = outputs if options.spread else 0
        return Needs(multipliers=scaled, adders=outputs, stored_values=scaled + outputs, reads=1)

    def correct(self, bench: OutputBench, options: StatisticsOptions) -> Mapping[str, Correction]:
        """Correct every layer."""
        found = bench.normalised(spread=options.spread)
        return {
            layer.layer.name: _correction(layer, found[layer.layer.name]) for layer in bench.layers
        }


def _correction(layer: MappedLayer, found: NormalisedLayer) -> Correction:
    before, after = (
        distance_of_moments(found.wanted, each) for each in (found.before, found.after)
    )
    return Correction(
        output_gain=layer.tiling.of_outputs(found.gain, 1.0),
        added=layer.tiling.of_outputs(found.added, 0.0),
        residual=Residual(before, after, UNIT),
    )


STEP = Statistics()
