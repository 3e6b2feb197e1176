"""The documentation is of now: all is documented, commands parse, outputs and links are right."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
import yaml

from rxsim.cli import main, root
from rxsim.config import Preset, Settings, load_settings
from rxsim.cost.technology_files import read_technology
from rxsim.data import Card
from rxsim.gate.cases import CaseSection, RegressSection
from rxsim.schema import dotted_names, validated
from rxsim.sweep.axes import Spread
from rxsim.sweep.sweep_file import SweepFile, read_sweep_file

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *DOCS.rglob("*.md"),
        *(ROOT / "examples").glob("*.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    ]
)
README_LINES = 120
# The examples of this page make files for each other: tests run them from the top to the bottom.
RUN_AS_A_WHOLE = DOCS / "guides" / "python.md"
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
# What else a reader may be told to run.
OTHER_TOOLS = {".", "pip", "ruff", "mypy", "mkdocs", "ngspice"}
MADE_BY = {
    "--output",
    "--json",
    "--save-patched",
    "--save-settings",
    "--plot",
    "--junit",
    "--markdown",
}
PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_]*(\.\w+)?")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def reference_maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "make_reference", ROOT / "scripts" / "make_reference.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = reference_maker()
GENERATED = MAKER.pages()


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the fenced blocks of a page in some languages, their indentation taken off."""
    found = []
    for match in FENCE.finditer(page.read_text(encoding="utf-8")):
        indent, language, body = match.groups()
        if language in languages:
            found.append(re.sub(rf"^{indent}", "", body, flags=re.MULTILINE))
    return found


def added(page: Path) -> list[str]:
    """Return the files that a page adds to the package; tests/test_extending.py tries them."""
    return [block for block in blocks(page, "python", "yaml") if block.startswith("# rxsim/")]


def all_commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from all_commands(command, (*path, name))


COMMANDS = dict(all_commands(root, ("rxsim",)))


# What must be documented


def test_there_are_commands_and_pages_to_look_at() -> None:
    assert len(COMMANDS) >= 15
    assert len(PAGES) >= 25


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_in_the_reference(name: str) -> None:
    text = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^##+ {name}\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE)
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            for option in (*parameter.opts, *parameter.secondary_opts):
                assert re.search(rf"^\| `[^`]*{option}\b", section, re.MULTILINE), option


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.count(" ") == 1])
def test_every_command_is_in_a_guide(name: str) -> None:
    pages = [*(DOCS / "guides").glob("*.md"), DOCS / "getting-started.md"]
    assert any(re.search(rf"\b{name}\b", page.read_text(encoding="utf-8")) for page in pages)


def test_tests_that_a_page_names_are_there() -> None:
    defined = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py")
    )
    named = {
        name
        for page in PAGES
        for name in re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8"))
    }
    assert len(named) > 15
    assert {name for name in named if f"def {name}(" not in defined} == set()


SETTING_NAMES = list(dotted_names(Settings))


@cache
def settings_page() -> tuple[str, dict[str, str]]:
    """Return the reference of the settings, and the meaning of each by its dotted name."""
    text = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    listed = re.findall(
        r"^\| `([\w.]+)` \|.*\| ([^|]*) \|$", text.replace("\\|", "/"), re.MULTILINE
    )
    return text, dict(listed)


@pytest.mark.parametrize("name", SETTING_NAMES)
def test_every_setting_is_in_the_reference(name: str) -> None:
    text, meanings = settings_page()
    inner = [key for key in SETTING_NAMES if key.startswith(f"{name}.")]
    assert inner or meanings.get(name) or f"## {name}\n" in text


def test_every_preset_is_in_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    root.main(["presets"], prog_name="rxsim", standalone_mode=False)
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:] if line[0] != " "]
    assert "rram-milo" in names
    text = (DOCS / "reference" / "presets.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)$", text, re.MULTILINE) == names


