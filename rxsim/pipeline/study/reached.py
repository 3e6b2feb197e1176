"""Which layers in branches of If a calibration can measure: those that a calibration input reaches."""

from __future__ import annotations

from rxsim.errors import ModelError
from rxsim.load import Network
from rxsim.load.network import left_digital
from rxsim.onnx_graph import nodes_with_holders, with_outputs
from rxsim.pipeline.study.calibration import Calibration
from rxsim.session import Inputs, Session

_REASON = "in a branch that no calibration input takes: its ranges are not known"


def with_reached_layers(
    network: Network,
    calibration: Inputs,
    kept: Calibration | None,
    *,
    batch: int,
    threads: int,
) -> Network:
    """Leave the layers digital whose ranges no calibration input tells.

    Converters without a range would make such a branch return zeros where it is taken after all.

    Args:
        network: the network.
        calibration: the calibration inputs, run once where there are branches.
        kept: an earlier calibration, whose layers were reached then.
        batch: inputs a batch, as calibration runs them.
        threads: batches in flight.

    Raises:
        ModelError: no layer is left.
    """
    branches = {
        node.name for node, holders in nodes_with_holders(network.model.graph) if "If" in holders
    }
    layers = [layer for layer in network.layers if layer.node.name in branches]
    if not layers:
        return network
    if kept is not None:
        unmeasured = {layer.node.name for layer in layers if layer.name not in kept.input_ranges}
        return left_digital(network, unmeasured, _REASON)
    names = list(dict.fromkeys(layer.output for layer in layers))
    session = Session(with_outputs(network.model, names), "the float network", network.fixed_batch)
    reached: set[str] = set()
    try:
        for results in session.batches(calibration, names, batch=batch, threads=threads):
            reached.update(name for name, values in zip(names, results, strict=True) if values.size)
    except ModelError:  # told where it is measured
        return network
    unreached = {layer.node.name for layer in layers if layer.output not in reached}
    return left_digital(network, unreached, _REASON)
