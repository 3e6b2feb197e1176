"""The number of rxsim's arithmetic: part of the identity of every result that is kept."""

NUMERICS = 5
"""Raised whenever the same model, data and settings would give other numbers than before."""
