"""Which tensor of a network is evaluated, and how it follows the batch, tried on a few inputs."""

from __future__ import annotations

from rxsim.errors import InputError
from rxsim.load import Network
from rxsim.load.outputs import OutputTensor, output_tensor
from rxsim.onnx_graph import all_nodes, inner_graphs, shape_of, with_outputs
from rxsim.pipeline.study.batch_check import BatchCheck
from rxsim.pipeline.study.choice import DataChoice
from rxsim.pipeline.study.input_axes import chosen_input
from rxsim.pipeline.study.study_data import StudyData
from rxsim.run import OutputAxis, find_batch_axis
from rxsim.session import Session


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


def without_layers(network: Network, output: str) -> str:
    """Say that nothing on crossbars stands before an output; empty where something does."""
    makers = {name: node for node in network.model.graph.node for name in node.output if name}
    mapped = {layer.node.name for layer in network.layers}
    waiting, seen = [output], {output}
    while waiting:
        node = makers.get(waiting.pop())
        if node is None:
            continue
        inside = [inner for graph in inner_graphs(node) for inner in all_nodes(graph)]
        if any(each.name in mapped for each in (node, *inside)):
            return ""
        read = {name for each in (node, *inside) for name in each.input if name} - seen
        seen |= read
        waiting += read
    return (
        f"no layer on crossbars stands before {output}: hardware does not change it; name another "
        "tensor with --output"
    )


def probe_output(
    network: Network, chosen: OutputTensor, data: StudyData, choice: DataChoice, *, batch: int
) -> OutputAxis:
    """Find out which axis of an output is the batch, and whether the batch's inputs are independent.

    Args:
        network: the network.
        chosen: the tensor that is evaluated.
        data: the evaluated and the calibration inputs.
        choice: what the user says of axes.
        batch: inputs a batch, where the network leaves that free.

    Raises:
        ModelError: the network can't be run, or the stated axis does not fit.
    """
    stated = choice.batch_axis
    alone = network.fixed_batch == 1 or (network.fixed_batch is None and batch == 1)
    if alone and stated is None:
        return OutputAxis(None)
    output = chosen.name
    model = network.model if chosen.problem else network.original
    value = next((item for item in model.graph.output if item.name == output), None)
    shape = None if value is None else shape_of(value)
    what = f"model {network.path.name}"
    tapped = model if value is not None else with_outputs(model, [output])
    session = Session(tapped, what, network.fixed_batch)
    found = find_batch_axis(
        session,
        data.inputs,
        output,
        what=what,
        follows=shape is not None and shape[:1] == (None,),
        stated=stated,
    )
    if chosen.problem:
        return found
    return BatchCheck(
        network=network,
        session=session,
        output=output,
        main=chosen_input(network, choice.input),
        inputs=data.inputs,
        others=data.calibration,
        stated=choice.stated.batch_axes,
    ).checked(found)
