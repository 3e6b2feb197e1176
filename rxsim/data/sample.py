"""Choose the evaluated and the calibration samples: seeded, class-balanced, disjoint if possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rxsim.seeds import Sample, sample_generator


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Indices into the data (int64, ascending).

    Attributes:
        evaluated: the evaluated samples.
        calibration: the calibration samples, of the same data or of the calibration data.
        overlap: number of samples in both; 0 where calibration has separate data.
    """

    evaluated: np.ndarray
    calibration: np.ndarray
    overlap: int


def choose_samples(
    labels: np.ndarray | int,
    *,
    limit: int | None,
    n_calibration: int,
    calibration_labels: np.ndarray | int | None,
    seed: int,
) -> Split:
    """Choose the evaluated and the calibration samples.

    Args:
        labels: label of every sample of the data, int64 (n,); without labels the number of samples.
        limit: number of evaluated samples, or None for all.
        n_calibration: number of calibration samples.
        calibration_labels: labels (or number) of separate calibration data, or None to take them
            from the samples that are not evaluated, and if these are too few from the others.
        seed: the seed of both choices.
    """
    labels = _strata(labels)
    everything = np.arange(len(labels))
    evaluated = everything
    if limit is not None and limit < len(labels):
        rng = sample_generator(seed, Sample.EVALUATION)
        evaluated = balanced_sample(everything, labels, limit, rng)
    rng = sample_generator(seed, Sample.CALIBRATION)
    if calibration_labels is not None:
        strata = _strata(calibration_labels)
        pool = np.arange(len(strata))
        return Split(evaluated, balanced_sample(pool, strata, n_calibration, rng), 0)
    rest = np.setdiff1d(everything, evaluated)
    chosen = balanced_sample(rest, labels, n_calibration, rng)
    missing = min(n_calibration, len(labels)) - len(chosen)
    if missing > 0:
        shared = balanced_sample(evaluated, labels, missing, rng)
        chosen = np.sort(np.concatenate([chosen, shared]))
    return Split(evaluated, chosen, max(missing, 0))


def _strata(labels: np.ndarray | int) -> np.ndarray:
    """Return the classes to balance over; samples without labels are all of the same class."""
    return np.zeros(labels, dtype=np.int64) if isinstance(labels, int) else labels


def choose_positions(labels: np.ndarray | None, n_inputs: int, count: int, seed: int) -> np.ndarray:
    """Choose evaluated inputs for the report on each layer.

    Args:
        labels: labels of the evaluated inputs, or None.
        n_inputs: number of evaluated inputs.
        count: number to choose, at most.
        seed: the seed.

    Returns:
        Ascending positions, int64, balanced over classes where there are labels.
    """
    positions = np.arange(n_inputs)
    rng = sample_generator(seed, Sample.DIAGNOSIS)
    return balanced_sample(positions, np.zeros(n_inputs) if labels is None else labels, count, rng)


def balanced_sample(
    pool: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw `count` members of `pool` so that class sizes differ by at most one where they can.

    Args:
        pool: indices to draw from, (m,).
        labels: label of every sample of the data, indexed by the pool's members.
        count: number to draw; all of the pool if it is smaller.
        rng: the generator.

    Returns:
        The drawn indices in ascending order, int64.
    """
    if count >= len(pool):
        return np.sort(pool)
    shuffled = rng.permutation(pool)
    # The k-th member of each class comes before the (k+1)-th of any: cut there and classes balance.
    classes, code = np.unique(labels[shuffled], return_inverse=True)
    by_class = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[by_class], np.arange(len(classes)))
    rank = np.empty(len(pool), dtype=np.int64)
    rank[by_class] = np.arange(len(pool)) - starts[code[by_class]]
    tie = rng.permutation(len(classes))[code]
    order = np.lexsort((tie, rank))
    return np.sort(shuffled[order[:count]]).astype(np.int64)
