"""`rxsim plot`."""

from __future__ import annotations

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
        with stages("read"):
            explanation = explanation_json(results)
            training = None if explanation is not None else training_json(results)
            cost = None
            if explanation is None and training is None:
                cost = _cost_in(results, x, y)
        if cost is not None:
            refuse_options({n: v for n, v in options.items() if n != "--y"}, results, HOLDS_COST)
            kind, y = x or COST_KINDS[0], y or next(iter(COST_QUANTITIES))
            check_cost_figure(kind, y, width, form)
            with stages("draw"):
                figure = draw_cost(cost, results.name, kind, y, form, width_mm=width, title=title)
            told = f"{y} by {kind}"
        elif training is not None:
            others = {name: value for name, value in options.items() if name != "--y"}
            refuse_options(others, results, HOLDS_TRAINING)
            y = y or next(iter(TRAINING_QUANTITIES))
            check_training_figure(x, y, width, form)
            with stages("draw"):
                figure = draw_training_figure(
                    training, results.name, y, form, width_mm=width, title=title
                )
            told = f"{y} by iteration"
        elif explanation is not None:
            refuse_options(options, results)
            with stages("draw"):
                figure = _explanation_figure(explanation, results, x, form, width, title)
            told = x or "effects"
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


def _explanation_figure(
    content: object, source: Path, kind: str | None, form: str, width: float, title: str | None
) -> bytes:
    # What explains imports the whole pipeline, which the figure of a sweep does without.
    from rxsim.report.explanation_figure import KINDS, check_explanation_figure, draw_explanation
    from rxsim.report.explanation_file import explanation_of

    kind = KINDS[0] if kind is None else kind
    check_explanation_figure(kind, width, form)
    explanation = explanation_of(content, str(source))
    return draw_explanation(explanation, kind, form, width_mm=width, title=title)


def _condition(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise InputError(f"--where: found {text!r}, expected NAME=VALUE, such as crossbar.rows=64")
    return name.strip(), value.strip()
