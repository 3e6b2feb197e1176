"""Means of chips and images with their errors, as explanations use them."""

from rxsim.estimate import Estimate, estimate, widened

__all__ = ["Estimate", "estimate", "widened"]
