"""The section `cost`: in which technology a network is priced, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rxsim.schema import ChoiceIn, Integer, Positive, Section


class Balance(Section):
    """Copies of the slowest layers, as far as a number of arrays lasts."""

    balance: Integer = Field(
        ge=1, description="arrays that there are, for all copies of all layers"
    )


class Cost(Section):
    """What is priced; accuracy does not depend on it."""

    technology: str = Field(
        "rxnn-64", min_length=1, description="a technology's name, or its file (.yaml)"
    )
    adc_model: Annotated[str, ChoiceIn("rxsim.cost.adc_models")] = Field(
        "table", description="published model of the ADC; table: the technology's own numbers"
    )
    replicate: Literal["none"] | Balance = Field(
        "none", description="copies of layers: none, or {balance: N} within N arrays"
    )
    array_energy: Literal["circuit", "technology"] = Field(
        "circuit",
        description="energy of a read: of the solved circuit on calibration inputs, or the "
        "technology's number for its array",
    )
    node_nm: Positive | None = Field(
        None, description="node that the technology is scaled to, nm; null: its own"
    )
    scale_adc: bool = Field(
        False, description="the ADC is scaled to node_nm too, as digital circuits are"
    )
