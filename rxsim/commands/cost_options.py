"""Options that say in which technology a network is priced: short for --set cost.KEY=VALUE."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from rxsim.commands.arguments import with_options
from rxsim.folders import names_in

F = TypeVar("F", bound=Callable[..., Any])


def cost_options(function: F) -> F:
    """Add --technology, --adc-model, --replicate and --array-energy."""
    names = ", ".join(names_in("rxsim.cost.technologies", ".yaml"))
    models = ", ".join(names_in("rxsim.cost.adc_models"))
    options = [
        click.option(
            "--technology",
            metavar="NAME|FILE.yaml",
            help=f"{names}, or a file laid over one of them.",
        ),
        click.option("--adc-model", metavar="NAME", help=f"Published model of the ADC: {models}."),
        click.option(
            "--replicate",
            type=int,
            metavar="N",
            help="Copy the slowest layers as far as N arrays last.",
        ),
        click.option(
            "--array-energy",
            metavar="circuit|technology",
            help="Energy of a read: of the solved circuit, or the technology's number.",
        ),
    ]
    return with_options(function, options)


def with_cost(given: dict[str, Any]) -> dict[str, Any]:
    """Return a command's options with those of `cost_options`, and a flag --cost, as settings."""
    asked = ("cost={}",) if given.get("cost") else ()  # the section, with what else is said of it
    return {**given, "assignments": (*asked, *given["assignments"], *_assignments(given))}


def _assignments(given: dict[str, Any]) -> list[str]:
    texts = ("technology", "adc_model", "array_energy")
    assigned = [
        f"cost.{name}={json.dumps(given[name])}" for name in texts if given.get(name) is not None
    ]
    if given.get("replicate") is not None:
        assigned.append(f"cost.replicate={{balance: {given['replicate']}}}")
    return assigned
