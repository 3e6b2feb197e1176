"""A training, as one HTML page."""

from __future__ import annotations

from matplotlib.figure import Figure

from rxsim.errors import InputError
from rxsim.report.html.page import render
from rxsim.report.html.page_blocks import Block, Chart, Code, Paragraph, Section, Table, Terms
from rxsim.report.html.svg import SvgMaker
from rxsim.report.labels import clean, shortened, value_text
from rxsim.report.style import figure_style
from rxsim.report.training_charts import TRAINING_QUANTITIES, draw_training, has_line
from rxsim.report.training_values import PointTold, TrainingTold, read_training

_POINTS = 9.0
_SIZE = (6.6, 3.0)  # inches
_MOST_ROWS = 400


def build_training_page(content: object, source: str, command: str = "rxsim report") -> str:
    """Write the page.

    Args:
        content: what `rxsim retrain --json` wrote, parsed.
        source: name of the file that it comes from.
        command: how the page was made, as it is shown.

    Returns:
        The page; the same bytes for the same training and command.

    Raises:
        InputError: there are no points in it.
    """
    training = read_training(content)
    if training is None:
        raise InputError(
            f"{source}: found the JSON of a training without points, expected some; write it anew with "
            "'rxsim retrain --json'"
        )
    name = shortened(training.model or "a network", 80)
    sections = [
        _curve_section(training, SvgMaker()),
        _options_section(training),
        *([_layers_section(training)] if training.not_trained else []),
        Section("command", "Command", [Code("", clean(command))]),
    ]
    return render(f"{name} trained against its crossbars", source, sections)


def _curve_section(training: TrainingTold, maker: SvgMaker) -> Section:
    blocks: list[Block] = [Terms(_figures(training), large=True)]
    if training.stopped:
        blocks.append(Paragraph(f"Ended early: {shortened(training.stopped, 200)}."))
    blocks += _charts(training, maker)
    blocks.append(
        Paragraph(
            "The loss trained on is the mean over the batches since the refresh before. Each refresh "
            "measures the inputs held out on another chip, unless one chip was asked for. They choose "
            "the weights that are kept (marked), so their loss there is too low an estimate: rxsim "
            "eval on other data measures the network.",
            note=True,
        )
    )
    return Section("curve", "The curve", blocks)


def _figures(training: TrainingTold) -> list[tuple[str, str]]:
    first, last = training.points[0], _kept(training) or training.points[-1]
    return [
        (
            "held-out loss",
            f"{_number(first.held_out_loss)} \N{RIGHTWARDS ARROW} {_number(last.held_out_loss)}",
        ),
        ("right, held out", f"{_percent(first)} \N{RIGHTWARDS ARROW} {_percent(last)}"),
        ("weights of iteration", f"{last.iteration:.0f}"),
        ("trained on", _number(training.inputs) + " inputs"),
        ("held out", _number(training.held_out) + " inputs"),
        ("data", shortened(training.data or "made up, or not stated", 60)),
    ]


def _kept(training: TrainingTold) -> PointTold | None:
    return next((p for p in training.points if p.iteration == training.best), None)


def _charts(training: TrainingTold, maker: SvgMaker) -> list[Block]:
    blocks: list[Block] = []
    for name, quantity in TRAINING_QUANTITIES.items():
        if not has_line(training, quantity):
            continue
        with figure_style(_POINTS, svg__fonttype="none"):
            figure = Figure(figsize=_SIZE, layout="constrained")
            draw_training(figure.subplots(), training, quantity)
            svg = maker.markup(
                figure,
                f"{name} against iterations",
                f"From iteration {training.points[0].iteration:.0f} to "
                f"{training.points[-1].iteration:.0f}; the numbers are in the table.",
            )
        blocks.append(
            Chart(
                svg,
                f"{quantity.title} against iterations; the dotted line: the weights that were kept.",
                None if blocks else _table(training),
            )
        )
    return blocks


def _table(training: TrainingTold) -> Table:
    points = training.points[:_MOST_ROWS]
    cut = "" if len(points) == len(training.points) else f", the first {_MOST_ROWS}"
    return Table(
        caption=f"At each refresh{cut}",
        head=("iteration", "loss", "held-out loss", "held out, right", "time"),
        rows=[
            (
                f"{point.iteration:.0f}",
                _number(point.loss),
                _number(point.held_out_loss),
                _percent(point),
                "-" if point.seconds is None else f"{point.seconds:.0f} s",
            )
            for point in points
        ],
        folded=len(points) > 20,
        marked=frozenset(
            place for place, point in enumerate(points) if point.iteration == training.best
        ),
    )


def _options_section(training: TrainingTold) -> Section:
    rows = [
        (shortened(str(name), 60), shortened(value_text(value), 120))
        for name, value in training.options.items()
    ]
    table = Table(
        caption="As they were given, or their defaults",
        head=("option", "value"),
        rows=rows[:_MOST_ROWS],
        text_columns=frozenset({0, 1}),
    )
    return Section("options", "Options", [table])


def _layers_section(training: TrainingTold) -> Section:
    rows = [
        (shortened(name, 120), shortened(why, 300)) for name, why in training.not_trained.items()
    ]
    table = Table(
        caption="Layers that were asked for, and are not trained as a whole",
        head=("layer", "why"),
        rows=rows[:_MOST_ROWS],
        text_columns=frozenset({0, 1}),
    )
    return Section("layers", "Not trained", [table])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _percent(point: PointTold) -> str:
    share = point.held_out_accuracy
    return "-" if share is None else f"{100 * share:.2f} %"
