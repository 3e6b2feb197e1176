"""The correction that brings the mean and the standard deviation of channels to wanted ones."""

from __future__ import annotations

import numpy as np

from rxsim.compensate.bench import ChannelMoments

# Assumption: below so many values a mean or a deviation is mostly chance.
FEWEST_VALUES = 10
# Assumption: a channel that varies so little beside the layer's liveliest is silent, or its few codes
# are: the ratio of two deviations is then chance, or infinite.
SILENT = 1e-3


def correction_of_moments(
    wanted: ChannelMoments, measured: ChannelMoments, *, spread: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gain and the addition of each channel, float64 (channels,) each.

    gain = wanted std / measured std, added = wanted mean - gain * measured mean

    A channel keeps gain 1 where it hardly varies, wanted or measured, and all keep what they have where
    there are too few values.
    Source: the batch normalisation of Joshi et al., Nat. Commun. 2020, whose statistics are updated.

    Args:
        wanted: of the float network.
        measured: of the chip, as many values.
        spread: whether deviations are corrected.
    """
    gain = np.ones_like(measured.mean)
    if measured.count < FEWEST_VALUES:
        return gain, np.zeros_like(gain)
    if spread:
        least = least_deviation(wanted)
        lively = (wanted.std > least) & (measured.std > least)
        gain = np.where(lively, wanted.std / np.where(lively, measured.std, 1.0), 1.0)
    return gain, wanted.mean - gain * measured.mean


def least_deviation(wanted: ChannelMoments) -> float:
    """Return the deviation up to which a channel of a layer keeps gain 1."""
    return SILENT * float(wanted.std.max(initial=0.0))


def moments_corrected(
    moments: ChannelMoments, gain: np.ndarray, added: np.ndarray
) -> ChannelMoments:
    """Return the moments of values that are multiplied and moved."""
    return ChannelMoments(gain * moments.mean + added, np.abs(gain) * moments.std, moments.count)


def distance_of_moments(wanted: ChannelMoments, found: ChannelMoments) -> float:
    """Return how far moments are apart, of the rms of the wanted values of all channels.

    It is the rms over channels of the distance of two normal distributions (that of Wasserstein, of
    second order): sqrt((difference of means)^2 + (difference of standard deviations)^2).
    """
    squares = (found.mean - wanted.mean) ** 2 + (found.std - wanted.std) ** 2
    outputs = float(np.mean(wanted.mean**2 + wanted.std**2)) or 1.0
    return float(np.sqrt(squares.mean() / outputs))
