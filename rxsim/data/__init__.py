"""Data sets of every kind and how their samples become a network's inputs."""

from rxsim.data.card import Card, MetricOption, card_beside, read_card
from rxsim.data.class_labels import LabelRule
from rxsim.data.data_set import DataSet, StoredArrays, Truth
from rxsim.data.given_arrays import GivenArrays, given_arrays
from rxsim.data.inputs import InputSet, fit_inputs
from rxsim.data.made_up import Fill, MadeUpInputs, Recipe, made_up_inputs
from rxsim.data.npz import read_npz
from rxsim.data.preprocess import Preprocess
from rxsim.data.sample import Split, choose_positions, choose_samples
from rxsim.data.source import Source, open_data

__all__ = [
    "Card",
    "DataSet",
    "Fill",
    "GivenArrays",
    "InputSet",
    "LabelRule",
    "MadeUpInputs",
    "MetricOption",
    "Preprocess",
    "Recipe",
    "Source",
    "Split",
    "StoredArrays",
    "Truth",
    "card_beside",
    "choose_positions",
    "choose_samples",
    "fit_inputs",
    "given_arrays",
    "made_up_inputs",
    "open_data",
    "read_card",
    "read_npz",
]
