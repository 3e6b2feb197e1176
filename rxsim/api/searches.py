"""The function that searches for the least hardware."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rxsim.api.accepted import AnyData, AnySettings, as_bytes, as_data, warn
from rxsim.api.accepted import settings as resolved
from rxsim.cache import Cache
from rxsim.files import check_destination
from rxsim.given import as_count, as_path, check_type
from rxsim.search import Prepared, Question, SearchResult, prepare_search, read_goal, read_over
from rxsim.search import run_search as search_prepared
from rxsim.session import default_threads
from rxsim.store import open_results
from rxsim.sweep import LocalPool, ending, memory_for


def run_search(
    model: str | Path,
    goal: str,
    over: Mapping[str, Sequence[Any] | str] | Sequence[str] | str,
    results: str | Path,
    *,
    minimise: str = "conversions",
    settings: AnySettings | None = None,
    data: AnyData | None = None,
    trials: int | None = None,
    seed: int | None = None,
    limit: int | None = None,
    strict: bool = False,
    these_images: bool = False,
    exhaustive: bool = False,
    workers: int | None = None,
    memory: str | None = None,
    cache: str | Path | None = None,
) -> SearchResult:
    """Do what `rxsim search` does: find the least hardware that keeps the accuracy.

    Workers are spawned: call it below `if __name__ == "__main__":`. That no point meets the goal
    raises nothing: `best` of the result is None then.

    Args:
        model: the ONNX file.
        goal: a bound such as "accuracy_drop<=0.01".
        over: values by dotted name, such as {"adc.n_bits": [4, 5, 6]}, where several names may stand
            with a plus between them; or text as `--over` takes it.
        results: the results file; made, or gone on with.
        minimise: arrays, conversions, converted_bits or cells.
        settings: as `rxsim.evaluate` takes them.
        data: as `rxsim.evaluate` takes them.
        trials: programmed chips of a point.
        seed: of every random draw.
        limit: evaluate a seeded, class-balanced sample of this size.
        strict: only a point whose whole interval keeps the bound meets the goal.
        these_images: intervals hold for these images only, not for new ones.
        exhaustive: evaluate every point.
        workers: processes, one thread each; the machine's processors by default.
        memory: as `rxsim.run_sweep` takes it.
        cache: folder where solved arrays and ranges are kept; nothing is kept where left out.

    Raises:
        InputError: the network, the data, the goal or a point's settings can't be used.
        WriteError: the disk is full; earlier trials are safe.

    Example:
        >>> rxsim.run_search(
        ...     "models/digits_mlp.onnx", "accuracy_drop<=0.02", "adc.n_bits=4..8", "mlp.sqlite"
        ... )
    """
    network, results_file = as_path(model, "model"), as_path(results, "results")
    folder = None if cache is None else as_path(cache, "cache")
    count = default_threads() if workers is None else as_count(workers, "workers")
    room = as_bytes(memory)
    check_type(goal, "goal", str, "text such as 'accuracy_drop<=0.01'")
    check_destination(results_file, [network])

    prepared = prepare_search(
        Question(
            model=network,
            options=as_data(data, None if limit is None else as_count(limit, "limit")),
            settings_of=lambda change: resolved(settings, changes=change, trials=trials, seed=seed),
            axes=read_over(_over_texts(over)),
            goal=read_goal(goal),
            minimise=minimise,
            these_images=these_images,
            strict=strict,
            exhaustive=exhaustive,
        ),
        cache=None if folder is None else Cache(folder),
    )
    warn(prepared.warning, depth=2)
    return _searched(prepared, results_file, LocalPool(count, room or memory_for(count)), folder)


def _searched(
    prepared: Prepared, results: Path, pool: LocalPool, cache: Path | None
) -> SearchResult:
    """Run a search with processes of this machine."""
    with ending(pool) as running, open_results(results, write=True) as open_file:
        return search_prepared(prepared, open_file, running, cache=cache)


def _over_texts(over: Any) -> list[str]:
    """Return axes as `--over` takes them."""
    if isinstance(over, str):
        return [over]
    check_type(over, "over", Mapping | list | tuple, "a mapping such as {'adc.n_bits': [4, 5, 6]}")
    if not isinstance(over, Mapping):
        for text in over:
            check_type(text, "over", str, "text such as 'adc.n_bits=4..8'")
        return list(over)
    texts = []
    for name, values in over.items():
        check_type(name, "over", str, "a setting's dotted name such as 'adc.n_bits'")
        listed = [values] if isinstance(values, str) else values
        check_type(listed, f"over {name}", list | tuple, "a list of values, or text such as '4..8'")
        texts.append(f"{name}=" + ",".join(_value_text(value) for value in listed))
    return texts


def _value_text(value: Any) -> str:
    plain = value.item() if isinstance(value, np.generic) else value
    return plain if isinstance(plain, str) else json.dumps(plain, default=str)
