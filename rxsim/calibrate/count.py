"""Count the values of tensors over a run: what an exact percentile must know beforehand."""

from __future__ import annotations

from collections.abc import Sequence

from rxsim.session import Inputs, Session, over_batches


def count_values(
    session: Session, inputs: Inputs, names: Sequence[str], *, batch: int, threads: int
) -> list[int]:
    """Run all inputs and count the values of each named tensor; nothing is held."""

    def work(start: int, stop: int) -> list[int]:
        return [values.size for values in session.run_inputs(inputs, names, start, stop)]

    flying = session.in_flight(threads)
    counts = over_batches(work, len(inputs), session.fixed_batch or batch, flying)
    return [sum(sizes) for sizes in zip(*counts, strict=True)]
