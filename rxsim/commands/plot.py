"""`rxsim plot`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from rxsim.commands.arguments import FILE, new_images_option, progress_options
from rxsim.commands.no_gc import nothing_collected
from rxsim.commands.progress import watched
from rxsim.errors import InputError
from rxsim.files import check_destination, write_atomically
from rxsim.report.cost_charts import COST_QUANTITIES
from rxsim.report.cost_figure import COST_KINDS, check_cost_figure, draw_cost
from rxsim.report.cost_kind import HOLDS_COST, cost_json, cost_of_evaluation
from rxsim.report.explanation_kind import explanation_json, refuse_options
from rxsim.report.figure import COLUMN_MM, Plot, check_form, check_plot, draw_figure
from rxsim.report.labels import QUANTITIES
from rxsim.report.material import read_material
from rxsim.report.training_charts import TRAINING_QUANTITIES
from rxsim.report.training_figure import check_training_figure, draw_training_figure
from rxsim.report.training_values import HOLDS_TRAINING, training_json
from rxsim.stages import Stages


@click.command("plot")
@click.argument("results", type=FILE)
@click.option(
    "--x",
    metavar="NAME",
    help="Setting along the horizontal axis. Of an explanation: effects (the waterfall; default), "
    "layers or remedies. Of a cost: layers (in stacks of components; default) or components.",
)
@click.option(
    "--y",
    metavar="QUANTITY",
    help=f"One of {', '.join(QUANTITIES)}. Not for an explanation. Of a cost: energy (default) or "
    "area. Of a training: loss (default) or accuracy.",
)
@click.option("--by", metavar="NAME", help="Setting with a line for each of its values.")
@click.option(
    "--where",
    multiple=True,
    metavar="NAME=VALUE",
    help="Only points with this value; may be repeated, also for other values of the same name.",
)
@click.option("--mean", is_flag=True, help="Average over the other settings that vary.")
@click.option("--sweep", metavar="NAME", help="Only the points of this sweep.")
@click.option(
    "-o", "--output", type=FILE, required=True, metavar="FIGURE.pdf", help="Or .svg, .png."
)
@click.option(
    "--width",
    type=float,
    default=COLUMN_MM,
    show_default=True,
    metavar="MM",
    help="Of the figure; the default is a column of a two-column page.",
)
@click.option(
    "--title",
    metavar="TEXT",
    help="Above the figure; papers have captions instead. A cost names what it is priced with unless "
    "TEXT is given, also an empty one.",
)
@click.option("--log-x/--linear-x", default=None, help="Scale of x; default: as the values lie.")
@new_images_option
@progress_options
@nothing_collected()
def command(
    results: Path,
    x: str | None,
    y: str | None,
    by: str | None,
    where: tuple[str, ...],
    mean: bool,
    sweep: str | None,
    output: Path,
    width: float,
    title: str | None,
    log_x: bool | None,
    new_images: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Draw a quantity of RESULTS along a setting, fit for a paper, with 95 % intervals.

    RESULTS is what 'rxsim sweep' or 'rxsim eval --json' wrote. Of what 'rxsim explain --json' wrote
    it draws the waterfall from the float network to the built chips. Of 'rxsim cost --json', or of
    'rxsim eval --cost --json' with --x layers or components, it draws the energy (--y area: the area).
    Of 'rxsim retrain --json' it draws the loss against iterations (--y accuracy: what is right).
    """
    check_destination(output, [results])
    check_form(form := output.suffix[1:].lower(), width)
    options = {
        "--y": y,
        "--by": by,
        "--where": where,
        "--mean": mean,
        "--sweep": sweep,
        "--log-x or --linear-x": None if log_x is None else "given",
        "--new-images": new_images,
    }
    with watched(quiet=quiet, verbose=verbose, solves=False) as watcher:
        stages = Stages(watcher)
        look = _Look(x=x, y=y, form=form, width=width, title=title)
        of_other_kind = _of_other_kind(results, look, options, stages)
        if of_other_kind is not None:
            figure, told = of_other_kind
        else:
            plot = Plot(
                x=_needed("--x", x),
                y=_needed("--y", y),
                by=by,
                where=tuple(map(_condition, where)),
                mean=mean,
                width_mm=width,
                title=title,
                log=log_x,
            )
            check_plot(plot, form)
            with stages("read"):
                material = read_material(
                    results, sweep=sweep, quantity=plot.y, new_images=new_images
                )
            with stages("draw"):
                figure = draw_figure(material, plot, form)
            told = f"{y} along {x}{'' if by is None else f' by {by}'}"
    write_atomically(output, figure)
    click.echo(f"{output}: {told}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What is said of a figure of any kind: --x, --y, the kind of file, --width and --title."""

    x: str | None
    y: str | None
    form: str
    width: float
    title: str | None


def _of_other_kind(
    results: Path, look: _Look, options: Mapping[str, object], stages: Stages
) -> tuple[bytes, str] | None:
    """Draw an explanation, a training or a cost; return the figure and what it shows, else None."""
    with stages("read"):
        explanation = explanation_json(results)
        training = training_json(results) if explanation is None else None
        none = explanation is None and training is None
        cost = _cost_in(results, look.x, look.y) if none else None
    if explanation is not None:
        refuse_options(options, results)
        with stages("draw"):
            return _explanation_figure(explanation, results, look), look.x or "effects"
    others = {name: value for name, value in options.items() if name != "--y"}
    if training is not None:
        refuse_options(others, results, HOLDS_TRAINING)
        with stages("draw"):
            return _training_figure(training, results, look)
    if cost is not None:
        refuse_options(others, results, HOLDS_COST)
        with stages("draw"):
            return _cost_figure(cost, results, look)
    return None


def _training_figure(content: object, source: Path, look: _Look) -> tuple[bytes, str]:
    y = look.y or next(iter(TRAINING_QUANTITIES))
    check_training_figure(look.x, y, look.width, look.form)
    figure = draw_training_figure(
        content, source.name, y, look.form, width_mm=look.width, title=look.title
    )
    return figure, f"{y} by iteration"


def _cost_figure(content: object, source: Path, look: _Look) -> tuple[bytes, str]:
    kind, y = look.x or COST_KINDS[0], look.y or next(iter(COST_QUANTITIES))
    check_cost_figure(kind, y, look.width, look.form)
    figure = draw_cost(
        content, source.name, kind, y, look.form, width_mm=look.width, title=look.title
    )
    return figure, f"{y} by {kind}"


def _cost_in(results: Path, x: str | None, y: str | None) -> object | None:
    """Return the cost that a file holds, or that is asked for of an evaluation; None for another."""
    cost = cost_json(results)
    if cost is not None or x not in COST_KINDS or y not in (None, *COST_QUANTITIES):
        return cost
    return cost_of_evaluation(results)


def _needed(option: str, value: str | None) -> str:
    """Return an option that only an explanation does without."""
    if value is None:
        raise click.UsageError(f"Missing option '{option}'.")
    return value


def _explanation_figure(content: object, source: Path, look: _Look) -> bytes:
    # What explains imports the whole pipeline, which the figure of a sweep does without.
    from rxsim.report.explanation_figure import KINDS, check_explanation_figure, draw_explanation
    from rxsim.report.explanation_file import explanation_of

    kind = KINDS[0] if look.x is None else look.x
    check_explanation_figure(kind, look.width, look.form)
    explanation = explanation_of(content, str(source))
    return draw_explanation(explanation, kind, look.form, width_mm=look.width, title=look.title)


def _condition(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise InputError(f"--where: found {text!r}, expected NAME=VALUE, such as crossbar.rows=64")
    return name.strip(), value.strip()
