"""Labelled data sets and how their samples become a network's inputs."""

from rxsim.data.card import Card, card_beside, read_card
from rxsim.data.inputs import InputSet, fit_preprocess
from rxsim.data.made_up import MadeUpInputs, made_up_inputs
from rxsim.data.npz import LabelledArrays, read_npz
from rxsim.data.preprocess import Preprocess
from rxsim.data.sample import Split, choose_positions, choose_samples

__all__ = [
    "Card",
    "InputSet",
    "LabelledArrays",
    "MadeUpInputs",
    "Preprocess",
    "Split",
    "card_beside",
    "choose_positions",
    "choose_samples",
    "fit_preprocess",
    "made_up_inputs",
    "read_card",
    "read_npz",
]
