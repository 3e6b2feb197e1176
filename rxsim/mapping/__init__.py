"""Weight matrices -> tiles of target conductances on physical arrays."""

from rxsim.mapping.arrays import PhysicalArray
from rxsim.mapping.layer import MappedLayer, map_layer

__all__ = ["MappedLayer", "PhysicalArray", "map_layer"]
