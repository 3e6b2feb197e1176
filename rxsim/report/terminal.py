"""An evaluation as tables on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rxsim.config import Settings
from rxsim.counted import counted
from rxsim.metrics import all_metrics, chosen_metric
from rxsim.pipeline import Evaluation, Inventory, LayerPlace, LayerReport
from rxsim.report.compensation_terminal import print_compensation
from rxsim.report.console import print_calibrated_instead, print_seconds, standard_console
from rxsim.report.cost_brief import print_cost_brief
from rxsim.report.over_time_terminal import (
    print_drift_factors,
    print_over_time,
    print_programming,
)
from rxsim.report.rung_cells import decibel, main_cells, mean_cell
from rxsim.report.statistics_notes import chips_note, interval_note, yield_notes
from rxsim.report.work_shares import most_work_first, percent, unmapped_warning, work_share

PLUMBING = "changes shape, order or type only"
"""Why operators without arithmetic stay digital, as `rxsim.load.digital` says it."""


def print_evaluation(result: Evaluation, console: Console | None = None) -> None:
    """Print the ladder, the layers, what stayed digital, and the seconds per stage."""
    console = console or standard_console()
    _print_head(result, console)
    console.print(ladder_table(result))
    print_compensation(result.compensation, console)
    _print_notes(result, console)
    print_over_time(result, console)
    print_drift_factors(result, console)
    console.print(_layer_table(result))
    _print_transformation(result, console)
    _print_rest(result.inventory, console)
    print_programming(result, console)
    print_cost_brief(result.cost, console)
    print_seconds(result.seconds, console)


def print_inventory(
    name: str, settings: Settings, inventory: Inventory, console: Console | None = None
) -> None:
    """Print what a network puts onto crossbars and what stays digital."""
    console = console or standard_console()
    crossbar = settings.crossbar
    console.print(escape(f"{name} on {crossbar.rows}x{crossbar.cols} arrays"), soft_wrap=True)
    layers, *_ = inventory_tables(inventory)
    console.print(layers)
    _print_rest(inventory, console)
    for kind in inventory.as_float32:
        console.print(_as_float32(kind), soft_wrap=True)


def inventory_tables(inventory: Inventory) -> list[Table]:
    """Return the layers, and what stays digital where anything does."""
    table = Table(title="By layer (MACs for one input)", title_justify="left")
    table.add_column("layer", overflow="fold")
    table.add_column("operator")
    for title in ("matrix", "arrays", "used", "weights", "MACs", "share"):
        table.add_column(title, justify="right")
    for place in inventory.layers:
        first, *rest = _place_cells(place)
        macs = "-" if place.macs is None else f"{place.macs:,}"
        table.add_row(first, place.op, *rest[:-1], f"{place.parameters:,}", macs, rest[-1])
    return [table, *([_digital_table(inventory)] if inventory.digital else [])]


def _digital_table(inventory: Inventory) -> Table:
    """What stays digital, most arithmetic first; operators without any share the last line."""
    table = Table(title="Stays digital (MACs for one input)", title_justify="left")
    table.add_column("operator", overflow="fold")
    table.add_column("nodes", justify="right")
    table.add_column("MACs", justify="right")
    table.add_column("share", justify="right")
    table.add_column("why")
    plumbing = [row for row in inventory.digital if row["reason"] == PLUMBING]
    others = [row for row in inventory.digital if row["reason"] != PLUMBING]
    for row in sorted(others, key=most_work_first):
        size, share = row["macs"], row.get("mac_share")
        work = "unknown" if size is None else f"{size:,}" if size else "-"
        part = "-" if share is None else percent(share)
        table.add_row(escape(row["op"]), f"{row['nodes']:,}", work, part, escape(row["reason"]))
    if plumbing:
        names = ", ".join(sorted(escape(row["op"]) for row in plumbing))
        table.add_row(names, f"{sum(row['nodes'] for row in plumbing):,}", "-", "-", PLUMBING)
    return table


def _print_head(result: Evaluation, console: Console) -> None:
    crossbar, device = result.settings["crossbar"], result.settings["device"]
    data = result.provenance["data"]
    evaluated = result.provenance["evaluated"]
    if data is None:
        inputs = counted(evaluated, "made-up input")
    else:
        inputs = f"{counted(evaluated, 'sample')} of {data['name']}"
    console.print(
        escape(
            f"{result.provenance['model']['name']} on {crossbar['rows']}x{crossbar['cols']} arrays, "
            f"{_kilo_ohm(device['g_on'], device['g_off'])}; "
            f"{inputs}; output {result.provenance['output']}"
        ),
        soft_wrap=True,
    )


def _kilo_ohm(g_on: float, g_off: float) -> str:
    """Write the range of a cell's resistance; a cell of 0 S is open."""
    low = f"{1e-3 / g_on:g}"
    return f"{low} to {1e-3 / g_off:g} kohm" if g_off > 0 else f"{low} kohm to open"


