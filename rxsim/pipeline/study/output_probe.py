"""Which tensor of a network is evaluated, and how it follows the batch, tried on a few inputs."""

from __future__ import annotations

from rxsim.errors import InputError
from rxsim.load import Network
from rxsim.load.outputs import OutputTensor, output_tensor
from rxsim.onnx_graph import shape_of, with_outputs
from rxsim.run import OutputAxis, find_batch_axis
from rxsim.session import Inputs, Session


def choose_output(network: Network, asked: str | None) -> OutputTensor:
    """Choose the tensor that is evaluated; where no output can be, a layer's, with the problem.

    Raises:
        InputError: the tensor that was asked for can't be evaluated.
    """
    try:
        return output_tensor(network.original, network.model, asked, network.path.name)
    except InputError as error:
        if asked is not None:
            raise
        layer = network.layers[0].output
        return OutputTensor(layer, layer, problem=str(error))


def probe_output(
    network: Network, chosen: OutputTensor, inputs: Inputs, *, batch: int, stated: int | None
) -> OutputAxis:
    """Find out which axis of an output is the batch.

    Args:
        network: the network.
        chosen: the tensor that is evaluated.
        inputs: the evaluated inputs.
        batch: inputs a batch, where the network leaves that free.
        stated: the axis that a user states, or None.

    Raises:
        ModelError: the network can't be run, or the stated axis does not fit.
    """
    alone = network.fixed_batch == 1 or (network.fixed_batch is None and batch == 1)
    if alone and stated is None:
        return OutputAxis(None)
    output = chosen.name
    model = network.model if chosen.problem else network.original
    value = next((item for item in model.graph.output if item.name == output), None)
    shape = None if value is None else shape_of(value)
    what = f"model {network.path.name}"
    return find_batch_axis(
        Session(
            model if value is not None else with_outputs(model, [output]), what, network.fixed_batch
        ),
        inputs,
        output,
        what=what,
        follows=shape is not None and shape[:1] == (None,),
        stated=stated,
    )
