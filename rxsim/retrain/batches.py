"""Which inputs a training sees: those held out, and the batches of each iteration."""

from __future__ import annotations

import numpy as np

from rxsim.errors import InputError
from rxsim.seeds import Sample, epoch_generator, sample_generator


class Batches:
    """Positions of inputs by iteration: every epoch a new order.

    Attributes:
        held_out: positions that are never trained on, sorted.
        trained: the others, sorted.
    """

    def __init__(self, inputs: int, batch: int, held_out: float, seed: int) -> None:
        """Draw what is held out.

        Args:
            inputs: how many there are.
            batch: inputs of an iteration.
            held_out: share that is held out, one input at least.
            seed: of every draw.

        Raises:
            InputError: too few inputs are left for a batch.
        """
        order = sample_generator(seed, Sample.TRAINING).permutation(inputs)
        count = max(round(held_out * inputs), 1)
        self.held_out, self.trained = np.sort(order[:count]), np.sort(order[count:])
        if len(self.trained) < batch:
            raise InputError(
                f"found {len(self.trained)} inputs to train on ({count} of {inputs} are held out), "
                f"expected {batch} at least, for a batch; give more data or a smaller batch"
            )
        self._batch, self._seed = batch, seed

    def at(self, iteration: int) -> np.ndarray:
        """Return the positions of an iteration's batch; a last part of an epoch is left out."""
        epoch, place = divmod(iteration, len(self.trained) // self._batch)
        order = epoch_generator(self._seed, epoch).permutation(self.trained)
        return order[place * self._batch : (place + 1) * self._batch]