def ladder_table(result: Evaluation) -> Table:
    """Return the rungs: the chosen metric with its intervals, then all others that were measured."""
    summaries = {rung.name: rung.summary() for rung in result.ladder}
    main = chosen_metric(result.metric)
    others = {
        name: metric
        for name, metric in all_metrics().items()
        if metric.in_ladder and name != main and any(rung[name] for rung in summaries.values())
    }
    table = Table(title="The ladder", title_justify="left")
    table.add_column("rung")
    if main is not None:
        title = all_metrics()[main].title
        for column in (title, "std", "95 % these images", "95 % new images"):
            table.add_column(column, justify="right")
    for metric in others.values():
        table.add_column(metric.title_beside or metric.title, justify="right")
    for rung, summary in summaries.items():
        row = [escape(rung), *(main_cells(summary[main]) if main is not None else [])]
        row += [mean_cell(summary[name], metric) for name, metric in others.items()]
        table.add_row(*row)
    return table


def _print_notes(result: Evaluation, console: Console) -> None:
    """Say what the numbers above do not."""
    for note in (interval_note(result), chips_note(result), *yield_notes(result)):
        if note is not None:
            console.print(note, soft_wrap=True)
    if result.metric == "none":
        made_up = result.provenance["made_up"]
        why = "the inputs are made up" if made_up else "the metric is none"
        compared = (
            "SNR compares" if "single_value" in result.remarks else "Agreement and SNR compare"
        )
        console.print(
            f"No accuracy was measured: {why}. {compared} with the float network.",
            soft_wrap=True,
        )
    for remark in result.remarks.values():
        console.print(f"Note: {remark}.", soft_wrap=True)
    if result.provenance.get("one_by_one"):
        console.print(
            "Note: inputs were run one at a time, for the model or its output takes no more at once.",
            soft_wrap=True,
        )
    for name in result.provenance.get("as_float32", ()):
        console.print(_as_float32(name), soft_wrap=True)
    print_calibrated_instead(result.provenance.get("calibrated_instead", ()), console)
    overlap = result.provenance["calibration"]["overlap"]
    if overlap:
        console.print(
            f"Note: {overlap} of {result.provenance['calibration']['samples']} calibration inputs are "
            "among the evaluated ones; give --calibrate or --limit for disjoint ones.",
            soft_wrap=True,
        )
    trials = result.settings["trials"]
    if result.deterministic and trials > 1:
        console.print(
            f"Note: nothing in these settings is random, so all {trials} trials are the same chip.",
            soft_wrap=True,
        )


def _as_float32(name: str) -> str:
    return f"Note: {name} is run as float32, because onnxruntime's CPU lacks operators for it."


def _layer_table(result: Evaluation) -> Table:
    table = Table(
        title=f"By layer (SNR and clipping of the first chip, {counted(result.diagnosed, 'input')})",
        title_justify="left",
    )
    table.add_column("layer", overflow="fold")
    for name in ("matrix", "arrays", "used", "MACs", "SNR ideal", "SNR", "DAC clips", "ADC clips"):
        table.add_column(name, justify="right")
    for row in result.layers:
        table.add_row(*_layer_row(row))
    return table


