"""Compare two checkouts of rxsim byte by byte: a change of the code must not change a result.

Usage: python scripts/compare_checkouts.py OTHER_CHECKOUT [--only N ..] [--list] [--keep FOLDER]
       [--added]

Compares this checkout with OTHER_CHECKOUT (of before) in every line of compared_settings.txt, on the
networks and configs of OTHER_CHECKOUT: the JSON of `rxsim eval` but its `timing`, the first chip's
network as eval saves it, the second's as `rxsim patch` writes it; and the rows of a small sweep, all
columns but `seconds` and `finished`. One process evaluates all settings of a checkout, the two run
side by side. With `--added`, what this checkout writes beyond the other is left out: new keys of the
JSON and of settings (and hashes that they enter), and the models' metadata. Prints a line a setting
and exits with 1 if anything differs or can't be evaluated.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx

ROOT = Path(__file__).resolve().parents[1]
LIMIT = "24"  # images
SWEEP = "stored rows of a sweep"

_SWEEP_FILE = """
name: compared
models: [{models}]
configs: [{configs}]
limit: 24
settings: {{device: {{write_sigma: 0.02}}, layers: {{fc*: {{adc: {{n_bits: 8}}}}}}}}
axes:
  adc.n_bits: [5, 7]
  crossbar.r_wire_wl, crossbar.r_wire_bl: [0, 4]
trials: 2
"""
_TABLES = {
    "points": "SELECT * FROM points ORDER BY key",
    "trials": "SELECT points.key AS of_point, trials.* FROM trials JOIN points "
    "ON points.id = trials.point ORDER BY trials.key",
    "sweeps": "SELECT * FROM sweeps ORDER BY name",
    "sweep_points": "SELECT * FROM sweep_points ORDER BY sweep, position",
    "results": "SELECT * FROM results ORDER BY key",
}
_NOT_COMPARED = {"seconds", "finished", "id"}


def cases() -> list[str]:
    """List what is compared: the lines of the file beside this one, and the sweep."""
    text = Path(__file__).with_name("compared_settings.txt").read_text()
    lines = (line.strip() for line in text.splitlines())
    return [*(line for line in lines if line and not line.startswith("#")), SWEEP]


def main() -> int:
    """Run both checkouts side by side and compare what they wrote."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path, nargs="?", metavar="OTHER_CHECKOUT")
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="these cases alone")
    parser.add_argument("--list", action="store_true", help="show the cases and their numbers")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave what was written here")
    parser.add_argument("--added", action="store_true", help="leave out what is new in this one")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.list or given.other is None:
        print("\n".join(f"{number:3} {case}" for number, case in enumerate(cases(), 1)))
        return 0 if given.list else 2
    numbers = given.only or list(range(1, len(cases()) + 1))
    if not all(1 <= number <= len(cases()) for number in numbers):
        parser.error(f"--only: expected numbers of 1 to {len(cases())}; see --list")
    other = given.other.resolve()
    if not (other / "rxsim/__init__.py").is_file():
        parser.error(f"{other} is no checkout of rxsim: it has no rxsim/__init__.py")
    if given.worker is not None:
        _work(other, given.worker, numbers)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) if given.keep is None else given.keep.resolve()
        return _compare(other, folder, numbers, added=given.added)


# ------------------------------------------------------------------ the process of one checkout


def _work(inputs: Path, output: Path, numbers: Iterable[int]) -> None:
    """Evaluate cases with the rxsim that PYTHONPATH names, on networks and configs of `inputs`."""
    for number in numbers:
        case, folder = cases()[number - 1], output / str(number)
        folder.mkdir(parents=True)
        arguments = _sweep(inputs, folder) if case == SWEEP else _evaluation(inputs, folder, case)
        failures = [sentence for words in arguments if (sentence := _run(words)) is not None]
        (folder / "failed").write_text("; ".join(failures))
        (folder / "done").touch()


def _evaluation(inputs: Path, folder: Path, case: str) -> list[list[str]]:
    name, *words = case.split()
    model = inputs / f"models/digits_{name}.onnx"
    options = [] if "bare" in words else ["--limit", LIMIT]
    for word in words:
        if word == "bare":
            lonely = folder.parent / f"bare_{name}.onnx"  # no card beside it, so no data
            lonely.write_bytes(model.read_bytes())
            model = lonely
        elif word == "targets":
            options += ["--data", str(_targets(inputs, folder.parent))]
        elif word.startswith("--config="):
            options += ["--config", str(inputs / "configs" / f"{word.partition('=')[2]}.yaml")]
        else:
            options += word.split("=", 1) if word.startswith("--") else ["--set", word]
    common = [str(model), *options, "--threads", "1"]
    first = ["--json", str(folder / "eval.json"), "--save-patched", str(folder / "chip0.onnx")]
    second = ["--trial", "1", "-o", str(folder / "chip1.onnx")]
    return [["eval", *common, *first], ["patch", *common, *second]]


def _targets(inputs: Path, folder: Path) -> Path:
    """Write the test images with ten seeded numbers each to meet."""
    path = folder / "targets.npz"
    images = np.load(inputs / "models/digits_test.npz")["x"]
    np.savez(path, x=images, y=np.random.default_rng(1).normal(size=(len(images), 10)))
    return path


def _sweep(inputs: Path, folder: Path) -> list[list[str]]:
    models = ", ".join(str(path) for path in sorted(inputs.glob("models/digits_*.onnx")))
    configs = ", ".join(str(inputs / f"configs/{name}.yaml") for name in ("rxnn-64", "harsh-128"))
    file = folder / "compared.yaml"
    file.write_text(_SWEEP_FILE.format(models=models, configs=configs))
    output = ["-o", str(folder / "results.sqlite"), "--workers", "1", "--cache", "none"]
    return [["sweep", str(file), *output]]


