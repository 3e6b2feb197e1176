"""A curve over the conductance with its standard errors: what a fit hands on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rxsim.fitting.bases import Basis, NoCurve, Points
from rxsim.fitting.choose import Chosen


@dataclass(frozen=True, slots=True, eq=False)
class FittedCurve:
    """A curve of x, the conductance relative to a scale.

    Attributes:
        basis: its form.
        values: its coefficients, or its values at points.
        covariance: of these.
        rival: form and values of the curve with the greatest cross-validated likelihood, where this one
            was preferred as the simpler; what they differ by is part of the error.
    """

    basis: Basis
    values: np.ndarray
    covariance: np.ndarray
    rival: tuple[Basis, np.ndarray] | None = None

    @property
    def errors(self) -> np.ndarray:
        """Standard errors of the values, without the difference to the rival."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def is_none(self) -> bool:
        """Whether it is 0 everywhere."""
        return isinstance(self.basis, NoCurve)

    @property
    def is_points(self) -> bool:
        """Whether it is a table."""
        return isinstance(self.basis, Points)

    def at(self, x: np.ndarray) -> np.ndarray:
        """Return its values, of x's shape."""
        return np.asarray(self.basis.at(x) @ self.values)

    def error_at(self, x: np.ndarray) -> np.ndarray:
        """Return the standard error of its values, of x's shape."""
        factors = self.basis.at(x)
        square = np.einsum("ij,jk,ik->i", factors, self.covariance, factors)
        if self.rival is not None:
            square = square + np.square(self.at(x) - self.rival[0].at(x) @ self.rival[1])
        return np.asarray(np.sqrt(np.maximum(square, 0)))

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        numbers: dict[str, Any] = {"form": self.basis.name}
        if isinstance(self.basis, Points):
            numbers["x"] = list(self.basis.x)
        return {**numbers, "values": self.values.tolist(), "errors": self.errors.tolist()}


def mean_curve(chosen: Chosen) -> FittedCurve:
    """Return the chosen mean."""
    fit, best = chosen.fit, chosen.best
    n = len(fit.a)
    return FittedCurve(fit.mean, fit.a, fit.covariance[:n, :n], (best.mean, best.a))


def sigma_curve(chosen: Chosen) -> FittedCurve:
    """Return the chosen deviation."""
    fit, best = chosen.fit, chosen.best
    n = len(fit.a)
    return FittedCurve(fit.sigma, fit.b, fit.covariance[n:, n:], (best.sigma, best.b))


def widened(curve: FittedCurve, chi2: float | None) -> FittedCurve:
    """Widen errors by the root of a reduced chi-square above 1, for the form then is not quite right.

    Source: Particle Data Group, Review of Particle Physics, introduction, section 5.2.2 (scale factor).
    """
    factor = max(chi2 or 1.0, 1.0)
    return replace(curve, covariance=curve.covariance * factor)


def with_scale_error(curve: FittedCurve, share: float) -> FittedCurve:
    """Add an error that all values of a curve have in common, as a share of them."""
    common = share * curve.values
    return replace(curve, covariance=curve.covariance + np.outer(common, common))


def with_point(curve: FittedCurve, x: float, value: float) -> FittedCurve:
    """Add a point to a table; its error is 0."""
    assert isinstance(curve.basis, Points)
    place = int(np.searchsorted(curve.basis.x, x))
    covariance = np.insert(np.insert(curve.covariance, place, 0, axis=0), place, 0, axis=1)
    basis = Points(tuple(np.insert(curve.basis.x, place, x)))
    rival = curve.rival
    if rival is not None and isinstance(rival[0], Points):
        again = int(np.searchsorted(rival[0].x, x))
        points = Points(tuple(np.insert(rival[0].x, again, x)))
        rival = (points, np.insert(rival[1], again, value))
    return FittedCurve(basis, np.insert(curve.values, place, value), covariance, rival)
