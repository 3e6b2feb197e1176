"""Whether a model is one that rxsim has patched: then its products are hardware's already."""

from __future__ import annotations

import onnx

from rxsim.onnx_graph import stamp_of


def patched_before(model: onnx.ModelProto, name: str) -> str | None:
    """Return a sentence for the user where a model bears rxsim's stamp; None for any other model.

    Args:
        model: the model as read.
        name: what the user calls it.
    """
    stamp = stamp_of(model)
    if "version" not in stamp:
        return None
    source = stamp.get("source.name", "an unnamed model")
    return (
        f"{name} was patched by rxsim {stamp['version']} from {source}: this puts hardware on "
        "hardware; evaluate the source model"
    )