def _run(arguments: list[str]) -> str | None:
    """Run a command of rxsim in this process; return what it says where it fails."""
    from rxsim.cli import main as rxsim

    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(told):
            rxsim(arguments)
    except SystemExit as end:
        return f"exit code {end.code}: {told.getvalue().strip()}" if end.code else None
    return None


# ------------------------------------------------------------------ the comparison


def _compare(other: Path, output: Path, numbers: list[int], *, added: bool) -> int:
    folders = {checkout: output / name for checkout, name in ((other, "other"), (ROOT, "this"))}
    workers = {}
    for checkout, folder in folders.items():
        command = [sys.executable, __file__, str(other), "--worker", str(folder), "--only"]
        pins = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
        folder.mkdir(parents=True)
        workers[checkout] = subprocess.Popen(
            [*command, *map(str, numbers)],
            env={**os.environ, **pins, "PYTHONPATH": str(checkout)},
            cwd=folder,
        )
    codes = [worker.wait() for worker in workers.values()]
    bad = 0
    for number in numbers:
        found = _difference(*(folder / str(number) for folder in folders.values()), added=added)
        bad += found is not None
        print(f"{number:3} {'same  ' if found is None else 'DIFFER'} {cases()[number - 1]}")
        if found is not None:
            print(f"    {found}")
    print(f"{len(numbers) - bad} of {len(numbers)} settings give the same bytes")
    return 1 if bad or any(codes) else 0


def _difference(before: Path, after: Path, *, added: bool) -> str | None:
    """Tell in a sentence where two folders of one case differ first; None where they are the same."""
    for folder in (before, after):
        if not (folder / "done").exists():
            return f"{folder}: the process ended before this case was done"
        failed = (folder / "failed").read_text()
        if failed:
            return f"{folder.parent.name} checkout can't: {failed}"
    if (before / "results.sqlite").exists():
        rows = [list(_rows(folder)) for folder in (before, after)]
        if added:  # new settings change the keys, by which rows are sorted, and all texts
            rows = [_numbers(stored) for stored in rows]
        pairs = zip(*rows, strict=False)
        missing = len(rows[0]) != len(rows[1])
        unlike = next((f"{a[0]}: {a[1]!r}, now {b[0]}: {b[1]!r}" for a, b in pairs if a != b), None)
        return unlike or ("another number of stored values" if missing else None)
    texts = [(folder / "eval.json").read_text() for folder in (before, after)]
    values = [json.loads(text) for text in texts]
    for value, text in zip(values, texts, strict=True):
        if json.dumps(value, separators=(",", ":")) + "\n" != text:
            return "eval.json: not written as JSON without blanks"
        del value["timing"]
    if added:
        values = [_shared(values[0], values[1]), _shared(values[1], values[0])]
    if json.dumps(values[0]) != json.dumps(values[1]):
        return _first_path(values[0], values[1], "$") or "eval.json: another order of keys"
    chips = ("chip0.onnx", "chip1.onnx")
    read = _without_metadata if added else Path.read_bytes
    others = [name for name in chips if read(before / name) != read(after / name)]
    return f"{others[0]}: another patched network" if others else None


def _shared(value: Any, other: Any) -> Any:
    """Keep of a value what another one has too; hashes of settings tell new keys, and go."""
    if isinstance(value, dict) and isinstance(other, dict):
        names = [name for name in value if name in other and name != "settings_sha256"]
        return {name: _shared(value[name], other[name]) for name in names}
    if isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
        return [_shared(*both) for both in zip(value, other, strict=True)]
    return value


def _without_metadata(path: Path) -> bytes:
    """Return a model's bytes but for its metadata."""
    model = onnx.load(path)
    del model.metadata_props[:]
    return bytes(model.SerializeToString(deterministic=True))


def _first_path(before: Any, after: Any, path: str) -> str | None:
    """Return the JSON path where two values differ first, and both."""
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        pairs = [(before[name], after[name], f"{path}.{name}") for name in before]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = [
            (*both, f"{path}[{index}]")
            for index, both in enumerate(zip(before, after, strict=True))
        ]
    elif isinstance(before, dict) and isinstance(after, dict):
        return f"{path}: keys {list(before)}, now {list(after)}"
    else:
        same = json.dumps(before) == json.dumps(after)
        return None if same else f"{path}: {str(before)[:100]}, now {str(after)[:100]}"
    return next((found for pair in pairs if (found := _first_path(*pair)) is not None), None)


def _numbers(rows: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Keep the numbers of stored rows, by table and column, in the order of their size."""
    kept = [
        (f"{place.partition('[')[0]}.{place.rpartition('.')[2]}", value)
        for place, value in rows
        if isinstance(value, int | float)
    ]
    return sorted(kept)


def _rows(folder: Path) -> Iterator[tuple[str, Any]]:
    """Go through the stored values of a results file, each with its place; details unpacked."""
    for table, query in _TABLES.items():
        with contextlib.closing(sqlite3.connect(folder / "results.sqlite")) as file:
            cursor = file.execute(query)
            names = [column[0] for column in cursor.description]
            for index, row in enumerate(cursor):
                for name, value in zip(names, row, strict=True):
                    if name == "point" and table == "trials":  # a number: the key stands beside it
                        continue
                    if name == "details" and value is not None:
                        value = zlib.decompress(value).decode()
                    if name not in _NOT_COMPARED:
                        yield f"{table}[{index}].{name}", value


if __name__ == "__main__":
    sys.exit(main())
