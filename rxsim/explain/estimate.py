"""Means of chips and images with their errors, as explanations use them."""

from rxsim.estimate import Estimate, estimate

__all__ = ["Estimate", "estimate"]
