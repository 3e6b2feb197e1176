"""Greatest likelihood of a normal error whose mean and deviation are curves.

    y ~ N(m(x), s(x)^2 + v),  m = A a,  s = B b

with A and B the factors of two bases, and v a variance that is known beforehand (of an estimate, say).
A value that a floor has hidden (a conductance below what can be read is read as 0) counts with the
probability of lying there: Tobin, Econometrica 26, 1958. Standard errors are those of the observed
information, the negative second derivatives at the greatest likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from rxsim.fitting.bases import Basis

_STEPS = 200
_TOLERANCE = 1e-9  # of the logarithm of the likelihood
_LEAST = 1e-7  # smallest deviation over the whole data's: below it a curve runs into a zero


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Values whose mean and deviation are looked for, one a row.

    Attributes:
        x: relative conductance, (n,).
        y: the values, (n,).
        variance: known variance that adds to the one looked for, (n,).
        weight: how much a row counts, (n,).
        floor: where a hidden value lies at or below, (n,); minus infinity for values that are seen.
        within: mean square of the values around y, where a row stands for several, (n,).
    """

    x: np.ndarray
    y: np.ndarray
    variance: np.ndarray
    weight: np.ndarray
    floor: np.ndarray
    within: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def where(self, chosen: np.ndarray) -> Sample:
        """Return the chosen rows (bool or indices)."""
        return Sample(
            self.x[chosen],
            self.y[chosen],
            self.variance[chosen],
            self.weight[chosen],
            self.floor[chosen],
            self.within[chosen],
        )


def sample_of(
    x: np.ndarray,
    y: np.ndarray,
    *,
    variance: np.ndarray | float = 0.0,
    weight: np.ndarray | float = 1.0,
    floor: np.ndarray | float = -np.inf,
) -> Sample:
    """Return a sample; single numbers stand for all rows."""
    given = (y, variance, weight, floor, 0.0)
    return Sample(
        np.asarray(x, dtype=float), *(np.broadcast_to(v, x.shape).astype(float) for v in given)
    )


def gathered(sample: Sample) -> Sample:
    """Let one row stand for all of the same x and variance; the likelihood is the same."""
    kinds, kind = np.unique(sample.x + 1j * sample.variance, return_inverse=True)
    if 4 * len(kinds) > len(sample):
        return sample
    hidden = ~np.isneginf(sample.floor)
    key = 2 * kind + hidden
    weight = np.bincount(key, sample.weight, 2 * len(kinds))
    kept = weight > 0

    def mean(values: np.ndarray) -> np.ndarray:
        sums = np.bincount(key, sample.weight * values, 2 * len(kinds))
        return np.asarray(np.divide(sums, weight, out=np.zeros_like(sums), where=kept))

    y, floor = mean(sample.y), mean(np.where(hidden, sample.floor, 0.0))
    within = mean(np.square(sample.y - y[key]) + sample.within)
    floor[0::2] = -np.inf
    x, variance = np.repeat(kinds.real, 2), np.repeat(kinds.imag, 2)
    return Sample(x, y, variance, weight, floor, within).where(kept)


@dataclass(frozen=True, slots=True, eq=False)
class NormalFit:
    """The curves of greatest likelihood.

    Attributes:
        mean: basis of the mean.
        sigma: basis of the deviation.
        a: coefficients of the mean.
        b: coefficients of the deviation.
        covariance: of a and b together, (len(a) + len(b),) * 2.
        log_likelihood: its logarithm.
    """

    mean: Basis
    sigma: Basis
    a: np.ndarray
    b: np.ndarray
    covariance: np.ndarray
    log_likelihood: float

    def mean_at(self, x: np.ndarray) -> np.ndarray:
        """Return the mean, of x's shape."""
        return np.asarray(self.mean.at(x) @ self.a)

    def sigma_at(self, x: np.ndarray) -> np.ndarray:
        """Return the deviation, of x's shape."""
        return np.asarray(self.sigma.at(x) @ self.b)


