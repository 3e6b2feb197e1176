"""What a compensation step is: where it acts, what it may know, what hardware it asks for.

A step is one file of `rxsim/compensate/steps`, which holds it as `STEP`. There are four kinds, by the
place on the path of a layer where they act; the list `compensate` orders steps of the same kind.

map -> [design] -> ranges of converters [ranges] -> this chip's targets [tile] -> program -> solve
    -> convert -> digital [output]

Source: docs/concepts/model.md, section 14.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar, get_args

import numpy as np

from rxsim.compensate.bench import OutputBench, RangeBench
from rxsim.config import Settings
from rxsim.mapping import MappedLayer, PhysicalArray
from rxsim.schema import Section

Place = Literal["design", "ranges", "tile", "output"]
"""Where a step acts on the path of a layer."""
PLACES: tuple[Place, ...] = get_args(Place)
"""The places in the order of the path."""
Knowledge = Literal["design", "chip"]
"""What a step may know: nominal devices and wires, or this chip, measured through its converters."""
OptionsT = TypeVar("OptionsT", bound=Section)


class NoOptions(Section):
    """Options of a step that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """The hardware that a step asks for in one layer, beyond what the layer has.

    Attributes:
        multipliers: digital multiplications for each output position.
        adders: digital additions for each output position.
        stored_values: numbers kept in registers or memory.
        spare_columns: further columns of arrays.
        reads: how often the chip's products of every calibration input are read, before it works.
        cell_reads: cells that are read or tested one by one.
    """

    multipliers: int = 0
    adders: int = 0
    stored_values: int = 0
    spare_columns: int = 0
    reads: int = 0
    cell_reads: int = 0

    def __add__(self, other: Needs) -> Needs:
        """Return what two steps or layers ask for together."""
        names = self.__dataclass_fields__
        return Needs(**{name: getattr(self, name) + getattr(other, name) for name in names})


def tested_once(needs: Sequence[Needs]) -> list[Needs]:
    """Count the test of a layer's cells at the first step that asks for it: it serves all later ones.

    Args:
        needs: of each step in one layer, in the order of the list.
    """
    counted, tested = [], 0
    for each in needs:
        further = max(each.cell_reads - tested, 0)
        counted.append(replace(each, cell_reads=further))
        tested += further
    return counted


@dataclass(frozen=True, slots=True)
class Residual:
    """The error that a step works on, in a layer, before and after it.

    Attributes:
        before: before the step.
        after: after it.
        unit: what the numbers are, for readers: "of the conductance range, rms".
    """

    before: float
    after: float
    unit: str


class Step(ABC, Generic[OptionsT]):
    """A step of compensation.

    Attributes:
        title: its name for readers.
        source: the publication.
        options: model of its options.
        place: where it acts; the class of its kind says so.
        variants: the options that `compensate: auto` tries, one after the other.
        mends: name of the effect without which it does nothing; None where it acts against several.
        on_float_inputs: whether it leaves layers that see about what the float network brings to them,
            so that ADC ranges are calibrated on that.
    """

    title: str
    source: str
    options: type[OptionsT]
    place: Place
    variants: tuple[Mapping[str, Any], ...] = ({},)
    mends: str | None = None
    on_float_inputs: bool = False

    @abstractmethod
    def knows(self, options: OptionsT) -> Knowledge:
        """Say what it may know."""

    def check(self, settings: Settings, options: OptionsT) -> str | None:
        """Return why it can't work with a layer's settings: what was found, and what to do.

        Such as "found mapping.scheme: offset, expected pairs of cells; use mapping.scheme:
        differential". None where it can.
        """
        return None

    def needs(self, layer: MappedLayer, options: OptionsT) -> Needs:
        """Return the hardware that it asks for in a layer."""
        return Needs()


@dataclass(frozen=True, slots=True, eq=False)
class Designed:
    """A layer after a design step.

    Attributes:
        layer: the layer, whose arrays have other targets or other places of rows and columns.
        residual: the error that the step works on; None where it has none to tell.
    """

    layer: MappedLayer
    residual: Residual | None = None


