"""A network is priced from its graph alone: signs of inputs, and no run."""

from pathlib import Path

import pytest

from rxsim.config import load_settings
from rxsim.load import load_network
from rxsim.pipeline import example_shapes, network_cost, open_study, study_cost

MODELS = Path(__file__).parent.parent / "models"


@pytest.mark.parametrize("name", ["digits_cnn", "digits_resnet"])
def test_signs_from_the_graph_give_the_counts_of_calibrated_signs(name: str) -> None:
    """In two phases a layer takes a second pulse where its inputs have both signs."""
    settings = load_settings(
        assignments=["input.signed_input=two_phase", "cost.array_energy=technology"]
    )
    network = load_network(MODELS / f"{name}.onnx")
    told = network_cost(network, settings, example_shapes(network))
    measured = study_cost(open_study(MODELS / f"{name}.onnx", settings))
    pulses = {layer.name: layer.counts.pulses for layer in told.layers}
    calibrated = {layer.name: layer.counts.pulses for layer in measured.layers}
    first, *rest = pulses
    # Digits are never below 0, which the graph can't know; behind a Relu it does.
    assert {layer: pulses[layer] for layer in rest} == {layer: calibrated[layer] for layer in rest}
    assert set(calibrated.values()) == {1}
    assert pulses[first] == 2
