"""`rxsim presets`."""

from __future__ import annotations

import difflib

import click
from rich.console import Console
from rich.table import Table

from rxsim.config import PRESETS, Preset
from rxsim.errors import SettingError


@click.command("presets")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the published devices, or show the numbers and the source of one.

    Use one with --set device.model=NAME, or `device: {model: NAME}` in a settings file.
    """
    if name is None:
        _print_all()
        return
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {near[0]}?" if near else "'rxsim presets' lists them"
        raise SettingError(f"presets: found {name!r}, expected the name of a preset; {hint}")
    _print_one(name, PRESETS[name])


def _print_all() -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("device.model")
    table.add_column("what it is")
    for name, preset in PRESETS.items():
        table.add_row(name, preset.about)
    console = Console(highlight=False)
    Console(highlight=False, width=None if console.is_terminal else 120).print(table)


def _print_one(name: str, preset: Preset) -> None:
    click.echo(f"{name}: {preset.about}")
    click.echo(f"source: {preset.source}")
    click.echo("settings it gives (a key of yours wins):")
    click.echo("  device:")
    click.echo(f"    model: {name}")
    for key, value in preset.device.items():
        click.echo(f"    {key}: {'null' if value is None else f'{value:g}'}")
    sigma = preset.sigma
    if sigma is None:
        return
    if sigma.saturating is not None:
        height, scale = sigma.saturating
        click.echo(f"write error, sigma in uS: {height:g} (1 - exp(-G / {scale:g} uS))")
        return
    unit = sigma.unit / 1e-6
    variable = "G in uS" if unit == 1 else f"g = G / {unit:g} uS"
    terms = " ".join(f"{value:+g} g^{power}" for power, value in enumerate(sigma.coefficients))
    click.echo(f"write error, sigma in uS: {terms} with {variable.replace('G in', 'g = G in')}")
