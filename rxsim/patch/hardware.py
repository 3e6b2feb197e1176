"""What a layer becomes: conversions of currents, each with its matrix, converters and decoding."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rxsim.circuit import LayerTransfer
from rxsim.converters import Adc, Dac
from rxsim.load import Layer


@dataclass(frozen=True, slots=True, eq=False)
class LayerHardware:
    """A layer's analog form, as the graph computes it.

    An output is the sum over conversions of `decode * convert(v_in[rows] @ matrix)`.

    Attributes:
        layer: the layer.
        rows: for each conversion the inputs k that drive it, int64.
        matrices: for each conversion siemens, float64 (groups, its rows, N).
        decode: output units per ampere, float64 (conversions, groups, N).
        dac: the layer's DACs.
        adc: the layer's ADCs, or None where there is no converter.
    """

    layer: Layer
    rows: tuple[np.ndarray, ...]
    matrices: tuple[np.ndarray, ...]
    decode: np.ndarray
    dac: Dac
    adc: Adc | None = None

    def with_adc(self, adc: Adc) -> LayerHardware:
        """Return the same layer with converters on its currents."""
        return replace(self, adc=adc)

    @property
    def summed(self) -> LayerHardware:
        """The same layer with all conversions in one, decoded ideally: for a layer without ADCs."""
        weights = [
            matrix * decode[:, None, :]
            for matrix, decode in zip(self.matrices, self.decode, strict=True)
        ]
        return replace(
            self,
            rows=(np.concatenate(self.rows),),
            matrices=(np.concatenate(weights, axis=1),),
            decode=np.ones((1, *self.decode.shape[1:])),
        )


def layer_hardware(
    transfer: LayerTransfer, x_max: float, v_read: float, dac: Dac, where: str
) -> LayerHardware:
    """Combine a layer's transfer matrices, scales and DACs.

    Args:
        transfer: the arrays' matrices.
        x_max: activation that v_read stands for.
        v_read: volt.
        dac: the layer's DACs.
        where: per_tile, or per_layer to sum the row tiles' currents before one conversion.
    """
    mapped = transfer.mapped
    decode = mapped.weight_per_siemens * (x_max / v_read)
    if where == "per_layer":
        # The scale is the same for all row tiles here (settings refuse w_max_scope: tile).
        return LayerHardware(
            mapped.layer,
            (np.concatenate(mapped.row_tiles),),
            (np.concatenate(transfer.matrices, axis=1),),
            decode[:1],
            dac,
        )
    return LayerHardware(mapped.layer, mapped.row_tiles, transfer.matrices, decode, dac)
