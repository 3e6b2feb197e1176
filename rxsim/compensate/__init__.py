"""Compensation: steps that give accuracy back without training, in the order of `compensate`.

Source: docs/concepts/model.md, section 14.
"""

from rxsim.compensate.bench import (
    ChannelMoments,
    NormalisedLayer,
    OutputBench,
    PartialSums,
    RangeBench,
)
from rxsim.compensate.chosen import (
    STEPS,
    ChosenStep,
    acting_on_arrays,
    check_steps,
    chosen_steps,
    entries_at,
    sees_float_inputs,
)
from rxsim.compensate.moments import correction_of_moments
from rxsim.compensate.step import (
    PLACES,
    ArrayStep,
    Correction,
    Designed,
    DesignStep,
    KnownTile,
    Needs,
    NoOptions,
    OutputStep,
    RangeFactors,
    RangeStep,
    Residual,
    Step,
    TileStep,
    Workshop,
    tested_once,
)

__all__ = [
    "PLACES",
    "STEPS",
    "ArrayStep",
    "ChannelMoments",
    "ChosenStep",
    "Correction",
    "DesignStep",
    "Designed",
    "KnownTile",
    "Needs",
    "NoOptions",
    "NormalisedLayer",
    "OutputBench",
    "OutputStep",
    "PartialSums",
    "RangeBench",
    "RangeFactors",
    "RangeStep",
    "Residual",
    "Step",
    "TileStep",
    "Workshop",
    "acting_on_arrays",
    "check_steps",
    "chosen_steps",
    "correction_of_moments",
    "entries_at",
    "sees_float_inputs",
    "tested_once",
]
