"""Options that say how a network is retrained, and what they turn into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import click

from rxsim.commands.arguments import with_options
from rxsim.retrain.options import RetrainOptions

F = TypeVar("F", bound=Callable[..., Any])
_Option = Callable[[Any], Any]
_DEFAULTS = RetrainOptions()


def retrain_options(function: F) -> F:
    """Add --iterations, --noise, --train and the others."""
    options = [*_loop_options(), *_forward_options(), *_choice_options()]
    return with_options(function, options)


def read_options(given: dict[str, Any]) -> RetrainOptions:
    """Read the options of a training from a command's options; their seed is that of the settings."""
    names = [field.name for field in fields(RetrainOptions) if field.name != "seed"]
    return RetrainOptions(**{name: given[name] for name in names})


def _stated(name: str, kind: Any, metavar: str, what: str) -> _Option:
    """Return an option that has the default of `RetrainOptions`."""
    default = getattr(_DEFAULTS, name.removeprefix("--").replace("-", "_"))
    return click.option(
        name, type=kind, default=default, show_default=True, metavar=metavar, help=what
    )


def _chosen(name: str, known: list[str], what: str) -> _Option:
    default = getattr(_DEFAULTS, name.removeprefix("--").replace("-", "_"))
    return click.option(
        name, type=click.Choice(known), default=default, show_default=True, help=what
    )


def _loop_options() -> list[_Option]:
    rate = "Of the first iteration; falls to 0 along half a cosine."
    return [
        _stated("--iterations", int, "N", "Batches."),
        _stated("--batch", int, "N", "Inputs of each."),
        _chosen("--optimiser", ["adam", "sgd"], "Sgd has a momentum of 0.9."),
        _stated("--learning-rate", float, "X", rate),
        _stated("--held-out", float, "SHARE", "Of the data; chooses the best weights."),
        click.option(
            "--patience",
            type=int,
            metavar="N",
            help="Refreshes without a better loss there after which training ends.",
        ),
    ]


def _forward_options() -> list[_Option]:
    noise = "The forward pass: solved chips, noise of S times the largest weight, or nothing."
    start = "From the weights as they are, or with channels brought to their float moments."
    ranges = "Input ranges: of the float network at each refresh, as they were, or trained."
    gradient = "Straight through the arrays, or with the factor of each column."
    return [
        _stated("--noise", str, "exact|gaussian:S|none", noise),
        _chosen("--gradient", ["identity", "column"], gradient),
        _chosen("--start", ["file", "matched"], start),
        _chosen("--ranges", ["measured", "kept", "learned"], ranges),
        _stated("--refresh", int, "N", "Iterations from one solved chip to the next."),
        click.option(
            "--chip",
            type=int,
            metavar="K",
            help="Train for this chip, its faults included; else another at each refresh.",
        ),
    ]


def _choice_options() -> list[_Option]:
    follow = "What is followed: the float network's outputs (none), or the data's labels."
    train = "What is trained: of all layers, or of those whose names match."
    clip = "Largest weight, in standard deviations of its layer's first weights."
    return [
        _chosen("--train-on", ["none", "labels"], follow),
        _stated("--temperature", float, "T", "Of the float network's outputs."),
        _stated("--train", str, "all|weights|biases|norms|PATTERN[,..]", train),
        click.option("--clip", type=float, metavar="X", help=clip),
    ]
