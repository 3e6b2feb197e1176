"""How much memory runs of a patched network take, and how many batches fit side by side.

How many run at once changes no result. How many inputs a batch holds would: networks that draw noise
draw it batch by batch. So a memory bound says the first, and never the second.
"""

from __future__ import annotations

from rxsim.mapping import LayerPlan, NetworkPlan
from rxsim.memory import as_text
from rxsim.onnx_graph import are_heavy
from rxsim.spilled import are_many

# Measured (docs/evidence/memory.md): what a process holds besides the runs themselves.
_BASE_BYTES = 250 * 2**20  # Python, its libraries, the data
_MATRICES_BYTES = (
    56  # for each entry of a transfer matrix: copies in float64 and float32, sessions'
)
_ENTRY_BYTES = 8  # float64, as arrays are solved
# Likewise where matrices lie in files: those that onnxruntime packs, of two sessions.
# Assumption: the largest layer, which is in memory while it is solved, takes no more.
_IN_FILES_BYTES = 8
# Measured likewise: bytes for each value of a conversion, of the layer that has most of them. A pass is
# added to the ones before, and its tensors are freed before the next one's are made.
_PASS_BYTES = 48  # added in float64
_WHOLE_BYTES = 24  # added in float32, as far as that is exact
_PLAIN_BYTES = 24  # one pass and one slice


def has_heavy_arrays(plan: NetworkPlan) -> bool:
    """Tell whether two sets of transfer matrices should not be held side by side."""
    return are_heavy(_ENTRY_BYTES * _entries(plan))


def resident_bytes(plan: NetworkPlan) -> int:
    """Return about how many bytes an evaluation holds besides its runs."""
    entries = _entries(plan)
    return _BASE_BYTES + (_IN_FILES_BYTES if are_many(entries) else _MATRICES_BYTES) * entries


def input_bytes(plan: NetworkPlan) -> int:
    """Return about how many bytes a run of the patched network takes for each input of its batch."""
    return max((_layer_bytes(layer) for layer in plan.layers.values()), default=0)


def batches_at_once(plan: NetworkPlan, batch: int, threads: int, memory: int | None) -> int:
    """Return how many batches may run side by side.

    Args:
        plan: of the network.
        batch: inputs a batch.
        threads: at most so many.
        memory: bytes that the process may take; None: no bound.

    Returns:
        1 at least: what does not fit alone is run all the same.
    """
    if memory is None:
        return threads
    left = memory - resident_bytes(plan)
    return max(1, min(threads, left // max(batch * input_bytes(plan), 1)))


def memory_note(plan: NetworkPlan, batch: int, memory: int | None) -> str | None:
    """Return what a user should know where a single batch may take more than the bound."""
    needed = resident_bytes(plan) + batch * input_bytes(plan)
    if memory is None or needed <= memory:
        return None
    return (
        f"memory: found a bound of {as_text(memory)}, expected about {as_text(needed)} for this "
        "network, one batch at a time; it may take more than the bound: raise --memory, or use smaller "
        "arrays, fewer slices or fewer layers on crossbars"
    )


def _entries(plan: NetworkPlan) -> int:
    """Count the entries of all layers' transfer matrices."""
    return sum(
        layer.tiling.groups * layer.tiling.n_inputs * layer.readouts.count
        for layer in plan.layers.values()
    )


def _layer_bytes(layer: LayerPlan) -> int:
    """Return about how many bytes a layer's tensors take for an input."""
    values = (layer.positions or 0) * layer.tiling.groups * layer.readouts.count
    if layer.readouts.is_plain and layer.most_passes == 1:
        return values * _PLAIN_BYTES
    # Ranges that do not come from calibration have one LSB for all passes: they add up in whole LSBs.
    adc = layer.settings.adc
    is_whole = adc.n_bits is not None and adc.range != "calibrated" and adc.thresholds is None
    return values * (_WHOLE_BYTES if is_whole else _PASS_BYTES)
