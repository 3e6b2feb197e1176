"""Why accuracy fell, from Python."""

from __future__ import annotations

from pathlib import Path

from rxsim.api.accepted import AnyData, AnyModel, AnySettings, opened
from rxsim.api.shown import Explanation, shown
from rxsim.errors import InputError
from rxsim.explain import BY, Asked, By, explain
from rxsim.pipeline import Calibration


def explanation(
    model: AnyModel,
    settings: AnySettings | None = None,
    data: AnyData | None = None,
    *,
    by: By = "both",
    quantity: str | None = None,
    remedies: bool = True,
    budget: float | None = None,
    trials: int | None = None,
    seed: int | None = None,
    limit: int | None = None,
    threads: int | None = None,
    memory: str | None = None,
    calibration: Calibration | str | Path | None = None,
) -> Explanation:
    """Do what `rxsim explain` does: say which effect and which layer cost accuracy, and what helps.

    Args:
        model: the ONNX file, or an onnx.ModelProto.
        settings: as `rxsim.evaluate` takes them.
        data: as `rxsim.evaluate` takes them.
        by: what the loss is attributed to: effects, layers, or both.
        quantity: accuracy, agreement or snr_db; the first that can be measured where left out.
        remedies: whether other settings are tried.
        budget: seconds after which what is less urgent is left out; as long as it takes by default.
        trials: programmed chips.
        seed: of every random draw.
        limit: evaluate a seeded, class-balanced sample of this size.
        threads: work done side by side; changes no result.
        memory: to stay under, such as "3GB"; half of what is free where left out; changes no result.
        calibration: as `rxsim.evaluate` takes it.

    Raises:
        InputError: the model, the data, the settings or an argument can't be used.

    Example:
        >>> why = rxsim.explanation("models/digits_mlp.onnx", "64x64", limit=100)
        >>> why.effects.worst_first, why.layers.worst_first[0], why.attempts[0].title
    """
    if by not in BY:
        raise InputError(f"by: found {by!r}, expected one of {', '.join(BY)}; choose one of these")
    asked = Asked(quantity=quantity, by=by, remedies=remedies, budget=budget)
    study = opened(
        model,
        settings,
        data,
        trials=trials,
        seed=seed,
        limit=limit,
        threads=threads,
        memory=memory,
        calibration=calibration,
    )
    return shown(explain(study, asked), Explanation)
