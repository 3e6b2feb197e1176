"""The open-ADC network on the calibration inputs: what its currents tell, in bounded memory.

Of most currents only the largest ones count: these are found in the graph, and no current is held.
Where all values are looked at, layers take turns when a batch of all of them takes too much memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import onnx

from rxsim.converters import RangeMeter
from rxsim.onnx_graph import (
    GraphBuilder,
    WriteStatistic,
    has_known_lengths,
    keep_outputs,
    made_outside_bodies,
    with_outputs,
    with_statistics,
)
from rxsim.operators import Layer
from rxsim.patch import LayerHardware, PatchedNetwork
from rxsim.pipeline.study.study import Study
from rxsim.session import Session

_AXES_AS_INPUT = 18  # from this operator set on ReduceMax takes its axes as an input
_SHARE = 4  # of the memory bound: so much of it may be taken by currents that are handed over
_WAITING = 3  # batches of results for each in flight: those that wait, and the one in work
_VALUE_BYTES = 4


class Meter(Protocol):
    """Takes in the currents of a layer."""

    def add(self, currents: list[np.ndarray], channel_axis: int) -> None:
        """Take in the currents of a batch, one array a conversion."""


class OpenRun:
    """The open-ADC network on the calibration inputs, as often as it is needed."""

    def __init__(
        self, study: Study, patched: PatchedNetwork, wanted: Sequence[LayerHardware]
    ) -> None:
        """Take a network; it is opened when it is needed.

        Args:
            study: whose calibration inputs.
            patched: the network whose ADCs are open, currents apart.
            wanted: its layers that are measured.
        """
        self._study, self._patched, self._wanted = study, patched, wanted
        self._taps = [patched.taps[item.layer.name].currents for item in wanted]
        fixed = study.network.fixed_batch
        is_filled_up = fixed is not None and len(study.calibration) % fixed != 0
        known = not is_filled_up and has_known_lengths(patched.model)
        self._inside = made_outside_bodies(patched.model) if known else set()
        self._opset = _opset_of(patched.model)

    def counts(self) -> list[list[int]]:
        """Count the values of every conversion, for each layer."""
        totals = [[0] * len(names) for names in self._taps]
        sizes = {name: _add_size for names in self._taps for name in names if name in self._inside}
        for group in self._groups([name not in sizes for name, *_ in self._taps]):
            for results in self._results(group, sizes):
                for at, values in results:
                    totals[at] = [
                        total + (int(each) if name in sizes else each.size)
                        for total, name, each in zip(
                            totals[at], self._taps[at], values, strict=True
                        )
                    ]
        return totals

    def feed(self, meters: Sequence[Meter | None]) -> None:
        """Run the network and hand every layer's currents to its meter; None: a layer without one."""
        peaks = {
            name: partial(_add_peaks, item.layer, self._opset)
            for item, names, meter in zip(self._wanted, self._taps, meters, strict=True)
            for name in names
            if isinstance(meter, RangeMeter) and meter.takes_peaks and name in self._inside
        }
        are_raw = [name not in peaks for name, *_ in self._taps]
        for group in self._groups(are_raw, [meter is not None for meter in meters]):
            for results in self._results(group, peaks):
                for at, values in results:
                    meter = meters[at]
                    assert meter is not None
                    if isinstance(meter, RangeMeter) and not are_raw[at]:
                        meter.add_peaks(values)
                    elif values[0].size:
                        meter.add(values, self._wanted[at].layer.channel_axis)

    def _groups(
        self, are_raw: Sequence[bool], wanted: Sequence[bool] | None = None
    ) -> Iterator[list[int]]:
        """Deal layers out into runs, so that currents that are handed over fit into memory together.

        Args:
            are_raw: whether a layer's currents are handed over.
            wanted: which layers are measured; None: all.
        """
        group: list[int] = []
        used = 0
        for at, (item, is_raw) in enumerate(zip(self._wanted, are_raw, strict=True)):
            if wanted is not None and not wanted[at]:
                continue
            size = self._bytes(item) if is_raw else 0
            if group and used and size and used + size > self._room:
                yield group
                group, used = [], 0
            group.append(at)
            used += size
        if group:
            yield group

    @property
    def _room(self) -> float:
        """Bytes that the currents of a batch may take; see `_results`."""
        memory = self._study.memory
        return np.inf if memory is None else memory / _SHARE

    def _bytes(self, item: LayerHardware) -> int:
        """Return the bytes of a layer's currents for a batch."""
        positions = self._study.plan.layers[item.layer.name].positions or 0
        values = positions * item.tiling.groups * item.readouts.count * len(item.both_sides)
        return values * self._study.batch * _VALUE_BYTES

    def _results(
        self, group: Sequence[int], statistics: Mapping[str, WriteStatistic]
    ) -> Iterator[list[tuple[int, list[np.ndarray]]]]:
        """Run all calibration inputs; yield for each batch the results of each layer of a group."""
        study = self._study
        taps = {at: self._taps[at] for at in group}
        names: list[str] = []
        here = {name: statistics[name] for at in group for name in taps[at] if name in statistics}
        raw = sum(self._bytes(self._wanted[at]) for at in group if taps[at][0] not in here)

        def watch(model: onnx.ModelProto) -> onnx.ModelProto:
            model, computed = with_statistics(model, here) if here else (model, {})
            names[:] = [computed.get(name, name) for at in group for name in taps[at]]
            model = with_outputs(model, names)
            if len(group) < len(self._wanted):
                keep_outputs(model, names)
            return model

        session = Session(
            self._patched.model, "the open-ADC network", study.network.fixed_batch, extend=watch
        )
        held = raw * _WAITING * session.in_flight(study.in_flight)
        with study.stages("adc ranges") as progress:
            for results in session.batches(
                study.calibration,
                names,
                batch=study.batch,
                threads=study.in_flight,
                progress=progress,
                waits=held <= self._room,
            ):
                values = iter(results)
                yield [(at, [next(values) for _ in taps[at]]) for at in group]


def _add_size(build: GraphBuilder, current: str) -> str:
    """Write the number of a current's values, int64."""
    return build.add("Size", [current], "size")


def _add_peaks(layer: Layer, opset: int, build: GraphBuilder, current: str) -> str:
    """Write the largest |current| of each channel, float32 (channels,)."""
    ends = [_reduced(layer, opset, build, kind, current) for kind in ("ReduceMax", "ReduceMin")]
    return build.add("Max", [ends[0], build.add("Neg", [ends[1]], "lowest")], "peak")


def _reduced(layer: Layer, opset: int, build: GraphBuilder, kind: str, current: str) -> str:
    """Write the largest or smallest value of each channel."""
    behind = layer.layout.spatial_axes
    if behind:
        current = _reduce(build, kind, current, list(range(-behind, 0)), opset)
    # Channels come last now; of how many, the tensor itself knows: it holds those of empty places too.
    lengths = build.add("Shape", [current], "lengths", start=-1)
    rest = build.constant("rest", np.array([-1]))
    shape = build.add("Concat", [rest, lengths], "rows", axis=0)
    rows = build.add("Reshape", [current, shape], "by_channel")
    return _reduce(build, kind, rows, [0], opset)


def _reduce(build: GraphBuilder, kind: str, tensor: str, axes: list[int], opset: int) -> str:
    if opset >= _AXES_AS_INPUT:
        given = [tensor, build.constant("axes", np.array(axes))]
        return build.add(kind, given, "reduced", keepdims=0)
    return build.add(kind, [tensor], "reduced", keepdims=0, axes=axes)


def _opset_of(model: onnx.ModelProto) -> int:
    return next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
