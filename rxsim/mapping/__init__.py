"""Weight matrices -> tiles of target conductances on physical arrays."""

from rxsim.mapping.array_stack import ArrayStack
from rxsim.mapping.arrays import PhysicalArray
from rxsim.mapping.blocks import block_weights
from rxsim.mapping.cells import cells_of
from rxsim.mapping.consecutive import slice_of
from rxsim.mapping.hardware_plan import COUNTS, LayerPlan, NetworkPlan, plan_network
from rxsim.mapping.layer import MappedLayer, map_layer
from rxsim.mapping.readouts import Readouts
from rxsim.mapping.tiling import Tiling, tile_layer

__all__ = [
    "COUNTS",
    "ArrayStack",
    "LayerPlan",
    "MappedLayer",
    "NetworkPlan",
    "PhysicalArray",
    "Readouts",
    "Tiling",
    "block_weights",
    "cells_of",
    "map_layer",
    "plan_network",
    "slice_of",
    "tile_layer",
]