def _print_transformation(result: Evaluation, console: Console) -> None:
    """Print how far layers whose arrays are not linear are from full solutions."""
    rows = [(row.place.name, row.transformation) for row in result.layers if row.transformation]
    if not rows:
        return
    table = Table(
        title="Transformed arrays against full solutions (nominal devices, calibration inputs)",
        title_justify="left",
    )
    table.add_column("layer", overflow="fold")
    for name in ("solutions", "rms of range", "worst", "rms LSB", "plain chords LSB", ""):
        table.add_column(name, justify="right")
    for name, error in rows:
        lsb = "-" if error.rms_lsb is None else f"{error.rms_lsb:.3f}"
        plain = "-" if error.plain_rms_lsb is None else f"{error.plain_rms_lsb:.3f}"
        table.add_row(
            escape(name),
            str(error.solutions),
            percent(error.rms_share),
            percent(error.worst_share),
            lsb,
            plain,
            "above half an LSB" if error.flagged else "",
        )
    console.print(table)


def _layer_row(row: LayerReport) -> list[str]:
    return [
        *_place_cells(row.place),
        "-" if row.snr_db is None else decibel(row.snr_db_ideal),
        "-" if row.snr_db is None else decibel(row.snr_db),
        *("-" if v is None else percent(v) for v in (row.dac_clipping, row.adc_clipping)),
    ]


def _place_cells(place: LayerPlace) -> list[str]:
    """Write a layer's name, matrix, arrays, utilisation and share of multiply-accumulates."""
    matrix = f"{place.rows}x{place.cols}"
    return [
        escape(place.name),
        matrix if place.groups == 1 else f"{place.groups} of {matrix}",
        f"{place.arrays:,}",
        percent(place.utilisation),
        "-" if place.mac_share is None else percent(place.mac_share),
    ]


def _print_rest(inventory: Inventory, console: Console) -> None:
    """Print the shares of the network on crossbars, and what is not there."""
    arrays = sum(place.arrays for place in inventory.layers if place.shared_with is None)
    parameters = inventory.shares["parameters_mapped"]
    console.print(
        f"On crossbars: {counted(len(inventory.layers), 'layer')}, {counted(arrays, 'array')}, "
        f"{work_share(inventory.shares)} of multiply-accumulates, "
        f"{'an unknown share' if parameters is None else percent(parameters)} of parameters.",
        soft_wrap=True,
    )
    if warning := unmapped_warning(inventory.shares, inventory.digital):
        console.print(escape(warning), style="yellow", soft_wrap=True)
    if inventory.from_run:
        count = counted(len(inventory.from_run), "product")
        text = f"MACs of {count} come from a run on one input: the file's shapes do not tell them."
        console.print(text, soft_wrap=True)
    _print_packing(inventory, console)
    _print_skipping(inventory, console)
    if shared := [place for place in inventory.layers if place.shared_with is not None]:
        pairs = ", ".join(f"{place.name} (with {place.shared_with})" for place in shared[:3])
        more = ", .." if len(shared) > 3 else ""
        console.print(
            escape(f"Same weights, mapped once: {pairs}{more}; their arrays count once."),
            soft_wrap=True,
        )
    if inventory.digital:
        console.print(_digital_table(inventory))


def _print_skipping(inventory: Inventory, console: Console) -> None:
    """Print how many arrays are saved where lines of zeros are left out."""
    skipping = [
        place
        for place in inventory.layers
        if place.arrays_with_zeros is not None and place.shared_with is None
    ]
    if skipping:
        before = sum(place.arrays_with_zeros or 0 for place in skipping)
        after = sum(place.arrays for place in skipping)
        share = percent(1 - after / before)
        console.print(
            f"Zeros left out: {counted(len(skipping), 'layer')} on {counted(after, 'array')} instead "
            f"of {before:,}, {share} less.",
            soft_wrap=True,
        )


def _print_packing(inventory: Inventory, console: Console) -> None:
    """Print how many arrays are saved where several groups share an array."""
    packed = [place for place in inventory.layers if place.arrays_unpacked is not None]
    if packed:
        before = sum(place.arrays_unpacked or 0 for place in packed)
        after = sum(place.arrays for place in packed)
        console.print(
            f"Packed groups: {counted(len(packed), 'layer')} on {counted(after, 'array')} instead of "
            f"{before:,} with each group on arrays of its own.",
            soft_wrap=True,
        )