def fit_normal(sample: Sample, mean: Basis, sigma: Basis) -> NormalFit | None:
    """Find the curves of greatest likelihood by Newton's method with Levenberg's damping.

    Args:
        sample: the values.
        mean: form of the mean.
        sigma: form of the deviation.

    Returns:
        None where there is none: the deviation runs into 0 at a row, or rows are too few.
    """
    sample = gathered(sample)
    mean_factors, sigma_factors = mean.at(sample.x), sigma.at(sample.x)
    theta = _start(sample, mean_factors, sigma_factors)
    square = np.square(sample.y - np.average(sample.y, weights=sample.weight)) + sample.within
    scale = float(np.sqrt(np.average(square, weights=sample.weight)))
    if scale == 0:
        return None
    n_mean, damping = mean.size, 1e-3
    value, slope, curvature = _derivatives(sample, mean_factors, sigma_factors, theta)
    for _ in range(_STEPS):
        step = _solved(curvature, slope, damping)
        trial = None if step is None else theta + step
        # A deviation below 0 is none; the mean's start is right at once, so nothing else can go astray.
        allowed = trial is not None and bool((sigma_factors @ trial[n_mean:] > 0).all())
        if trial is not None and allowed:
            found = _derivatives(sample, mean_factors, sigma_factors, trial)
            gain = found[0] - value
            if gain >= 0:
                theta, (value, slope, curvature) = trial, found
                damping = max(damping / 10, 1e-12)
                if gain < _TOLERANCE * max(1.0, abs(value) * 1e-3):
                    break
                continue
        damping = max(damping * 10, 1e-6)
        if damping > 1e12:
            break
    if (sigma_factors @ theta[n_mean:]).min() < _LEAST * scale and not sample.variance.any():
        return None
    covariance = _inverse(curvature)
    if covariance is None:
        return None
    return NormalFit(mean, sigma, theta[:n_mean], theta[n_mean:], covariance, value)


def log_likelihoods(fit: NormalFit, sample: Sample) -> np.ndarray:
    """Return ln of the likelihood of each row, weighted, (n,); -inf where sigma is not above 0."""
    mu, s = fit.mean_at(sample.x), fit.sigma_at(sample.x)
    variance = np.square(s) + sample.variance
    good = s > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = -0.5 * (np.log(2 * np.pi * variance) + np.square(sample.y - mu) / variance)
        hidden = special.log_ndtr((sample.floor - mu) / np.sqrt(variance))
    rows = np.where(np.isneginf(sample.floor), seen, hidden)
    return np.where(good, sample.weight * rows, -np.inf)


def score_covariance(fit: NormalFit, sample: Sample, cluster: np.ndarray) -> np.ndarray:
    """Return the covariance of the coefficients where rows of a cluster depend on each other.

    Args:
        fit: of the sample; no row is hidden.
        sample: the values.
        cluster: number of each row's cluster, (n,).
    """
    _, d_mu, d_s, *_ = _seen(sample, fit.mean_at(sample.x), fit.sigma_at(sample.x))
    scores = np.hstack(
        [fit.mean.at(sample.x) * d_mu[:, None], fit.sigma.at(sample.x) * d_s[:, None]]
    )
    number = np.unique(cluster, return_inverse=True)[1]
    sums = np.zeros((number.max() + 1, scores.shape[1]))
    np.add.at(sums, number, scores * sample.weight[:, None])
    return np.asarray(fit.covariance @ (sums.T @ sums) @ fit.covariance)


def _start(sample: Sample, mean_factors: np.ndarray, sigma_factors: np.ndarray) -> np.ndarray:
    """Begin with least squares for the mean, and for the magnitudes of what is left, where positive."""
    root = np.sqrt(sample.weight)
    a = _least_squares(mean_factors * root[:, None], sample.y * root)
    left = np.sqrt(np.square(sample.y - mean_factors @ a) + sample.within)
    even = float(np.sqrt(np.average(np.square(left), weights=sample.weight))) or 1.0
    b = _least_squares(sigma_factors * root[:, None], left * root)
    if not (sigma_factors @ b > 0.1 * even).all():
        b = _least_squares(sigma_factors, np.full(len(sample), even))
    return np.concatenate([a, b])


