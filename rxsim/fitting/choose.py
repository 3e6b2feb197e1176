"""Which form a curve takes: cross-validated likelihood, and the simpler form within one standard error.

Rows are dealt to five folds in turn, in the order of their conductance, so that every fold holds
every level. Rows of a level are shuffled by a hash of their values before: nothing is random, and the
order of the table has no part in it. (In the order of their values they would be dealt too evenly:
folds that are alike say nothing of what a form does to rows that it has not seen.)

Each form is fitted to four folds and judged on the fifth by the
logarithm of the likelihood. Of all forms the simplest is taken whose sum falls short of the best by no
more than one standard error of the difference, row by row (Breiman et al., Classification and
Regression Trees, 1984, section 3.4.3; here the difference is paired).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rxsim.fitting.bases import Basis, Logarithm, NoCurve, Points, Polynomial
from rxsim.fitting.likelihood import NormalFit, Sample, fit_normal, log_likelihoods

FOLDS = 5
# Assumption: published curves of these devices have degree 4 at most (docs/concepts/model.md, 10).
HIGHEST_DEGREE = 4
_DIGITS = 1e6
_GRID = 201  # relative conductances at which a deviation must be above 0


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """A pair of curves, and the better fitting pair that was passed over for it.

    Attributes:
        fit: of the chosen forms.
        best: of the forms with the greatest cross-validated likelihood.
        gained: cross-validated log-likelihood a row by which `best` is better.
    """

    fit: NormalFit
    best: NormalFit
    gained: float


def forms(
    points: Sequence[float], *, none: bool, only_points: bool = False, logarithm: bool = False
) -> list[Basis]:
    """List the forms to choose from, the simplest first.

    Args:
        points: relative conductances that a table may have.
        none: whether the curve may be 0.
        only_points: no polynomials.
        logarithm: whether it may be one; all x are above 0 then.
    """
    known: list[Basis] = [NoCurve()] if none else []
    if not only_points:
        known += [Polynomial(degree) for degree in range(min(HIGHEST_DEGREE, len(points) - 1) + 1)]
    known[3:3] = [Logarithm()] if logarithm else []  # it has as many coefficients as a line
    return [*known, Points(tuple(points))]


def choose(sample: Sample, means: Sequence[Basis], sigmas: Sequence[Basis]) -> Chosen | None:
    """Choose the deviation's form beside the richest mean, then the mean's beside that deviation.

    Args:
        sample: the values.
        means: forms of the mean, the simplest first.
        sigmas: forms of the deviation, likewise.

    Returns:
        None where no form can be fitted.
    """
    folds = dealt(sample.x, sample.y)
    by_sigma = _judged(sample, folds, [(means[-1], sigma) for sigma in sigmas])
    if by_sigma is None:
        return None
    sigma, best_sigma, _ = by_sigma
    by_mean = _judged(sample, folds, [(mean, sigma[1]) for mean in means])
    if by_mean is None:
        return None
    chosen, best_mean, gained = by_mean
    fit = _whole(sample, chosen)
    best = _whole(sample, (best_mean[0], best_sigma[1])) or fit
    return None if fit is None or best is None else Chosen(fit, best, gained)


def dealt(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Deal rows to folds in turn, in the order of x and then of a hash of y; each row's fold, (n,)."""
    folds = np.empty(len(x), dtype=int)
    folds[np.lexsort((y, _hashed(y), x))] = np.arange(len(x)) % FOLDS
    return folds


def _hashed(y: np.ndarray) -> np.ndarray:
    """Hash values to six digits of the largest, whatever their unit, (n,).

    Source: the finaliser of SplitMix64; Steele, Lea and Flood, OOPSLA 2014, figure 16.
    """
    largest = float(np.abs(y).max(initial=0.0)) or 1.0
    bits = np.rint(y / largest * _DIGITS).astype(np.int64).view(np.uint64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))


_Pair = tuple[Basis, Basis]


def _judged(
    sample: Sample, folds: np.ndarray, pairs: Sequence[_Pair]
) -> tuple[_Pair, _Pair, float] | None:
    """Return the chosen forms, the best ones, and what the best gain a row; None: no forms fit."""
    scores = {}
    for number, pair in enumerate(pairs):
        rows = _held_out(sample, folds, pair)
        if rows is not None:
            scores[number] = rows
    if not scores:
        return None
    best = max(scores, key=lambda number: float(scores[number].sum()))
    for number in sorted(scores):
        short = scores[best] - scores[number]
        error = float(np.std(short)) * np.sqrt(len(short))
        if short.sum() <= error or number == best:
            return pairs[number], pairs[best], float(short.sum()) / len(short)
    raise AssertionError("the best form is among the forms")


def _held_out(sample: Sample, folds: np.ndarray, pair: _Pair) -> np.ndarray | None:
    """Return each row's log-likelihood by the fit that has not seen it; None where a fit fails."""
    if _whole(sample, pair) is None:
        return None
    rows = np.empty(len(sample))
    for fold in range(FOLDS):
        out = folds == fold
        if not out.any():
            continue
        fit = fit_normal(sample.where(~out), *pair)
        if fit is None:
            return None
        rows[out] = log_likelihoods(fit, sample.where(out))
    return rows if np.isfinite(rows).all() else None


def _whole(sample: Sample, pair: _Pair) -> NormalFit | None:
    """Fit all rows; None where the deviation is not above 0 over the whole range."""
    fit = fit_normal(sample, *pair)
    if fit is None:
        return None
    grid = np.linspace(sample.x.min(), sample.x.max(), _GRID)
    return fit if (fit.sigma_at(grid) > 0).all() else None
