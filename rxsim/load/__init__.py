"""From an ONNX file to a normalised graph and the list of layers a crossbar can take."""

from rxsim.load.inputs import InputSpec
from rxsim.load.network import DigitalNode, Network, load_network
from rxsim.load.patched_before import patched_before
from rxsim.load.stated_ranges import StatedRange, stated_ranges
from rxsim.load.write import write_onnx
from rxsim.operators import Layer

__all__ = [
    "DigitalNode",
    "InputSpec",
    "Layer",
    "Network",
    "StatedRange",
    "load_network",
    "patched_before",
    "stated_ranges",
    "write_onnx",
]
