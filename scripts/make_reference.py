"""Write docs/reference from the program itself, and renew the outputs that other pages show.

Usage: python scripts/make_reference.py

docs/reference/cli.md comes from the commands, settings.md from the settings' JSON schema, presets.md
from `rxsim presets`. In all pages a line `<!-- output of: rxsim .. -->` stands before the output of
that command, which is run again. tests/test_docs.py fails where a page is not what this script writes.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from rxsim.cli import root
from rxsim.config import Settings, preset_names
from rxsim.files import write_atomically
from rxsim.schema import dotted_names

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SHOWN = re.compile(r"(<!-- output of: (rxsim [^\n]*?) -->\n+```text\n)(.*?)(```)", re.DOTALL)
_MADE = "<!-- Made by scripts/make_reference.py: do not edit. -->"

_MODEL_SECTIONS = {
    "crossbar": ("1. Crossbar circuit", "1-crossbar-circuit"),
    "device": ("4. Programming", "4-programming"),
    "mapping": ("3. Weights to conductances", "3-weights-to-conductances"),
    "input": ("5. Inputs", "5-inputs"),
    "dac": ("5. Inputs", "5-inputs"),
    "adc": ("6. Outputs", "6-outputs"),
    "calibration": ("5. Inputs", "5-inputs"),
}


def commands(group: click.Group = root, path: str = "rxsim") -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its path, groups before their members."""
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


def settings_keys() -> dict[str, dict[str, Any]]:
    """Return every key of a settings file by its dotted name, with its part of the JSON schema."""
    schema = Settings.model_json_schema()
    return dict(_keys(schema["properties"], schema["$defs"], ""))


def output_of(line: str) -> str:
    """Run a shown command in the project's folder; return what it prints without trailing blanks."""
    arguments = [sys.executable, "-m", "rxsim", *shlex.split(line)[1:]]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    return "\n".join(part.rstrip() for part in done.stdout.splitlines()) + "\n"


def without_times(text: str) -> str:
    """Mask what no two runs have in common."""
    return re.sub(r"^(Seconds by stage: ).*", r"\1", text, flags=re.MULTILINE)


def pages() -> dict[Path, str]:
    """Return the text of every generated page by its path."""
    reference = DOCS / "reference"
    return {
        reference / "cli.md": _cli_page(),
        reference / "settings.md": _settings_page(),
        reference / "presets.md": _presets_page(),
    }


def _cli_page() -> str:
    parts = [
        "# Commands\n",
        _MADE,
        "",
        "Every command says this with `--help`. [Your own model](../guides/own-model.md#exit-codes) "
        "lists the exit codes. `RXSIM_DEBUG=1` shows the traceback of an internal error; "
        "`_RXSIM_COMPLETE` [completes commands in a shell](../getting-started.md#shell-completion).\n",
    ]
    for path, command in commands():
        parts.append(_command_section(path, command))
    return "\n".join(parts)


