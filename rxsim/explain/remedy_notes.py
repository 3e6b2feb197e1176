"""What is to be kept in mind of remedies that were tried: luck of images, and luck of chips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rxsim.counted import counted
from rxsim.explain.evidence import Evidence
from rxsim.explain.remedies import REMEDIES
from rxsim.explain.remedy_runs import SPLIT_FROM, Tried

FEW_CHIPS = 10
"""Below it chips that differ are few. Assumption: ten tell a mean to a third of its spread."""


def notes_on(
    evidence: Evidence, tried: Sequence[Tried], *, proven: bool, confirmed: bool
) -> Iterator[str]:
    """Yield a sentence for each kind of luck that gains may hold.

    Args:
        evidence: the study, and the quantity of its chips.
        tried: all attempts.
        proven: whether one of them is advised.
        confirmed: whether other images confirm it.
    """
    chips, images = evidence.built.shape
    is_random = evidence.foundry.random
    if proven and not confirmed:
        yield _flattery(images, len(tried))
    if tried and is_random and chips < FEW_CHIPS:
        on = "a single chip" if chips == 1 else f"the same {chips} chips"
        fresh = max((each.attempt.fresh_chips or 0 for each in tried), default=0)
        but = f" (finalists were confirmed on {counted(fresh, 'other chip')})" if fresh else ""
        yield (
            f"all {len(tried)} tries were chosen on {on}, whose devices are random{but}: a part of "
            f"their gains may be luck of these chips; take {FEW_CHIPS} or more, or evaluate the "
            "settings with another seed"
        )
    redrawn = [each for each in tried if any(REMEDIES[n].redraws for n in each.attempt.combined)]
    if is_random and redrawn:
        titles = "; ".join(
            each.attempt.title for each in redrawn if len(each.attempt.combined) == 1
        )
        yield (
            "other arrays, so other draws of device errors, alone or together with others: "
            f"{titles or redrawn[0].attempt.title}"
        )


def _flattery(images: int, tries: int) -> str:
    """Say that the best of many tries was measured on the images that chose it."""
    if images == 1:
        return (
            f"the best of {tries} tries was chosen by the same inputs that its gain is of, which "
            "flatters it; evaluate its settings on others"
        )
    return (
        f"the best of {tries} tries was chosen by the same {images} inputs that its gain is of, which "
        f"flatters it; take {SPLIT_FROM} or more, and half of them confirm it"
    )
