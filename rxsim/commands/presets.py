"""`rxsim presets`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from rxsim.config import Preset, is_preset_file, named_preset, preset_names, read_device
from rxsim.errors import InputError, SettingError


@click.command("presets")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the published devices, or show the numbers and the source of one.

    Use one with --set device.model=NAME, or `device: {model: NAME}` in a settings file. A device of
    your own is a file: NAME may end in .yaml everywhere.
    """
    if name is None:
        _print_all()
        return
    _print_one(name, _preset(name))


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
    where = f"preset file {name}" if is_preset_file(name) else f"preset {name}"
    laws = _laws(preset, where)  # first: what is wrong with them is told before anything is printed
    click.echo(f"{name}: {preset.about}")
    click.echo(f"source: {preset.source}")
    click.echo(f"status: {preset.status}")
    if preset.range is not None:
        low, high = preset.range.low, preset.range.high
        click.echo(f"range: {low:g} to {high:g} {preset.short_unit}")
    click.echo("settings it gives (a key of yours wins):")
    click.echo("  device:")
    click.echo(f"    model: {name}")
    for key, value in preset.given().items():
        click.echo(f"    {key}: {_shown(value)}")
    for line in laws:
        click.echo(line)


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
        numbers = law.numbers_of(preset, where).model_dump().items()
        lines += [f"{step}: {choice.law}, conductances in {preset.short_unit}", f"  {law.formula}"]
        lines += [f"  {key}: {_shown(value)}" for key, value in numbers if value != ()]
        if choice.source is not None:
            lines.append(f"  source: {choice.source}")
    return lines


def _shown(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        given = ((key, inner) for key, inner in value.items() if inner is not None)
        return f"{{{', '.join(f'{key}: {_shown(inner)}' for key, inner in given)}}}"
    if value is None:
        return "null"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
