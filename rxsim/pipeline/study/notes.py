"""What a user should know of a study beside its results, a line each."""

from __future__ import annotations

from collections.abc import Sequence

from rxsim.config import Settings, layer_settings, not_aged_note
from rxsim.load import Network
from rxsim.load.outputs import OutputTensor
from rxsim.onnx_graph import RANDOM, all_nodes
from rxsim.pipeline.study.batch_check import note_on_steps
from rxsim.pipeline.study.choice import DataChoice
from rxsim.pipeline.study.idle_settings import idle_notes
from rxsim.pipeline.study.input_axes import chosen_input
from rxsim.pipeline.study.output_probe import without_layers
from rxsim.pipeline.study.study_data import StudyData
from rxsim.run import OutputAxis


def notes_on(
    at_times: Sequence[Settings],
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
        at_times: the settings at each time of reading.
        network: the network, with the layers that are on crossbars.
        choice: what the user says of data and axes.
        chosen: the tensor that is evaluated.
        found: how it follows the batch.
        data: the inputs.
        evaluates: whether the output is evaluated; else a problem with it is a warning.
    """
    names = [layer.name for layer in network.layers]
    resolved = (layer_settings(each, name) for each in at_times for name in names)
    notes = (
        chosen.note,
        without_layers(network, chosen.name),
        note_on_steps(chosen_input(network, choice.input), choice.stated.batch_axes),
        found.note,
        "" if evaluates or not found.problem else f"warning: {found.problem}",
        *data.notes,
        _random_note(network),
        *idle_notes(each for each in resolved if each is not None),
        "" if evaluates else not_aged_note(at_times, names),  # results hold it
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