def _command_section(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    level = "##" if path.count(" ") == 1 else "###"
    text = [f"{level} {path}\n", f"```text\n{path} {usage}\n```\n"]
    text.append(_unwrapped(command.help or "") + "\n")
    options = [one for one in command.params if isinstance(one, click.Option)]
    if options:
        text += ["| option | meaning |", "|---|---|"]
        text += [_option_row(one, context) for one in options]
        text.append("")
    return "\n".join(text)


def _unwrapped(text: str) -> str:
    """Join the lines of each paragraph of a help text; what is indented stays as it is."""
    blocks = re.split(r"\n\s*\n", text.replace("\b", "").strip())
    return "\n\n".join(" ".join(block.split()) for block in blocks)


def _option_row(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    assert record is not None, option.name
    name, text = (_cell(part) for part in record)
    return f"| `{name}` | {text} |"


def _settings_page() -> str:
    schema = Settings.model_json_schema()
    parts = [
        "# Settings\n",
        _MADE,
        "",
        "Every key has a default; an unknown key is an error. Units are SI. `rxsim config show` prints "
        "all keys with their values, `rxsim config schema` this page as a JSON schema. "
        "[Section 9](../concepts/model.md#9-the-settings-file-names-are-the-contract) of the physical "
        "model says what wins over what.\n",
        "## General\n",
    ]
    general = {
        name: value
        for name, value in schema["properties"].items()
        if "$ref" not in value and name != "layers"
    }
    parts.append(_settings_table(general, schema["$defs"], ""))
    for name, value in schema["properties"].items():
        if "$ref" in value:
            section = _resolved(value, schema["$defs"])
            title, anchor = _MODEL_SECTIONS.get(name, ("The physical model", ""))
            parts.append(f"## {name}\n\n{_sentence(section)}")
            parts.append(
                f"The physics: [{title}](../concepts/model.md{'#' if anchor else ''}{anchor}).\n"
            )
            parts.append(_settings_table(section["properties"], schema["$defs"], f"{name}."))
    layer = schema["$defs"]["LayerSettings"]
    parts.append(f"## layers\n\n{_text(schema['properties']['layers'])}. {_sentence(layer)}\n")
    parts.append(
        "```yaml\nlayers:\n  conv1: {digital: true}\n  'block2*': {device: {n_bits: 8}}\n```\n"
    )
    parts.append(_settings_table(layer["properties"], schema["$defs"], "layers.NAME."))
    return "\n".join(parts)


def _settings_table(properties: Mapping[str, Any], known: Mapping[str, Any], start: str) -> str:
    rows = ["| key | values | default | meaning |", "|---|---|---|---|"]
    for name, value in _keys(properties, known, start):
        default = _value(value["default"]) if "default" in value else ""
        rows.append(
            f"| `{name}` | {_cell(_kind(value, known))} | {_cell(default)} | {_cell(_text(value))} |"
        )
    return "\n".join(rows) + "\n"


def _keys(
    properties: Mapping[str, Any], known: Mapping[str, Any], start: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield keys by dotted name; a section inside a section is opened, also one of several forms."""
    for name, value in properties.items():
        inner = _resolved(value, known)
        if "properties" in inner:
            yield from _keys(inner["properties"], known, f"{start}{name}.")
        else:
            yield f"{start}{name}", value
            for form in (*value.get("anyOf", ()), *value.get("oneOf", ())):
                keys = _resolved(form, known).get("properties", {})
                for key, each in _keys(keys, known, f"{start}{name}."):
                    if key in _NAMES:
                        yield key, each


def _resolved(value: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    reference = value.get("$ref", "")
    return {**known[reference.rpartition("/")[2]]} if reference else dict(value)


def _kind(value: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """Tell which values a key takes."""
    value = _resolved(value, known)
    for forms in ("anyOf", "oneOf"):
        if forms in value:
            return " or ".join(_kind(one, known) for one in value[forms])
    if "enum" in value:
        return ", ".join(f"`{_value(one)}`" for one in value["enum"])
    if "const" in value:
        return f"`{_value(value['const'])}`"
    kind = value.get("type", "")
    if kind == "array":
        return f"list of {_kind(value.get('items', {}), known) or 'values'}"
    words = {
        **{"integer": "whole number", "number": "number", "boolean": "`true`, `false`"},
        **{"string": "text", "object": "mapping", "null": "`null`"},
    }
    return words.get(kind, kind) + _bounds(value)


def _bounds(value: Mapping[str, Any]) -> str:
    low = next((f"{sign}{value[k]:g}" for k, sign in _LOW if k in value), "")
    high = next((f"{sign}{value[k]:g}" for k, sign in _HIGH if k in value), "")
    both = ", ".join(part for part in (low, high) if part)
    return f" ({both})" if both else ""


_NAMES = frozenset(dotted_names(Settings))
_LOW = (("minimum", ">= "), ("exclusiveMinimum", "> "))
_HIGH = (("maximum", "<= "), ("exclusiveMaximum", "< "))


def _value(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _text(value: Mapping[str, Any]) -> str:
    return str(value.get("description", ""))


def _sentence(section: Mapping[str, Any]) -> str:
    return " ".join(_text(section).split())


def _cell(text: str) -> str:
    """Write text so that a table's cell holds it."""
    return " ".join(text.replace("|", "\\|").replace("*", "\\*").split())


def _presets_page() -> str:
    parts = [
        "# Presets\n",
        _MADE,
        "",
        "Published devices for `device.model`. A key of yours wins over the preset's; a range beyond "
        "what was measured is refused. [Devices](../concepts/devices.md) explains them, and how to "
        "write one of your own. The physics: "
        "[4. Programming](../concepts/model.md#4-programming). This page is the output of "
        "`rxsim presets NAME`.\n",
        "```sh\nrxsim presets\nrxsim eval models/digits_cnn.onnx --trials 5 "
        "--set device.model=rram-wan-1day\n```\n",
    ]
    for name in preset_names():
        parts.append(f"## {name}\n\n```text\n{_printed(['presets', name])}```\n")
    return "\n".join(parts)


def _printed(arguments: list[str]) -> str:
    """Return what a quick command prints."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        root.main(arguments, prog_name="rxsim", standalone_mode=False)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def main() -> None:
    for path, text in pages().items():
        write_atomically(path, text.encode())
    for path in sorted(DOCS.rglob("*.md")):
        old = path.read_text(encoding="utf-8")
        new = SHOWN.sub(lambda found: found[1] + output_of(found[2]) + found[4], old)
        if without_times(new) != without_times(old):
            write_atomically(path, new.encode())
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
