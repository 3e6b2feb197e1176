"""`rxsim check`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import click

from rxsim.commands.arguments import FILE, progress_options
from rxsim.commands.json_output import json_file, write_json
from rxsim.commands.progress import watched
from rxsim.counted import counted
from rxsim.errors import InputError, RegressionError, WriteError
from rxsim.files import check_destination, write_atomically
from rxsim.gate import (
    Cases,
    Check,
    Record,
    check_cases,
    is_baseline,
    measure_cases,
    read_baseline,
    read_cases,
    to_json,
)
from rxsim.report.gate_github import workflow_commands
from rxsim.report.gate_junit import junit_xml
from rxsim.report.gate_markdown import markdown
from rxsim.report.gate_terminal import print_check, print_update
from rxsim.report.gate_text import one_line


@click.command("check")
@click.argument("regress", type=FILE, metavar="REGRESS.yaml")
@click.option(
    "--baseline", type=FILE, required=True, metavar="FILE", help="What the cases hit before (JSON)."
)
@click.option("--update", is_flag=True, help="Accept what the cases hit now: write the baseline.")
@click.option("--strict", is_flag=True, help="Undecided and unchecked fail as well.")
@click.option("--junit", type=FILE, metavar="FILE", help="Write JUnit XML.")
@click.option("--markdown", "summary", type=FILE, metavar="FILE", help="Write a Markdown summary.")
@click.option("--json", "json_path", metavar="FILE|-", help="Write all results as JSON.")
@click.option(
    "--github/--no-github",
    default=None,
    help="Print annotations, add to the job's summary; default: where GITHUB_ACTIONS is true.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Work done side by side; changes no result.",
)
@progress_options
def command(
    regress: Path,
    baseline: Path,
    update: bool,
    strict: bool,
    junit: Path | None,
    summary: Path | None,
    json_path: str | None,
    github: bool | None,
    threads: int | None,
    verbose: bool,
    quiet: bool,
) -> None:
    """Has the accuracy of the cases in REGRESS.yaml fallen since the baseline?

    Every case is evaluated as 'rxsim eval' does and compared with the baseline chip by chip and image
    by image. The verdict is statistical: a regression is a drop that chance does not explain at the
    file's level and that may be as large as its smallest_drop; passed means that such a drop is ruled
    out; undecided means that more images or chips are needed.

    Cases of the baseline that REGRESS.yaml lacks are not checked, and named.

    Exits with 1 where a case fell (with --strict also where one is undecided or not checked), else
    with 0.
    """
    json_place = json_file(json_path)
    cases = read_cases(regress)
    reads = [regress, *(file for case in cases.cases for file in case.reads)]
    if update:
        if junit or summary or json_path or strict or github:
            raise InputError(
                "--update was given with an option of a check, expected it alone: a new baseline is "
                "compared with nothing; leave one out"
            )
        _update(cases, baseline, reads, threads, quiet=quiet, verbose=verbose)
        return
    outputs = [junit, summary, json_place]
    for number, path in enumerate(outputs):
        if path is not None:
            check_destination(path, [*reads, baseline, *outputs[:number]])
    before = read_baseline(baseline)
    with watched(quiet=quiet, verbose=verbose) as watcher:
        check = check_cases(cases, before, threads=threads, watcher=watcher)
    _write(check, junit, summary, json_path, strict=strict)
    if github or (github is None and os.environ.get("GITHUB_ACTIONS") == "true"):
        _annotate(check, regress, strict=strict, aside=json_path == "-")
    _fail(check, strict=strict)


def _update(
    cases: Cases,
    baseline: Path,
    reads: Iterable[Path | None],
    threads: int | None,
    *,
    quiet: bool,
    verbose: bool,
) -> None:
    """Write a new baseline; an old baseline is replaced whatever its state, any other file is not."""
    check_destination(baseline, reads)
    old: dict[str, Record] = {}
    if baseline.exists():
        if baseline.stat().st_size and not is_baseline(baseline):
            raise InputError(
                f"the baseline {baseline} is some other file, expected one that 'rxsim check --update' "
                "wrote; choose another name, or remove it first"
            )
        try:
            old = read_baseline(baseline)
        except InputError as error:
            if not quiet:
                click.echo(f"the old baseline is replaced unread: {error}", err=True)
    with watched(quiet=quiet, verbose=verbose) as watcher:
        measured = measure_cases(cases, threads=threads, watcher=watcher)
        new = [case.record for case in measured]
    write_atomically(baseline, to_json(new).encode())
    print_update(old, new)


def _write(
    check: Check,
    junit: Path | None,
    summary: Path | None,
    json_path: str | None,
    *,
    strict: bool,
) -> None:
    """Write the reports that were asked for; JSON on standard output takes the table's place."""
    if junit is not None:
        write_atomically(junit, junit_xml(check, strict=strict).encode())
    if summary is not None:
        write_atomically(summary, markdown(check).encode())
    if not write_json(check.as_json(), json_path):
        print_check(check)


def _annotate(check: Check, regress: Path, *, strict: bool, aside: bool) -> None:
    """Print workflow commands, and add the Markdown to the summary of a GitHub job."""
    for line in workflow_commands(check, regress, strict=strict):
        click.echo(line, err=aside)
    place = os.environ.get("GITHUB_STEP_SUMMARY")
    if not place:
        return
    try:
        with open(place, "a", encoding="utf-8") as stream:
            stream.write(markdown(check))
    except OSError as error:
        raise WriteError(
            f"GITHUB_STEP_SUMMARY names {place}, which can't be written: {error.strerror or error}; "
            "give --no-github"
        ) from None


def _fail(check: Check, *, strict: bool) -> None:
    """Exit with 1 where the gate stays shut."""
    fallen, unclear = check.named("regression"), check.named("undecided")
    if fallen:
        raise RegressionError(
            f"found a lower accuracy in {len(fallen)} of {counted(len(check.cases), 'case')} "
            f"({', '.join(fallen)}), expected none; mend what changed, or accept it with --update"
        )
    if strict and unclear:
        raise RegressionError(
            f"found {len(unclear)} of {counted(len(check.cases), 'case')} undecided "
            f"({', '.join(unclear)}), "
            "expected none with --strict; give more images or chips, or a larger smallest_drop"
        )
    if strict and check.unchecked:
        raise RegressionError(
            f"found {counted(len(check.unchecked), 'case')} of the baseline that "
            f"{'was' if len(check.unchecked) == 1 else 'were'} "
            f"not checked ({', '.join(map(one_line, check.unchecked))}), expected none with "
            "--strict; put them back into the regression file, or drop them with --update"
        )
