"""The technology that settings choose: read, scaled, and with each layer's ADC."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

from rxsim.config import Settings
from rxsim.config.cost import Cost
from rxsim.cost.adc import AdcDesign
from rxsim.cost.adc_choice import adc_design, with_adc
from rxsim.cost.latency import StageTimes
from rxsim.cost.layer_counts import Organisation
from rxsim.cost.scaling import scaled
from rxsim.cost.technology import LevelName, Technology
from rxsim.cost.technology_files import read_technology
from rxsim.cost.totals import counts_in, instances
from rxsim.mapping import cells_of


@dataclass(frozen=True)
class ChosenTechnology:
    """A technology as the section `cost` chooses it.

    Attributes:
        cost: the section.
        technology: read and scaled; its ADC as it states it.
    """

    cost: Cost
    technology: Technology

    @property
    def name(self) -> str:
        """The technology's name or file."""
        return self.cost.technology

    @cached_property
    def columns_per_adc(self) -> int:
        """Columns of an array of the technology that one ADC converts, all where arrays share it."""
        cols = self.technology.product.cols
        return min(math.ceil(cols * self._arrays_per_adc), cols)

    @cached_property
    def _arrays_per_adc(self) -> float:
        """Arrays of the technology for each of its ADCs, whatever level these stand at."""
        technology = self.technology
        inner, outermost = technology.level_names[0], technology.level_names[-1]
        adcs = counts_in(technology, outermost).get(technology.adc_name)
        return instances(technology, inner, outermost) / adcs if adcs else 1.0

    def arrays_of_adc(self, settings: Settings) -> float:
        """Return how many arrays take turns at an ADC: 1 where it has not all columns of an array.

        Args:
            settings: of the layer, with its columns of an ADC.
        """
        has_all = settings.adc.share >= settings.crossbar.cols
        is_asked = self.cost.adc_share is not None
        return max(self._arrays_per_adc, 1.0) if has_all and not is_asked else 1.0

    @property
    def unit(self) -> LevelName:
        """The level that adds up what its arrays give: the one around arrays, or arrays themselves."""
        names = self.technology.level_names
        return names[min(1, len(names) - 1)]

    @property
    def organisation(self) -> Organisation:
        """How its arrays stand together."""
        names = self.technology.level_names
        return Organisation(
            arrays_per_unit=max(int(instances(self.technology, names[0], self.unit)), 1)
        )

    def shared(self, settings: Settings) -> Settings:
        """Give a layer's settings the columns of an ADC that are asked for, or the technology's.

        Accuracy does not depend on `adc.share` where it is 1.
        """
        share = self.cost.adc_share
        if share is None:
            if settings.adc.share > 1:
                return settings
            share = self.stated_share(settings)
        return settings.model_copy(update={"adc": settings.adc.model_copy(update={"share": share})})

    def stated_share(self, settings: Settings) -> int:
        """Return the columns of an ADC that the technology states, of arrays of the settings' size."""
        return min(self.columns_per_adc, settings.crossbar.cols)

    def has_stated_adcs(self, settings: Settings) -> bool:
        """Whether a layer has as many ADCs for its arrays as the technology states.

        Args:
            settings: of the layer, with its columns of an ADC.
        """
        is_share = settings.adc.share == self.stated_share(settings)
        return is_share and self.arrays_of_adc(settings) == max(self._arrays_per_adc, 1.0)

    def adc_design(self, settings: Settings) -> AdcDesign | None:
        """Return what a layer asks of its ADC; None without one.

        The resistance of a column is that of all its cells at the middle of their range, in parallel.

        Raises:
            InputError: the technology does not say how often its ADC converts.
        """
        if settings.adc.n_bits is None:
            return None
        device, rows = settings.device, settings.crossbar.rows
        column_s = rows * (device.g_on + device.g_off) / 2
        return replace(
            adc_design(self.technology, settings.adc.n_bits),
            rows=rows,
            column_ohm=1 / column_s,
            v_read=settings.input.v_read,
        )

    def at_layer(self, settings: Settings) -> Technology:
        """Return the technology with a layer's ADC.

        Raises:
            InputError: the ADC model does not hold for the layer's ADC.
        """
        design = self.adc_design(settings)
        if design is None:
            return self.technology
        return with_adc(
            self.technology, self.cost.adc_model, design, scale_node=self.cost.scale_adc
        )

    def times(self, settings: Settings) -> StageTimes:
        """Return the times of a layer's reads.

        Where the technology states no time of a read, conversions alone set the pace; without an ADC
        either, a read takes the technology's stage.

        Args:
            settings: of the layer, with its columns of an ADC.
        """
        product = self.technology.product
        has_adc = settings.adc.n_bits is not None
        share = min(settings.adc.share, _columns_side_by_side(settings))
        return StageTimes(
            t_read=product.read_s or (0.0 if has_adc else product.stage_s),
            t_conversion=1 / (self.technology.adc.rate_hz or math.inf) if has_adc else 0.0,
            share=math.ceil(share * self.arrays_of_adc(settings)),
            stages=product.stages,
        )


def _columns_side_by_side(settings: Settings) -> int:
    """Return the most columns of a tile that are converted: slices and sides lie side by side."""
    cells = cells_of(settings.device, settings.mapping)
    is_one_array = settings.mapping.layout == "adjacent"
    return settings.crossbar.cols * (1 if is_one_array else cells.readouts)


def chosen_technology(cost: Cost) -> ChosenTechnology:
    """Read the technology that a section names.

    Raises:
        InputError: there is no such technology, its file can't be read, or a node is out of range.
        SettingError: an entry of its file is unusable.
    """
    technology = read_technology(cost.technology)
    if cost.node_nm is not None:
        technology = scaled(technology, cost.node_nm, adcs=cost.scale_adc)
    return ChosenTechnology(cost=cost, technology=technology)
