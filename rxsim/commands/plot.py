"""`rxsim plot`."""

from __future__ import annotations

from pathlib import Path

import click

from rxsim.commands.arguments import FILE, new_images_option, progress_options
from rxsim.commands.no_gc import nothing_collected
from rxsim.commands.progress import watched
from rxsim.errors import InputError
from rxsim.files import check_destination, write_atomically
from rxsim.report.figure import COLUMN_MM, Plot, check_plot, draw_figure
from rxsim.report.labels import QUANTITIES
from rxsim.report.material import read_material
from rxsim.stages import Stages


@click.command("plot")
@click.argument("results", type=FILE)
@click.option("--x", required=True, metavar="NAME", help="Setting along the horizontal axis.")
@click.option("--y", required=True, metavar="QUANTITY", help=f"One of {', '.join(QUANTITIES)}.")
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
@click.option("--title", metavar="TEXT", help="Above the figure; papers have captions instead.")
@click.option("--log-x/--linear-x", default=None, help="Scale of x; default: as the values lie.")
@new_images_option
@progress_options
@nothing_collected()
def command(
    results: Path,
    x: str,
    y: str,
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
    """Draw a quantity of RESULTS along a setting, fit for a paper, with 95 % intervals."""
    plot = Plot(
        x=x,
        y=y,
        by=by,
        where=tuple(map(_condition, where)),
        mean=mean,
        width_mm=width,
        title=title,
        log=log_x,
    )
    form = output.suffix[1:].lower()
    check_plot(plot, form)
    check_destination(output, [results])
    with watched(quiet=quiet, verbose=verbose, solves=False) as watcher:
        stages = Stages(watcher)
        with stages("read"):
            material = read_material(results, sweep=sweep, quantity=y, new_images=new_images)
        with stages("draw"):
            figure = draw_figure(material, plot, form)
    write_atomically(output, figure)
    click.echo(f"{output}: {y} along {x}{'' if by is None else f' by {by}'}")


def _condition(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise InputError(f"--where: found {text!r}, expected NAME=VALUE, such as crossbar.rows=64")
    return name.strip(), value.strip()