def _least_squares(factors: np.ndarray, values: np.ndarray) -> np.ndarray:
    if factors.shape[1] == 0:
        return np.zeros(0)
    return np.asarray(np.linalg.lstsq(factors, values, rcond=None)[0])


def _derivatives(
    sample: Sample, mean_factors: np.ndarray, sigma_factors: np.ndarray, theta: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the log-likelihood, its gradient and its negative second derivatives."""
    n_mean = mean_factors.shape[1]
    mu, s = mean_factors @ theta[:n_mean], sigma_factors @ theta[n_mean:]
    hidden = ~np.isneginf(sample.floor)
    value, d_mu, d_s, d_mumu, d_mus, d_ss = _seen(sample, mu, s)
    if hidden.any():
        below = _hidden(sample.floor[hidden], mu[hidden], s[hidden])
        for whole, part in zip((value, d_mu, d_s, d_mumu, d_mus, d_ss), below, strict=True):
            whole[hidden] = part
    w = sample.weight
    slope = np.concatenate([mean_factors.T @ (w * d_mu), sigma_factors.T @ (w * d_s)])
    upper = -mean_factors.T @ ((w * d_mus)[:, None] * sigma_factors)
    curvature = np.block(
        [
            [-mean_factors.T @ ((w * d_mumu)[:, None] * mean_factors), upper],
            [upper.T, -sigma_factors.T @ ((w * d_ss)[:, None] * sigma_factors)],
        ]
    )
    return float(w @ value), slope, curvature


def _seen(sample: Sample, mu: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return ln N(y; mu, s^2 + v) and its derivatives by mu, s, mu mu, mu s and s s."""
    variance, r = np.square(s) + sample.variance, sample.y - mu
    square = (r * r + sample.within) / variance
    value = -0.5 * (np.log(2 * np.pi * variance) + square)
    by_variance = 0.5 * (square - 1) / variance
    twice = (0.5 - square) / np.square(variance)
    return (
        value,
        r / variance,
        2 * s * by_variance,
        -1 / variance,
        -2 * s * r / np.square(variance),
        2 * by_variance + 4 * s * s * twice,
    )


def _hidden(floor: np.ndarray, mu: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return ln Phi(z), z = (floor - mu) / s, and its derivatives by mu, s, mu mu, mu s and s s."""
    z = (floor - mu) / s
    value = special.log_ndtr(z)
    ratio = np.exp(-0.5 * z * z - value) / np.sqrt(2 * np.pi)
    twice = -ratio * (z + ratio)
    return (
        value,
        -ratio / s,
        -ratio * z / s,
        twice / s**2,
        (twice * z + ratio) / s**2,
        (twice * z + 2 * ratio) * z / s**2,
    )


def _solved(curvature: np.ndarray, slope: np.ndarray, damping: float) -> np.ndarray | None:
    """Return Newton's step, damped along the diagonal; None where the damped matrix is not definite."""
    diagonal = np.maximum(np.abs(np.diag(curvature)), 1e-300)
    root = np.sqrt(diagonal)
    scaled = curvature / np.outer(root, root) + damping * np.eye(len(slope))
    try:
        np.linalg.cholesky(scaled)
        return np.asarray(np.linalg.solve(scaled, slope / root) / root)
    except np.linalg.LinAlgError:
        return None


def _inverse(curvature: np.ndarray) -> np.ndarray | None:
    root = np.sqrt(np.maximum(np.abs(np.diag(curvature)), 1e-300))
    scaled = curvature / np.outer(root, root)
    try:
        np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(np.linalg.inv(scaled) / np.outer(root, root))
