"""The curve of a training: losses, or the share of right outputs, against iterations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rxsim.report.style import DASHES, MARKERS, MUTED, SERIES, legend
from rxsim.report.training_values import TrainingTold


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingQuantity:
    """What is drawn.

    Attributes:
        title: of the axis.
        lines: of the field of a point -> what its line is called.
        factor: on the stored numbers.
    """

    title: str
    lines: Mapping[str, str]
    factor: float = 1.0


TRAINING_QUANTITIES = {
    "loss": TrainingQuantity(
        title="loss", lines={"loss": "trained on", "held_out_loss": "held out"}
    ),
    "accuracy": TrainingQuantity(
        title="right outputs, held out (%)", lines={"held_out_accuracy": "held out"}, factor=100.0
    ),
}
"""By name what a figure of a training may show; the first where nothing is said."""


def has_line(training: TrainingTold, quantity: TrainingQuantity) -> bool:
    """Tell whether a training holds a number that a figure would show."""
    return any(
        getattr(point, name) is not None for point in training.points for name in quantity.lines
    )


def draw_training(axes: Axes, training: TrainingTold, quantity: TrainingQuantity) -> None:
    """Draw a line for each of a quantity's numbers, and where the kept weights stand.

    The loss of the batches between two refreshes is drawn at the middle between them.
    """
    handles = []
    for number, name in enumerate(quantity.lines):
        places, values, before = [], [], 0.0
        for point in training.points:
            value = getattr(point, name)
            if value is not None:
                middle = name == "loss"
                places.append((before + point.iteration) / 2 if middle else point.iteration)
                values.append(value * quantity.factor)
            before = point.iteration
        handles += axes.plot(
            places,
            values,
            color=SERIES[number],
            marker=MARKERS[number],
            linestyle=DASHES[number],
            markersize=3.5,
        )
    if training.best is not None:
        axes.axvline(training.best, color=MUTED, linewidth=0.8, linestyle=(0, (1.5, 1.5)), zorder=0)
    axes.set_xlabel("iteration")
    axes.set_ylabel(quantity.title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(handles) > 1:
        legend(axes, handles, list(quantity.lines.values()), "")
