"""`rxsim verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rxsim.commands.arguments import FILE
from rxsim.commands.json_output import json_file, write_json
from rxsim.commands.options import (
    calibration_option,
    files_read,
    open_given,
    study_options,
)
from rxsim.commands.progress import watched
from rxsim.counted import counted
from rxsim.errors import VerificationError
from rxsim.files import check_destination
from rxsim.pipeline import verify
from rxsim.pipeline.inspect.verification import N_ARRAYS, N_VECTORS
from rxsim.report.verification_terminal import print_verification
from rxsim.stages import Stages
from rxsim.verify import REFERENCES, TOLERANCE

_COUNT = click.IntRange(min=1)


@click.command("verify")
@click.argument("model", type=FILE)
@study_options
@calibration_option
@click.option(
    "--arrays",
    type=_COUNT,
    default=N_ARRAYS,
    show_default=True,
    metavar="K",
    help="Arrays that are compared: one in every layer as far as they go, the rest anywhere.",
)
@click.option(
    "--vectors",
    type=_COUNT,
    default=N_VECTORS,
    show_default=True,
    metavar="V",
    help="Real input vectors for each array, one of each of V calibration inputs.",
)
@click.option(
    "--tol",
    type=float,
    default=TOLERANCE,
    show_default=True,
    metavar="X",
    help="Allowed |difference| of a current, of the largest |i_out| of its array's columns.",
)
@click.option(
    "--reference",
    type=click.Choice(REFERENCES),
    default="auto",
    show_default=True,
    help="auto: ngspice where it is installed and arrays are at most 64x64, else sparse.",
)
@click.option(
    "--trial", type=click.IntRange(min=0), default=0, show_default=True, help="Which chip."
)
@click.option("--json", "json_path", metavar="FILE|-", help="Write all results as JSON.")
def command(
    model: Path,
    arrays: int,
    vectors: int,
    tol: float,
    reference: str,
    trial: int,
    json_path: str | None,
    **given: Any,
) -> None:
    """Compare the solved arrays of MODEL.onnx with an independent circuit solver.

    Arrays are sampled by the seed from the mapped, programmed network, and driven with the voltages
    that a pass of the layer's encoding (a digit, a random pulse, an instant of pulses of some width)
    puts on them for real calibration inputs. The sensed currents v_in @ g_eff are compared with
    ngspice's, or with a sparse nodal analysis that is refined in extended precision. Where ngspice
    and rxsim differ by more than --tol (ngspice itself loses digits beside very small resistances),
    the sparse analysis is asked too, both are reported, and it alone decides.

    Exits with 0 where every current is within --tol, else with 1.
    """
    json_place = json_file(json_path)
    if json_place is not None:
        check_destination(json_place, files_read(model, given))
    with watched(quiet=given["quiet"], verbose=given["verbose"]) as watcher:
        study = open_given(model, given, Stages(watcher))
        result = verify(
            study,
            arrays=arrays,
            vectors=vectors,
            tolerance=tol,
            reference=reference,
            trial=trial,
        )
    if not write_json(result.as_json(), json_path):
        print_verification(result)
    if not result.passed:
        worst = result.worst
        raise VerificationError(
            f"layer {worst.layer}, array {worst.array}: i_out differs by {worst.worst:.1e} from the "
            f"refined sparse solve, expected at most {tol:g}; this is the worst of "
            f"{counted(len(result.checks), 'array')}: report it with the output of --json, or "
            "give a larger --tol"
        )
