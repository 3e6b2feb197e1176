"""Files: safe reading of YAML and JSON, content hashes, and atomic writing of results."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from rxsim.errors import InputError, WriteError

_DEEPEST = 100


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, merge keys, and endless nesting."""

    def fetch_flow_collection_start(self, TokenClass: type[yaml.Token]) -> None:
        """Start a list or a mapping in brackets; PyYAML takes quadratic time for nested ones."""
        if self.flow_level >= _DEEPEST:
            raise yaml.scanner.ScannerError(
                None, None, f"brackets are nested more than {_DEEPEST} deep", self.get_mark()
            )
        super().fetch_flow_collection_start(TokenClass)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    "merge keys (<<) are not read; write the keys out",
                    key_node.start_mark,
                )
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


def parse_yaml(text: str, where: str) -> Any:
    """Read YAML text safely (no Python objects, no key twice).

    Args:
        text: the YAML.
        where: name of the source in an error message.

    Raises:
        InputError: the text is not valid YAML.
    """
    try:
        return yaml.load(text, Loader=_UniqueKeyLoader)  # a SafeLoader
    except Exception as error:  # PyYAML's own, and many types on values with a tag
        raise InputError(
            f"{where} is not valid YAML: {_yaml_problem(error)}; correct it there"
        ) from None


def _yaml_problem(error: Exception) -> str:
    """Return PyYAML's complaint in one line, with its line number where there is one."""
    mark = getattr(error, "problem_mark", None)
    line = f" (line {mark.line + 1})" if mark else ""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, yaml.reader.ReaderError):
        return f"{error.reason} (character {error.position + 1})"
    if isinstance(error, yaml.YAMLError | ValueError):
        text = getattr(error, "problem", None) or str(error) or type(error).__name__
        return f"{' '.join(text.split())}{line}"
    return f"a value does not fit its tag ({type(error).__name__})"


def read_yaml_mapping(path: Path, what: str) -> dict[str, Any]:
    """Read a YAML file that must hold a mapping; an empty file is an empty mapping.

    Raises:
        InputError: the file is missing, unreadable, not YAML, or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(f"{what} {path} can't be read: {reason}; check the path") from None
    value = parse_yaml(text, f"{what} {path}")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(
            f"{what} {path} holds {'a list' if isinstance(value, list) else 'a single value'}, "
            "expected a mapping of names to values; write 'name: value' lines"
        )
    return value


def read_json(path: Path, what: str, largest: int) -> Any:
    """Read a JSON file strictly: no NaN, no infinity.

    Args:
        path: the file.
        what: name of the file in messages, its path included.
        largest: largest size in bytes.

    Raises:
        InputError: the file is missing, unreadable, too large or not JSON.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{what} is a folder or a device, expected a file; check the path")
        size = path.stat().st_size
        if size > largest:
            raise InputError(
                f"{what} has {size:,} bytes, expected at most {largest:,}; check that it is the right "
                "file"
            )
        text = path.read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(f"{what} can't be read: {reason}; check the path") from None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"{what} is not valid JSON: {reason}; write it anew") from None


def _no_constant(word: str) -> None:
    raise ValueError(f"it holds {word}")


def sha256_of(path: Path) -> str:
    """Hash a file's bytes (hex SHA-256)."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def check_destination(path: Path, reads: Iterable[Path | None] = ()) -> None:
    """Refuse an output path that can't be written, or that would overwrite an input.

    Args:
        path: path of the result.
        reads: other files that the command reads or writes; None entries are skipped.

    Raises:
        InputError: the folder does not exist, or the path is a folder or one of these files.
    """
    try:
        if path.is_dir():
            raise InputError(f"the output {path} is a folder, expected a file name; add one")
        if not path.parent.is_dir():
            raise InputError(
                f"the output {path} lies in a folder that does not exist ({path.parent}); create "
                "it first"
            )
        for used in reads:
            if used is not None and _same_file(path, used):
                raise InputError(
                    f"the output {path} is another file of this command as well, expected a file "
                    "of its own; choose another name"
                )
    except OSError as error:
        raise InputError(
            f"the output {path} can't be used: {error.strerror or error}; choose another name"
        ) from None


def check_writable(path: Path) -> None:
    """Refuse an output that will not be written later, as far as can be told before.

    Args:
        path: path of the result, in a folder that exists.

    Raises:
        WriteError: the folder, or a pipe or device at the path, does not take it.
    """
    is_replaced = not path.exists() or path.is_file()
    place = path.resolve().parent if is_replaced else path
    if not os.access(place, os.W_OK | os.X_OK if is_replaced else os.W_OK):
        raise WriteError(
            f"{path} can't be written: {place} does not allow it; free or choose another place"
        )


def _same_file(path: Path, used: Path) -> bool:
    if path.exists() and used.exists():
        return path.is_file() and path.samefile(used)
    return path.resolve() == used.resolve()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it, so that it is whole or absent.

    A link stays a link: its target is replaced. A pipe or a device is written directly.

    Raises:
        InputError: the destination is unusable (see `check_destination`).
        WriteError: the file system refused.
    """
    write_together([(path, [content])])


def write_together(files: Sequence[tuple[Path, Iterable[bytes]]]) -> None:
    """Write files under temporary names, and rename them, in their order, when all are whole.

    Args:
        files: path of each, and its content part by part; the one that names the others comes last.

    Raises:
        InputError: a destination is unusable (see `check_destination`).
        WriteError: the file system refused.
    """
    staged: list[tuple[str, Path]] = []
    path = Path()
    try:
        for path, parts in files:
            check_destination(path)
            if path.exists() and not path.is_file():
                with path.open("wb") as stream:
                    stream.writelines(parts)
            else:
                _stage(path, parts, staged)
        while staged:
            temporary, path = staged[0]
            os.replace(temporary, path)
            del staged[0]
    except BaseException as error:
        for temporary, _ in staged:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            raise WriteError(
                f"{path} can't be written: {error.strerror or error}; free or choose another place"
            ) from None
        raise


def _stage(path: Path, parts: Iterable[bytes], staged: list[tuple[str, Path]]) -> None:
    """Write a file's content under a temporary name beside it."""
    target = path.resolve()
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".rxsim-", suffix=".tmp")
    staged.append((temporary, target))
    with os.fdopen(handle, "wb") as stream:
        stream.writelines(parts)
        stream.flush()
        os.fsync(stream.fileno())
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(temporary, 0o666 & ~umask)
