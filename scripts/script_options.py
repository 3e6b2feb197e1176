"""Options that scripts share, and how they refuse what can't be used."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NoReturn

from rxsim.errors import RxsimError
from rxsim.memory import read_size


def refuse(sentence: str) -> NoReturn:
    """Say what can't be used, and end with exit code 2."""
    print(sentence, file=sys.stderr)
    raise SystemExit(2)


def whole_number(text: str) -> int:
    """Read a whole number above 0, as a type of argparse."""
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number above 0")
    return int(text)


def whole_numbers(text: str) -> list[int]:
    """Read whole numbers above 0 with commas between them, as a type of argparse."""
    words = text.split(",")
    if not all(word.strip().isdecimal() and int(word) > 0 for word in words):
        raise argparse.ArgumentTypeError(
            f"found {text!r}, expected whole numbers above 0 with commas between them, such as 16,64"
        )
    return [int(word) for word in words]


def one_of(known: Collection[str]) -> Callable[[str], str]:
    """Return a type of argparse that takes these names."""

    def read(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(f"found {text!r}, expected one of {', '.join(known)}")
        return text

    return read


def memory_size(text: str) -> str:
    """Check a size such as 4GB, as a type of argparse."""
    try:
        read_size(text, "it")
    except RxsimError:
        raise argparse.ArgumentTypeError(
            f"found {text!r}, expected a size from 256 MiB on with its unit, such as 4GB"
        ) from None
    return text


def make_folder(path: Path) -> Path:
    """Make the folder that --output names, if it is not there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if path.is_file() else error.strerror
        refuse(f"--output: found {path}, expected a folder that can be written ({reason})")
    return path
