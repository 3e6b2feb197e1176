"""The stages of rxsim know only the stages before them."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "rxsim"
# What any room may import: small helpers without physics.
HELPERS = {
    *(
        "cache",
        "counted",
        "deadline",
        "dotted",
        "durations",
        "errors",
        "files",
        "folders",
        "given",
        "mapped_files",
        "memory",
        "spilled",
    ),
    *(
        "numerics",
        "parallel",
        "estimate",
        "sealed",
        "schema",
        "seeds",
        "stages",
        "statistics",
        "stopping",
        "version",
    ),
}
BEFORE_PIPELINE = {
    *("encodings", "config", "metrics", "data", "onnx_graph", "operators", "load"),
    *("session", "calibrate", "mapping"),
    *("devices", "circuit", "compensate", "tiles", "converters", "patch", "run", "verify"),
    *("effects", "fitting", "scenarios", "cost"),
}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "cache": HELPERS,
    "counted": set(),
    "deadline": set(),
    "dotted": HELPERS,
    "durations": set(),
    "folders": {"errors"},
    "given": {"errors"},
    "memory": {"errors"},
    "mapped_files": {"errors"},
    "spilled": {"errors", "mapped_files"},
    "sealed": HELPERS,
    "numerics": HELPERS,
    "statistics": HELPERS,
    "estimate": HELPERS,
    "files": HELPERS,
    "schema": HELPERS,
    "seeds": HELPERS,
    "stages": HELPERS,
    "stopping": HELPERS,
    "version": set(),
    "parallel": HELPERS,
    "encodings": HELPERS,
    "config": HELPERS | {"encodings"},
    "metrics": HELPERS,
    "data": HELPERS | {"metrics"},
    "onnx_graph": HELPERS,
    "operators": HELPERS | {"onnx_graph"},
    "load": HELPERS | {"onnx_graph", "operators"},
    "session": HELPERS | {"load", "onnx_graph"},
    "calibrate": HELPERS | {"config", "onnx_graph", "load", "session"},
    "devices": HELPERS | {"config"},
    "fitting": HELPERS | {"devices", "config"},
    "mapping": HELPERS | {"devices", "encodings", "load", "config"},
    "circuit": HELPERS | {"devices", "config"},
    "compensate": HELPERS | {"circuit", "devices", "mapping", "config"},
    "effects": HELPERS | {"config"},
    "scenarios": HELPERS | {"effects", "config"},
    "tiles": HELPERS | {"compensate", "circuit", "devices", "mapping", "config"},
    "converters": HELPERS | {"encodings", "config", "session", "load", "calibrate"},
    "patch": HELPERS
    | {"encodings", "tiles", "converters", "calibrate", "mapping", "load", "operators"}
    | {"onnx_graph"},
    "cost": HELPERS
    | {
        "calibrate",
        "circuit",
        "compensate",
        "config",
        "converters",
        "devices",
        "encodings",
        "load",
        "mapping",
        "onnx_graph",
        "operators",
        "tiles",
    },
    "verify": HELPERS | {"circuit", "converters", "load", "config"},
    "run": HELPERS | {"onnx_graph", "patch", "session", "load", "data", "metrics"},
    "pipeline": HELPERS | BEFORE_PIPELINE,
    "explain": HELPERS | BEFORE_PIPELINE | {"pipeline"},
    "retrain": HELPERS | BEFORE_PIPELINE | {"pipeline"},
    "store": HELPERS | {"metrics"},
    "sweep": HELPERS | {"circuit", "config", "data", "load", "pipeline", "run", "store"},
    "gate": HELPERS | {"config", "data", "metrics", "pipeline", "run", "scenarios"},
    "comparison": HELPERS | {"gate", "metrics", "scenarios"},
    "search": HELPERS
    | {"config", "metrics", "load", "calibrate", "mapping", "converters", "pipeline"}
    | {"store", "sweep", "gate"},
    "report": HELPERS
    | {"pipeline", "run", "config", "circuit", "compensate", "devices", "mapping", "metrics"}
    | {"comparison", "cost", "explain", "fitting", "verify", "store", "gate", "sweep", "search"}
    | {"retrain"},
    "commands": HELPERS
    | BEFORE_PIPELINE
    | {
        "pipeline",
        "comparison",
        "explain",
        "retrain",
        "store",
        "sweep",
        "gate",
        "search",
        "report",
    },
    "cli": HELPERS,
    "api": HELPERS
    | BEFORE_PIPELINE
    | {
        "pipeline",
        "comparison",
        "explain",
        "retrain",
        "store",
        "sweep",
        "gate",
        "search",
        "report",
    },
    "__init__": {"api", "config", "errors", "pipeline", "scenarios", "version"},
    "__main__": {"cli"},
}
"""Room -> the other rooms that it may import."""

# External module -> the files and folders that may import it.
OUTSIDE = {
    "numba": ("circuit/",),
    "click": ("cli.py", "commands/"),
    "torch": ("retrain/torch_library.py",),
    # evaluate.py reads the versions of what a result was computed with, nothing else.
    "onnxruntime": ("session.py", "load/", "pipeline/ladder/ladder.py"),
}


@cache
def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imported(tree: ast.AST, path: Path) -> tuple[str, ...]:
    """Return the full name of every import, those inside functions and for typing included.

    Imports by a text count too, but for the command line, which finds its commands that way.
    """
    return tuple(_imports(tree, path))


def _imports(tree: ast.AST, path: Path) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = ["rxsim", *path.relative_to(PACKAGE).parts[:-1]]
                base = ".".join([*parts[: len(parts) - node.level + 1], *base.split(".")])
            yield from (f"{base.strip('.')}.{alias.name}" for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and node.args
            and path.name != "cli.py"
            and _function(node) in ("__import__", "import_module", "importlib.import_module")
        ):
            yield _leading_text(node.args[0])


def _function(call: ast.Call) -> str:
    """The dotted name that is called; empty where a call is of something without a name."""
    words, called = [], call.func
    while isinstance(called, ast.Attribute):
        words.append(called.attr)
        called = called.value
    return ".".join([called.id, *words[::-1]]) if isinstance(called, ast.Name) else ""


def _leading_text(argument: ast.expr) -> str:
    """The constant beginning of a module name that is put together while running."""
    if isinstance(argument, ast.JoinedStr):
        argument = argument.values[0]
    if isinstance(argument, ast.Constant):
        return str(argument.value)
    return "unknown"


def inner_rooms(tree: ast.AST, path: Path) -> Iterator[tuple[str, str]]:
    """Yield the room and the full name of every import of rxsim itself."""
    for name in imported(tree, path):
        parts = name.split(".")
        if parts[0] != "rxsim":
            continue
        yield (parts[1] if len(parts) > 1 else "__init__"), name


def wrong_directions(tree: ast.AST, path: Path) -> list[str]:
    room = room_of(path)
    where = path.relative_to(PACKAGE.parent)
    allowed = ALLOWED[room] | {room}
    return [
        f"{where} imports {name}, but {room} may import only {sorted(ALLOWED[room])}"
        for other, name in inner_rooms(tree, path)
        if other not in allowed
    ]


def outside_imports(tree: ast.AST, path: Path) -> list[str]:
    place = path.relative_to(PACKAGE).as_posix()
    return [
        f"rxsim/{place} imports {name}, which belongs to {', '.join(OUTSIDE[name.split('.')[0]])}"
        for name in imported(tree, path)
        if name.split(".")[0] in OUTSIDE and not place.startswith(OUTSIDE[name.split(".")[0]])
    ]


def made_generators(tree: ast.AST, path: Path) -> list[str]:
    """Find calls into numpy.random or random, and imports that would hide such calls."""
    place = path.relative_to(PACKAGE).as_posix()
    if place == "seeds.py":
        return []
    found = [
        f"rxsim/{place} imports {name}; generators come from rxsim/seeds.py"
        for name in imported(tree, path)
        if name.startswith(("numpy.random", "random")) and name.split(".")[0] in ("numpy", "random")
    ]
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    found += [
        f"rxsim/{place}:{call.lineno} calls {_function(call)}; generators come from rxsim/seeds.py"
        for call in calls
        if _function(call).startswith(("np.random.", "numpy.random."))
    ]
    return found


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def test_every_room_of_the_package_has_its_place_in_the_order() -> None:
    assert {room_of(path) for path in modules()} == set(ALLOWED)


@pytest.mark.parametrize("room", sorted(ALLOWED))
@pytest.mark.parametrize("check", [wrong_directions, outside_imports, made_generators])
def test_the_modules_of_a_room_import_only_what_they_may(
    room: str, check: Callable[[ast.AST, Path], list[str]]
) -> None:
    """Stages before their own, libraries where they belong, generators from one place."""
    paths = [path for path in modules() if room_of(path) == room]
    assert paths
    problems = [problem for path in paths for problem in check(parsed(path), path)]
    assert not problems, "\n".join(problems)


def test_the_order_has_no_circle() -> None:
    """Every room can be put after all that it may import."""
    placed = set(HELPERS)
    rest = {room: allowed - HELPERS for room, allowed in ALLOWED.items() if room not in HELPERS}
    while rest:
        ready = [room for room, allowed in rest.items() if allowed <= placed]
        assert ready, f"a circle among {sorted(rest)}"
        for room in ready:
            placed.add(room)
            del rest[room]


def test_the_command_line_starts_without_its_commands_and_the_heavy_libraries() -> None:
    heavy = "('rxsim.commands', 'rxsim.pipeline', 'onnxruntime', 'numba', 'onnx')"
    script = f"import sys, rxsim.cli; print([m for m in sys.modules if m.startswith({heavy})])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PACKAGE.parent, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize(
    ("file", "source", "words"),
    [
        ("load/x.py", "from rxsim.patch import builder", "rxsim/load/x.py imports rxsim.patch"),
        ("load/x.py", "import rxsim.config.models", "load/x.py imports rxsim.config.models"),
        ("load/x.py", "def f():\n    from ..mapping import layer", "imports rxsim.mapping.layer"),
        ("mapping/x.py", "from rxsim import circuit", "imports rxsim.circuit"),
        ("load/x.py", "import rxsim", "imports rxsim"),
        ("load/x.py", "from rxsim import __version__", "imports rxsim.__version__"),
        ("run/x.py", "import importlib\nimportlib.import_module('rxsim.report')", "rxsim.report"),
        ("errors.py", "from rxsim.schema import Section", "errors.py imports rxsim.schema"),
        ("cli.py", "from rxsim.commands import evaluate", "imports rxsim.commands.evaluate"),
        ("cli.py", "def f():\n    import rxsim.commands.solve", "imports rxsim.commands.solve"),
    ],
)
def test_a_wrong_import_would_be_found(file: str, source: str, words: str) -> None:
    (problem,) = wrong_directions(ast.parse(source), PACKAGE / file)
    assert words in problem


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("load/x.py", "from rxsim.version import __version__\nfrom rxsim.errors import ModelError"),
        ("load/x.py", "from .graph import constants\nfrom rxsim.load.x import y"),
        ("patch/x.py", "from rxsim.tiles import LayerTransfer"),
        (
            "cli.py",
            "import importlib\ndef get(n):\n    return importlib.import_module(f'rxsim.commands.{n}')",
        ),
    ],
)
def test_a_right_import_is_let_through(file: str, source: str) -> None:
    assert wrong_directions(ast.parse(source), PACKAGE / file) == []


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (outside_imports, "def f():\n    from numba import njit"),
        (outside_imports, "import click.testing"),
        (outside_imports, "import onnxruntime as ort"),
        (made_generators, "import numpy as np\nrng = np.random.default_rng(3)"),
        (made_generators, "from numpy.random import default_rng"),
        (made_generators, "import random"),
    ],
)
def test_a_misplaced_library_or_generator_would_be_found(
    check: Callable[[ast.AST, Path], list[str]], source: str
) -> None:
    assert len(check(ast.parse(source), PACKAGE / "mapping" / "x.py")) == 1


def test_the_architecture_page_names_every_room() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.split("## The rooms")[1].split("## A newcomer's walk")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    rooms = [name.strip(" `") for row in rows for name in row.split(",")]
    assert sorted(rooms) == sorted(set(ALLOWED) - {"__init__", "__main__"})


def test_the_architecture_page_puts_a_room_below_all_that_it_imports() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.split("## The rooms")[1].split("## A newcomer's walk")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    place = {name.strip(" `"): row for row, text in enumerate(rows) for name in text.split(",")}
    for room in place:
        above = {other for other in ALLOWED[room] if place.get(other, 0) <= place[room]}
        assert above == ALLOWED[room], room
