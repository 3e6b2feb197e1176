"""Which layers stay digital, and the settings of those that do not."""

from __future__ import annotations

from dataclasses import replace

from rxsim.config import Settings, check_gating, check_layers, layer_settings
from rxsim.errors import InputError
from rxsim.load import DigitalNode, Network


def settings_by_layer(network: Network, settings: Settings) -> dict[str, Settings]:
    """Resolve the settings of every layer on crossbars, by its name."""
    by_layer = {layer.name: layer_settings(settings, layer.name) for layer in network.layers}
    return {name: of_layer for name, of_layer in by_layer.items() if of_layer is not None}


def without_digital(network: Network, settings: Settings) -> Network:
    """Leave the layers digital that the settings want so.

    Raises:
        RxsimError: settings name a layer that is not there, or no layer is left.
    """
    check_layers(settings, [layer.name for layer in network.layers])
    return less_digital(network, settings)


def less_digital(network: Network, settings: Settings) -> Network:
    """Leave layers digital; see `without_digital`."""
    kept, nodes = [], []
    resolved = {layer.index: layer_settings(settings, layer.name) for layer in network.layers}
    for layer in network.layers:
        of_layer = resolved[layer.index]
        if of_layer is None:
            nodes.append(DigitalNode(layer.name, layer.op, "the settings say so"))
        else:
            check_gating(of_layer.crossbar, of_layer.input, of_layer.dac)
            shared = resolved[layer.arrays_of] == of_layer  # else they can't be the same arrays
            kept.append(layer if shared else replace(layer, arrays_of=layer.index))
    if nodes and not kept:
        raise InputError(
            f"layers: found every layer of {network.path.name} digital, expected one on crossbars at "
            "least; narrow the pattern"
        )
    return replace(network, layers=tuple(kept), digital=(*network.digital, *nodes))