Solve = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""`solve(g, rows, cols)`: exact g_eff of an array at some rows and columns, siemens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What a design step may use besides the layer.

    Attributes:
        settings: the layer's.
        solve: solves the circuit of an array with nominal devices.
        deviation: nominal standard deviation of programmed cells from their levels, siemens.
        has_circuit: whether g_eff differs from the conductances at all.
        each: applies a function to every array number of the layer, in threads, results in order.
    """

    settings: Settings
    solve: Solve
    deviation: float
    has_circuit: bool
    each: Callable[[Callable[[int], Any], Sequence[int]], list[Any]]


class DesignStep(Step[OptionsT]):
    """A step on a layer's targets, before programming: the same for every chip.

    Attributes:
        counts_deviation: whether its result depends on `Workshop.deviation`.
    """

    place: Place = "design"
    counts_deviation: bool = False

    def knows(self, options: OptionsT) -> Knowledge:
        """Say that nominal devices and wires are enough."""
        return "design"

    @abstractmethod
    def design(self, layer: MappedLayer, workshop: Workshop, options: OptionsT) -> Designed:
        """Return the layer with other targets, or with rows and columns at other places.

        Args:
            layer: the mapped layer, or what the design step before made of it.
            workshop: the layer's settings, the circuit solver, and threads.
            options: the step's.
        """


class ArrayStep(DesignStep[OptionsT]):
    """A design step that changes each array by itself."""

    @abstractmethod
    def retarget(
        self, array: PhysicalArray, layer: MappedLayer, settings: Settings, options: OptionsT
    ) -> PhysicalArray:
        """Return an array with other targets, or with its rows and columns moved."""

    def design(self, layer: MappedLayer, workshop: Workshop, options: OptionsT) -> Designed:
        """Change every array."""

        def changed(index: int) -> PhysicalArray:
            return self.retarget(layer.array(index), layer, workshop.settings, options)

        return Designed(layer.with_arrays(workshop.each(changed, range(layer.n_arrays))))


@dataclass(frozen=True, slots=True, eq=False)
class KnownTile:
    """The arrays of a tile on a chip whose stuck cells are known.

    Attributes:
        arrays: with their targets, in the order of `MappedLayer.array`.
        stuck: for each array siemens at which a cell is stuck, NaN where it works, float64 (n_rows,
            n_cols); also where an array is `blank`, for a step may put a cell to use there.
    """

    arrays: tuple[PhysicalArray, ...]
    stuck: tuple[np.ndarray, ...]

    @property
    def has_stuck(self) -> bool:
        """Whether any cell is stuck."""
        return any(not np.isnan(cells).all() for cells in self.stuck)


class TileStep(Step[OptionsT]):
    """A step on the targets of one chip, whose stuck cells are known."""

    place: Place = "tile"

    def knows(self, options: OptionsT) -> Knowledge:
        """Say that this chip's stuck cells must be known."""
        return "chip"

    @abstractmethod
    def retarget(
        self, tile: KnownTile, layer: MappedLayer, settings: Settings, options: OptionsT
    ) -> tuple[PhysicalArray, ...]:
        """Return the arrays of a tile with other targets, or other columns.

        Args:
            tile: its arrays, of which at least one has a stuck cell.
            layer: the layer.
            settings: the layer's.
            options: the step's.
        """


@dataclass(frozen=True, slots=True, eq=False)
class RangeFactors:
    """Factors on the ranges of a layer's converters.

    Attributes:
        dac: on x_max.
        adc: on the ranges of the ADCs.
        residual: mean square error of the layer's output, before and after.
    """

    dac: float = 1.0
    adc: float = 1.0
    residual: Residual | None = None


class RangeStep(Step[OptionsT]):
    """A step on the ranges of converters: the same for every chip."""

    place: Place = "ranges"

    def knows(self, options: OptionsT) -> Knowledge:
        """Say that nominal devices and wires are enough."""
        return "design"

    @abstractmethod
    def choose(self, bench: RangeBench, options: OptionsT) -> Mapping[str, RangeFactors]:
        """Return the factors of each layer, by its name."""


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """What is done to a layer's partial sums and outputs digitally, after conversion and decoding.

    output = sum over row tiles p of gain[p] * partial sum p + added + x @ weights

    Attributes:
        gain: float64, broadcast to (row tiles, groups, N) of the layer's tiling; None: 1.
        added: in output units, float64 (groups, N); None: 0. A channel's earlier addition is multiplied
            by `output_gain` and kept.
        output_gain: of the sum of partial sums and of earlier additions, float64 (groups, N); None: 1.
        weights: computed digitally besides, from the DACs' codes, float64 (groups, K, N) of the tiling.
        residual: the error that the step works on.
    """

    gain: np.ndarray | None = None
    added: np.ndarray | None = None
    output_gain: np.ndarray | None = None
    weights: np.ndarray | None = None
    residual: Residual | None = None

    @property
    def is_identity(self) -> bool:
        """Whether it changes no output."""
        gains = [each for each in (self.gain, self.output_gain) if each is not None]
        added = [each for each in (self.added, self.weights) if each is not None]
        return all((each == 1).all() for each in gains) and not any(map(np.any, added))


class OutputStep(Step[OptionsT]):
    """A digital step behind the ADCs."""

    place: Place = "output"
    on_float_inputs: bool = True

    @abstractmethod
    def correct(self, bench: OutputBench, options: OptionsT) -> Mapping[str, Correction]:
        """Return what is corrected in each layer, by its name.

        Args:
            bench: measures the chip (or the design) on calibration inputs through its converters.
            options: the step's.
        """
