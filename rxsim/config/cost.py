"""The section `cost`: in which technology a network is priced, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from rxsim.schema import ChoiceIn, Integer, Positive, Section, in_yaml


class Balance(Section):
    """Copies of the slowest layers, as far as a number of arrays lasts."""

    balance: Integer = Field(
        ge=1, description="arrays that there are, for all copies of all layers"
    )


def _none(value: Any) -> Any:
    if value != "none":
        raise ValueError(f"found {in_yaml(value)}, expected none or {{balance: N}}; correct it")
    return value


def _form(value: Any) -> str:
    return "[mapping]" if isinstance(value, Mapping | Balance) else "[name]"


Replicate = Annotated[
    Annotated[Literal["none"], BeforeValidator(_none), Tag("[name]")]
    | Annotated[Balance, Tag("[mapping]")],
    Discriminator(_form),
]


class Cost(Section):
    """What is priced; accuracy does not depend on it."""

    technology: str = Field(
        "rxnn-64", min_length=1, description="a technology's name, or its file (.yaml)"
    )
    adc_model: Annotated[str, ChoiceIn("rxsim.cost.adc_models")] = Field(
        "table", description="published model of the ADC; table: the technology's own numbers"
    )
    replicate: Replicate = Field(
        "none", description="copies of layers: none, or {balance: N} within N arrays"
    )
    adc_share: Integer | None = Field(
        None,
        ge=1,
        description="columns that share an ADC, 1 for an ADC a column; null: adc.share where it is "
        "above 1, else those of the technology",
    )
    array_energy: Literal["circuit", "technology"] = Field(
        "circuit",
        description="energy of a read: of the solved circuit on calibration inputs, or the "
        "technology's number for its array",
    )
    node_nm: Positive | None = Field(
        None,
        description="node that the technology's digital components are scaled to, nm; null: none",
    )
    scale_adc: bool = Field(
        False, description="the ADC is scaled to node_nm too, as digital circuits are"
    )
