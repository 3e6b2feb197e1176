"""`rxsim presets`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from rxsim.commands.arguments import FILE
from rxsim.config import Preset, is_preset_file, named_preset, preset_names, read_device
from rxsim.counted import counted
from rxsim.durations import written
from rxsim.errors import InputError, SettingError
from rxsim.files import check_destination, write_atomically

if TYPE_CHECKING:
    from rxsim.devices import Chart


@click.command("presets")
@click.argument("name", required=False)
@click.option(
    "--plot", type=FILE, metavar="FILE.pdf", help="Draw the curves of NAME; or .svg, .png."
)
def command(name: str | None, plot: Path | None) -> None:
    """List the published devices, or show the numbers, the curves and the source of one.

    Use one with --set device.model=NAME, or `device: {model: NAME}` in a settings file. A device of
    your own is a file: NAME may end in .yaml everywhere.
    """
    if name is None:
        if plot is not None:
            raise InputError("--plot: found no NAME, expected a preset to draw; give its name")
        _print_all()
        return
    if plot is None:
        _print_one(name, _preset(name))
        return
    check_destination(plot, [Path(name)] if is_preset_file(name) else [])
    _draw(name, _preset(name), plot)


def _preset(name: str) -> Preset:
    if is_preset_file(name):
        preset: Preset = read_device({"model": name}, Path())["model"]
        return preset
    try:
        return named_preset(name)
    except InputError as error:
        raise SettingError(f"presets: {error}") from None


def _print_all() -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("device.model")
    table.add_column("what it is")
    for name in preset_names():
        table.add_row(name, named_preset(name).about)
    console = Console(highlight=False)
    Console(highlight=False, width=None if console.is_terminal else 120).print(table)


def _print_one(name: str, preset: Preset) -> None:
    # First: what is wrong with laws is told before anything is printed.
    laws = _laws(preset, _where(name))
    click.echo(f"{name}: {preset.about}")
    click.echo(f"source: {preset.source}")
    click.echo(f"status: {preset.status}")
    if preset.range is not None:
        low, high = preset.range.low, preset.range.high
        click.echo(f"range: {low:g} to {high:g} {preset.short_unit}")
    if preset.knows_time:
        click.echo(f"times after programming: {preset.times or 'any'}")
        if begins := _begin_of_time(preset, _where(name)):
            click.echo(f"device.time: {begins}")
    click.echo("settings it gives (a key of yours wins):")
    click.echo("  device:")
    click.echo(f"    model: {name}")
    for key, value in preset.given().items():
        click.echo(f"    {key}: {_shown(value)}")
    for line in laws:
        click.echo(line)
    from rxsim.report.preset_table import chart_lines

    for line in chart_lines(_charts(name, preset, fine=False)):
        click.echo(line)


def _charts(name: str, preset: Preset, *, fine: bool) -> tuple[Chart, ...]:
    """Return a preset's curves; a preset that rxsim brings is named, so that messages name it."""
    from rxsim.devices import preset_charts  # the list of presets needs no arithmetic

    return preset_charts(preset if is_preset_file(name) else name, fine=fine)


def _draw(name: str, preset: Preset, plot: Path) -> None:
    """Write a figure of a preset's curves.

    Raises:
        InputError: the file's name says no kind of figure, or there is no curve.
        SettingError: a law can't be used.
    """
    from rxsim.report.preset_figure import FORMS, draw_charts

    form = plot.suffix[1:].lower()
    if form not in FORMS:
        raise InputError(
            f"--plot: found a file name that ends in {plot.suffix!r}, expected .pdf, .svg or .png"
        )
    _laws(preset, _where(name))
    charts = _charts(name, preset, fine=True)
    if not charts:
        raise InputError(
            f"--plot: found {name}, which has no law and a linear cell, expected a preset with curves "
            "to draw; see 'rxsim presets'"
        )
    write_atomically(plot, draw_charts(f"{name}: {preset.about}", charts, form))
    click.echo(f"{plot}: {counted(len(charts), 'chart')} of {name}")


def _where(name: str) -> str:
    return f"preset file {name}" if is_preset_file(name) else f"preset {name}"


def _laws(preset: Preset, where: str) -> list[str]:
    """Describe what happens to a preset's cells, step by step.

    Raises:
        SettingError: a law can't be used.
    """
    if not preset.laws:
        return []
    from rxsim.devices import measured_law  # the list of presets needs no arithmetic

    lines = []
    for step, choice in preset.laws.items():
        law = measured_law(step, choice.law, where)
        numbers = dict(law.numbers_of(preset, where)).items()
        lines += [f"{step}: {choice.law}, conductances in {preset.short_unit}", f"  {law.formula}"]
        lines += [f"  {key}: {_shown(value)}" for key, value in numbers if value != ()]
        if choice.source is not None:
            lines.append(f"  source: {choice.source}")
    return lines


def _begin_of_time(preset: Preset, where: str) -> str:
    """Say what the time 0 means for a preset; empty where its laws do not tell."""
    from rxsim.devices import measured_law

    for step, choice in preset.laws.items():
        numbers = dict(measured_law(step, choice.law, where).numbers_of(preset, where))
        if step == "drift" and "t0" in numbers:
            t0 = written(numbers["t0"])
            return f"counts from the first read, {t0} after programming, which is the time 0"
        at = () if preset.times is None else preset.times.at or ()
        rows = numbers.get("coefficients", numbers.get("a"))
        if choice.law.startswith("timed_") and rows is not None and len(rows) == len(at):
            return f"0 means the same as {written(at[0])}, the first time that was measured"
    return ""


def _shown(value: Any) -> str:
    if isinstance(value, tuple) and any(hasattr(part, "upto") for part in value):
        return "; ".join(map(str, value))  # the pieces of a curve
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        given = ((key, inner) for key, inner in value.items() if inner is not None)
        return f"{{{', '.join(f'{key}: {_shown(inner)}' for key, inner in given)}}}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