@pytest.mark.parametrize(
    ("page", "section"),
    [
        ("guides/sweeps.md", SweepFile),
        ("guides/sweeps.md", Spread),
        ("guides/ci-gate.md", RegressSection),
        ("guides/ci-gate.md", CaseSection),
        ("guides/data.md", Card),
    ],
)
def test_every_key_of_a_file_is_in_its_guide(page: str, section: Any) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    missing = [name for name in section.model_fields if not re.search(rf"\b{name}\b", text)]
    assert missing == []


def test_the_readme_is_a_page() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_every_page_has_its_place_in_the_navigation() -> None:
    def listed(item: Any) -> Iterator[str]:
        if isinstance(item, str):
            yield item
        for inner in (
            item.values() if isinstance(item, dict) else item if isinstance(item, list) else []
        ):
            yield from listed(inner)

    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(listed(site["nav"])) == sorted(
        str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")
    )


# What is generated, and what is shown


@pytest.mark.parametrize("page", GENERATED, ids=name_of)
def test_generated_pages_are_current(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == GENERATED[page], (
        "run python scripts/make_reference.py"
    )


SHOWN = [
    pytest.param(match[2], match[3], id=f"{name_of(page)}: {match[2]}")
    for page in PAGES
    for match in MAKER.SHOWN.finditer(page.read_text(encoding="utf-8"))
]
NUMBER = re.compile(r"(?<![\w.])\d+\.\d+")


def test_some_outputs_are_shown() -> None:
    assert len(SHOWN) >= 4


@pytest.mark.parametrize(("command", "shown"), SHOWN)
def test_shown_outputs_are_of_now(
    command: str,
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Word for word; fractions within 1 %, because processors round the last bits of sums otherwise."""
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as stop:
        main(shlex.split(command)[1:])
    assert stop.value.code == 0
    found = MAKER.without_times(capsys.readouterr().out)
    expected = MAKER.without_times(shown)
    assert NUMBER.sub("#", found).split() == NUMBER.sub("#", expected).split()
    for one, other in zip(NUMBER.findall(found), NUMBER.findall(expected), strict=True):
        assert float(one) == pytest.approx(float(other), rel=0.01, abs=0.011)


# What can be typed


def lines_of(block: str) -> Iterator[list[str]]:
    """Split a block into commands: words without comments, lines that go on joined."""
    pending = ""
    for line in block.replace("\\\n", " ").splitlines():
        pending = f"{pending}\n{line}" if pending else line
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # a quotation goes on in the next line
            continue
        pending = ""
        while "&&" in words:
            at = words.index("&&")
            yield words[:at]
            words = words[at + 1 :]
        if words:
            yield words[1:] if words[0] == "$" else words
    assert not pending, f"an open quotation: {pending}"


def parsed(words: list[str]) -> click.Context:
    """Parse a command as rxsim would, and run nothing."""
    context = click.Context(root, info_name="rxsim")
    command: click.Command = root
    rest = words[1:]
    while isinstance(command, click.Group):
        inner = command.get_command(context, rest[0])
        assert inner is not None, f"{rest[0]} is no command"
        context = (
            inner.make_context(rest[0], rest[1:], parent=context)
            if not isinstance(inner, click.Group)
            else click.Context(inner, info_name=rest[0], parent=context)
        )
        command, rest = inner, rest[1:]
    return context


def files_of(context: click.Context) -> Iterator[tuple[bool, str]]:
    """Yield what is named where a command takes a file: whether it is written, and its name."""
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        is_path = isinstance(parameter.type, click.Path)
        written = bool(MADE_BY.intersection(parameter.opts)) or parameter.name == "into"
        if value is None or not (is_path or written):
            continue
        for one in value if isinstance(value, tuple) else (value,):
            yield written, str(one)


def is_there(name: str) -> bool:
    """Tell whether a reader has a file: it is shipped, a placeholder, or in the folder of assets."""
    if name.startswith("$RXSIM_ASSETS/"):
        assets = os.environ.get("RXSIM_ASSETS")
        return assets is None or (Path(assets) / name.removeprefix("$RXSIM_ASSETS/")).exists()
    return (ROOT / name).exists() or PLACEHOLDER.fullmatch(name) is not None


def check_settings(context: click.Context) -> None:
    """Resolve the settings that a shown command gives: their names and values must be right."""
    given = context.params
    if "assignments" in given:
        config = given.get("config")
        shown = None if config is None else ROOT / config
        load_settings(
            shown if shown is not None and shown.is_file() else None,
            xbar=given.get("xbar"),
            assignments=given["assignments"],
        )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_fenced_commands_parse_and_their_files_are_there(page: Path) -> None:
    made: set[str] = set()
    for block in blocks(page, "sh", "console", "bash"):
        for words in lines_of(block):
            if words[0] == "rxsim":
                context = parsed(words)
                check_settings(context)
                if page == RUN_AS_A_WHOLE:
                    continue
                for written, name in files_of(context):
                    assert written or name in made or is_there(name), f"{name} in {words}"
                    made |= {name} if written else set()
                if words[1] == "sweep":  # without -o: the file's name, in the reader's folder
                    made.add(f"{Path(words[2]).stem}.sqlite")
            elif words[0] == "python":
                assert (ROOT / words[1]).is_file(), words
            elif words[0].startswith("scripts/"):
                assert os.access(ROOT / words[0], os.X_OK), words
            else:
                assert words[0] in OTHER_TOOLS, words


def test_a_wrong_command_is_found() -> None:
    with pytest.raises(click.UsageError):
        parsed(shlex.split("rxsim eval NET.onnx --xbars 64x64"))
    with pytest.raises(AssertionError):
        parsed(shlex.split("rxsim evaluate NET.onnx"))
    with pytest.raises(Exception, match=r"did you mean adc\.n_bits"):
        check_settings(parsed(shlex.split("rxsim eval NET.onnx --set adc.n_bit=4")))
    assert not is_there("models/digits_nothing.onnx")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_shown_in_yaml_are_right(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "yaml"):
        if block in added(page):
            continue
        values = yaml.safe_load(block)
        if "axes" in values:
            path = tmp_path / "sweep.yaml"
            path.write_text(block, encoding="utf-8")
            read_sweep_file(path)[0].read_axes()
        elif "cases" in values:
            whole = validated(RegressSection, values, name_of(page))
            for case in whole.cases:
                validated(CaseSection, case, name_of(page))
        elif "preprocess" in values:
            labels = values.get("labels", {})
            validated(Card, {**values, "labels": labels}, name_of(page))
        elif "laws" in values:
            validated(Preset, values, name_of(page))
        elif "components" in values:
            path = tmp_path / "technology.yaml"
            path.write_text(block, encoding="utf-8")
            read_technology(path)
        elif set(values) <= set(Settings.model_fields):
            model = values.get("device", {}).get("model", "")
            if model.endswith(".yaml"):  # a file of the reader's
                del values["device"]["model"]
            validated(Settings, values, name_of(page))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_shown_is_python(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block, name_of(page), "exec")


# What is linked, and what is named


def slug(title: str) -> str:
    """Return a heading's anchor, as Python-Markdown makes it."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).replace("`", "").replace("*", "")
    ascii_text = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", ascii_text).strip().lower())


def text_without_code(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    return {
        slug(title) for title in re.findall(r"^#+ (.*)$", text_without_code(page), re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_anchors_resolve(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", text_without_code(page))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.is_file(), target
        if page.is_relative_to(DOCS):
            assert found.is_relative_to(DOCS), f"{target} is not on the site"
        assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_are_named_exist(page: Path) -> None:
    """Not those of a reader's folder RXSIM_ASSETS, nor what a reader is told to save or to add."""
    new = {block.split("\n")[0].removeprefix("# ") for each in PAGES for block in added(each)}
    named = re.findall(
        r"(?<!Saved as )`((?:scripts|tests|configs|models|docs|examples|rxsim)/[\w./-]*)`",
        text_without_code(page),
    )
    assert [name for name in named if not (ROOT / name).exists() and name not in new] == []
