"""Evaluate networks on arrays of 16, 32, 64 and 128 rows, as Fig. 9 of Jain et al. (2019) does.

Usage: RXSIM_ASSETS=FOLDER python scripts/figure9.py -o RESULTS [--compensate-at 128] [..]
       python scripts/figure9.py -o RESULTS --quick
       python scripts/figure9.py -o RESULTS --model NET.onnx --card CARD.yaml --data TEST.npz [..]

The hardware is configs/rxnn-64.yaml with a write error, or what --config says, in each size of
arrays. Each row is a sweep of a single point, run by `rxsim sweep` in a process of its own, so that its
time and memory are known. RESULTS is a folder: figure9.sqlite (which `rxsim results`, `report` and
`plot` read), rows/ (the sweep file of each row), and table.md, changes.md, table.csv and figure9.svg
with all rows that the folder holds. The same command goes on where it was stopped; what is there is not
computed again.
--quick takes the shipped networks on few images, and needs no RXSIM_ASSETS.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from figure9_record import Record
from figure9_rows import (
    ALL,
    OF_PAPER,
    SHIPPED,
    SIZES,
    Hardware,
    Network,
    Row,
    check_assets,
    network_of,
    rows_of,
)
from figure9_shown import markdown
from google.protobuf.message import DecodeError
from script_options import memory_size, refuse, whole_number, whole_numbers

from rxsim.errors import RxsimError

QUICK_SIZES, QUICK_IMAGES, QUICK_CHIPS = (16, 64), 60, 2
FILES = {
    "model": "an ONNX file",
    "card": "its card",
    "data": "labelled data",
    "images": "the folder of the images that --data lists",
    "calibrate": "data that fix converter ranges",
}
"""Options for a network that is none of the figure's; keys of a sweep file."""


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line.

    Raises:
        SystemExit: it can't be used.
    """
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("-o", "--output", type=Path, required=True, help="a folder")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--networks", default="", help=f"some of {', '.join(ALL)}")
    for option, what in FILES.items():
        parser.add_argument(f"--{option}", type=Path, metavar="PATH", help=what)
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings of the hardware")
    parser.add_argument("--sizes", type=whole_numbers, help="such as 16,64")
    parser.add_argument("--compensate-at", type=whole_numbers, default=[], help="sizes")
    parser.add_argument("--retrained", action="append", default=[], metavar="NETWORK:SIZE=FILE")
    parser.add_argument("--limit", type=whole_number, help="inputs, at most")
    parser.add_argument("--chips", type=whole_number, help="at most")
    parser.add_argument("--memory", type=memory_size, default="4GB", help="of a row's process")
    parser.add_argument("--show", action="store_true", help="run nothing: tables and figure anew")
    return parser.parse_args(words)


def rows_wanted(given: argparse.Namespace) -> list[Row]:
    """Return the rows of a command line.

    Raises:
        SystemExit: a network is not known, its folder is not named, or a file is not there.
    """
    files = {option: getattr(given, option) for option in FILES}
    files = {option: path for option, path in files.items() if path is not None}
    for option, path in [*files.items(), ("config", given.config)]:
        if path is not None and not path.exists():
            refuse(f"--{option}: found nothing at {path}, expected {FILES.get(option, 'settings')}")
    networks = _networks(given, files)
    hardware = OF_PAPER
    if given.config is not None:
        hardware = Hardware(config=str(given.config.absolute()), settings={})
    most = (given.limit, given.chips)
    if given.quick:
        most = (given.limit or QUICK_IMAGES, given.chips or QUICK_CHIPS)
    sizes = given.sizes or (QUICK_SIZES if given.quick else SIZES)
    trained = dict(_retrained(text, networks) for text in given.retrained)
    return list(rows_of(networks, hardware, sizes, given.compensate_at, trained, most))


def _networks(given: argparse.Namespace, files: Mapping[str, Path]) -> list[Network]:
    """Return the networks of a command line: those it names, and the file it gives."""
    names = [name for name in given.networks.split(",") if name]
    unknown = [name for name in names if name not in ALL]
    if unknown:
        refuse(f"--networks: found {', '.join(unknown)}, expected some of {', '.join(ALL)}")
    if files and "model" not in files:
        refuse(f"--{next(iter(files))}: found no --model beside it, expected the network it is for")
    if "model" in files:
        given_file = [network_of({option: str(path) for option, path in files.items()})]
    else:
        given_file = []
        names = names or [each.name for each in (SHIPPED if given.quick else ALL.values())]
    check_assets(names)
    return [*(ALL[name] for name in names), *given_file]


def _retrained(text: str, networks: Sequence[Network]) -> tuple[tuple[str, int], Path]:
    """Read NETWORK:SIZE=FILE."""
    match = re.fullmatch(r"(.+):(\d+)=(.+)", text)
    named = {each.name: each for each in networks}
    if match is None or match[1] not in named:
        refuse(
            f"--retrained: found {text!r}, expected NETWORK:SIZE=FILE, trained for arrays of SIZE, "
            f"with one of {', '.join(named)}"
        )
    path = Path(match[3])
    if not path.is_file():
        refuse(f"--retrained: found no file {path}, expected what rxsim retrain wrote")
    original = Path(os.path.expandvars(named[match[1]].files["model"]))
    if _structure(path) != _structure(original):
        refuse(
            f"--retrained: found another network in {path}, expected the layers of {original.name} "
            "with other values, as rxsim retrain writes them"
        )
    return (match[1], int(match[2])), path


def _structure(path: Path) -> list[Any]:
    """Return the operators of a file and the shapes of its weights."""
    try:
        graph = onnx.load(path, load_external_data=False).graph
    except (DecodeError, OSError, ValueError):
        refuse(f"found {path}, expected an ONNX file")
    shapes = sorted((tensor.name, tuple(tensor.dims)) for tensor in graph.initializer)
    return [[node.op_type for node in graph.node], shapes]


def main(words: Sequence[str]) -> None:
    """Run the rows, then write tables and figure."""
    given = arguments(words)
    try:
        rows = rows_wanted(given)
        record = Record(given.output)
        failed = [] if given.show else _run(rows, record, given.memory)
        print(f"\n{record.show()}")
    except RxsimError as error:
        refuse(str(error))
    except KeyboardInterrupt:
        print(f"stopped; the same command goes on with what {given.output} holds", file=sys.stderr)
        raise SystemExit(130) from None
    if failed:
        print(
            f"failed, see 'rxsim results show {record.results}': {'; '.join(failed)}",
            file=sys.stderr,
        )
        raise SystemExit(1)


def _run(rows: Sequence[Row], record: Record, memory: str) -> list[str]:
    """Run what is missing; return the names of rows that failed."""
    failed = []
    print("".join(f"{line}\n" for line in markdown([]).splitlines()), end="")
    for row in rows:
        if not record.is_whole(row) and not record.run(row, memory):
            failed.append(row.name)
        print("".join(markdown(record.outcomes([row.name])).splitlines()[2:]), flush=True)
    return failed


if __name__ == "__main__":
    main(sys.argv[1:])
