"""A folder whose files are the choices: a choice's name is its file's name.

An input encoding is a file in `rxsim/encodings`, a device law a file in `rxsim/devices/laws`. To
add one is to add a file: names are listed without importing, a file is imported when it is chosen.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from rxsim.errors import InputError

T = TypeVar("T")


@cache
def names_in(package: str, suffix: str = ".py") -> tuple[str, ...]:
    """List the choices of a folder, sorted; files whose names begin with an underscore are none.

    Args:
        package: dotted name of the folder, such as "rxsim.encodings".
        suffix: suffix of the files that count.
    """
    files = (path for path in folder_of(package).iterdir() if path.suffix == suffix)
    return tuple(sorted(path.stem for path in files if not path.name.startswith("_")))


@cache
def folder_of(package: str) -> Path:
    """Return where a package lies, without importing it or a package around it."""
    top, *inner = package.split(".")
    spec = importlib.util.find_spec(top)
    for place in [] if spec is None else spec.submodule_search_locations or []:
        folder = Path(place).joinpath(*inner)
        if folder.is_dir():
            return folder
    raise ModuleNotFoundError(f"no folder {package}")


class Folder(Generic[T]):
    """The choices of one folder; each file holds its choice under the same name.

    Attributes:
        package: dotted name of the folder.
        member: name under which each file holds its choice.
    """

    def __init__(self, package: str, member: str) -> None:
        self.package, self.member = package, member

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all choices, sorted."""
        return names_in(self.package)

    def check(self, name: str) -> None:
        """Refuse a name that no file has.

        Raises:
            InputError: there is no such choice; the message lists those that exist.
        """
        if name not in self.names:
            kind = self.member.lower()
            raise InputError(
                f"{kind}: found {name!r}, expected one of {', '.join(self.names)}; choose one of these"
            )

    def __getitem__(self, name: str) -> T:
        """Return a choice.

        Raises:
            InputError: there is none of this name, or its file can't be used.
        """
        self.check(name)
        where = f"{self.package.replace('.', '/')}/{name}.py"
        try:
            module: Any = importlib.import_module(f"{self.package}.{name}")
        except (SyntaxError, NameError) as error:
            raise InputError(f"{where} can't be imported: {error}; correct the file") from error
        if not hasattr(module, self.member):
            raise InputError(f"{where} holds no {self.member}, expected one; add it to the file")
        return cast(T, getattr(module, self.member))

    def all(self) -> dict[str, T]:
        """Return every choice by its name, names sorted."""
        return {name: self[name] for name in self.names}
