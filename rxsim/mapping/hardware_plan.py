"""The hardware plan of a network: arrays, cells and conversions of each layer.

All follow from shapes alone, unless lines of zeros are left out.
Batch sizes, totals, `rxsim map` and the report all count from this plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from rxsim.config import Reads, Settings
from rxsim.encodings import ENCODINGS
from rxsim.load import Layer, Network
from rxsim.load.macs import Work
from rxsim.mapping.cells import cells_of
from rxsim.mapping.readouts import Readouts, readouts_of
from rxsim.mapping.tiling import Tiling, tile_layer

COUNTS = Reads(
    (
        *("crossbar.rows", "crossbar.cols", "mapping", "input", "dac.n_bits"),
        *("adc.n_bits", "adc.where"),
    ),
    but=("mapping.w_max_scope", "mapping.w_percentile", "input.v_read", "input.percentile"),
)
"""The settings that the numbers of arrays, conversions and bits depend on."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerPlan:
    """How much hardware a layer takes.

    Attributes:
        layer: the layer.
        settings: the layer's settings.
        tiling: how its matrices are cut into tiles.
        macs: multiply-accumulates per network input; None where a shape is unknown.
        shared_with: the layer that has the same weights, whose arrays it uses; None for its own arrays.
    """

    layer: Layer
    settings: Settings
    tiling: Tiling = field(repr=False)
    macs: int | None
    shared_with: str | None = None

    @property
    def parameters(self) -> int:
        """Weights of the layer."""
        return int(self.layer.matrices.size)

    @property
    def arrays(self) -> int:
        """Physical arrays."""
        return self.tiling.n_arrays

    @property
    def cells(self) -> int:
        """Cells of these arrays, used or unused."""
        return self.arrays * self.settings.crossbar.rows * self.settings.crossbar.cols

    @property
    def positions(self) -> int | None:
        """Input vectors that each array gets per network input; None where a shape is unknown."""
        return None if self.macs is None else self.macs // self.parameters

    @property
    def most_passes(self) -> int:
        """Passes that are converted at most: how many there are depends on the signs of the inputs."""
        encoding = ENCODINGS[self.settings.input.encoding]
        return encoding.most_passes(self.settings.input, self.settings.dac.n_bits)

    @cached_property
    def readouts(self) -> Readouts:
        """Its converted currents."""
        cells = cells_of(self.settings.device, self.settings.mapping)
        return readouts_of(self.tiling, cells, self.layer.groups)

    @property
    def arrays_unpacked(self) -> int | None:
        """Arrays if no groups were packed together; None where none are."""
        if self.tiling.packed == 1:
            return None
        mapping = self.settings.mapping.model_copy(update={"pack_groups": False})
        return tile_layer(self.layer, self.settings.crossbar, mapping).n_arrays

    @property
    def arrays_with_zeros(self) -> int | None:
        """Arrays if no line of zeros was left out; None where none is."""
        if not self.settings.mapping.skip_zero:
            return None
        mapping = self.settings.mapping.model_copy(update={"skip_zero": False})
        return tile_layer(self.layer, self.settings.crossbar, mapping).n_arrays

    @property
    def conversions_of_tiles(self) -> np.ndarray:
        """How often each readout is converted for a pass, int64 (groups, readouts).

        Once for each row tile that has arrays of it; once with `per_layer`.
        """
        counts = self.tiling.there.sum(axis=1)
        if self.settings.adc.where == "per_layer":
            counts = np.minimum(counts, 1)
        return np.asarray(counts[:, self.readouts.col_tiles] * self.readouts.present)

    def conversions(self, passes: int) -> int | None:
        """Count the conversions per network input; None where a shape is unknown.

        Args:
            passes: converted passes of its inputs.
        """
        if self.positions is None:
            return None
        return self.positions * passes * int(self.conversions_of_tiles.sum())


@dataclass(frozen=True, slots=True, eq=False)
class NetworkPlan:
    """The layers of a network on crossbars, and the work of all its nodes.

    Attributes:
        layers: by name, in topological order; layers that the settings leave digital are left out.
        work: multiply-accumulates of every product.
    """

    layers: Mapping[str, LayerPlan]
    work: Work


def plan_network(network: Network, settings: Mapping[str, Settings], work: Work) -> NetworkPlan:
    """Plan the layers of a network.

    Args:
        network: the network.
        settings: settings of each layer on crossbars, by its name.
        work: multiply-accumulates of every product.

    Raises:
        SettingError: an array has no room for the cells of one weight.
    """
    plans: dict[str, LayerPlan] = {}
    names = {layer.index: layer.name for layer in network.layers}
    for layer in network.layers:
        layer_settings = settings.get(layer.name)
        if layer_settings is not None:
            tiling = tile_layer(layer, layer_settings.crossbar, layer_settings.mapping)
            count = work.macs.get(layer.node.name)
            if count is not None:
                count = count * layer.matrices.size // layer.node_weights
            plans[layer.name] = LayerPlan(
                layer=layer,
                settings=layer_settings,
                tiling=tiling,
                macs=count,
                shared_with=None if layer.arrays_of == layer.index else names[layer.arrays_of],
            )
    return NetworkPlan(plans, work)
