"""What a user should know of a study beside its results, a line each."""

from __future__ import annotations

from rxsim.load import Network
from rxsim.load.outputs import OutputTensor
from rxsim.mapping import NetworkPlan
from rxsim.onnx_graph import RANDOM, all_nodes
from rxsim.pipeline.study.batch_check import note_on_steps
from rxsim.pipeline.study.choice import DataChoice
from rxsim.pipeline.study.idle_settings import idle_notes
from rxsim.pipeline.study.input_axes import chosen_input
from rxsim.pipeline.study.output_probe import without_layers
from rxsim.pipeline.study.study_data import StudyData
from rxsim.run import OutputAxis


def notes_on(
    plan: NetworkPlan,
    network: Network,
    choice: DataChoice,
    chosen: OutputTensor,
    found: OutputAxis,
    data: StudyData,
    *,
    evaluates: bool,
) -> tuple[str, ...]:
    """Collect the notes of a study.

    Args:
        plan: what the layers take of the hardware.
        network: the network, with the layers that are on crossbars.
        choice: what the user says of data and axes.
        chosen: the tensor that is evaluated.
        found: how it follows the batch.
        data: the inputs.
        evaluates: whether the output is evaluated; else a problem with it is a warning.
    """
    notes = (
        chosen.note,
        without_layers(network, chosen.name),
        note_on_steps(chosen_input(network, choice.input), choice.stated.batch_axes),
        found.note,
        "" if evaluates or not found.problem else f"warning: {found.problem}",
        *data.notes,
        _random_note(network),
        *idle_notes({name: layer.settings for name, layer in plan.layers.items()}),
    )
    return tuple(note for note in notes if note)


def _random_note(network: Network) -> str:
    """Warn of nodes that give something else each time; empty where there are none."""
    nodes = [node for node in all_nodes(network.model.graph) if node.op_type in RANDOM]
    if not nodes:
        return ""
    return (
        f"the node {nodes[0].name} ({nodes[0].op_type}) is random: results differ from run to run, and "
        "rungs differ by it; export the model without it"
    )
