"""What a user should be told of the data that a network is trained on."""

from __future__ import annotations

from rxsim.pipeline import Study


def data_remark(study: Study, *, given: bool) -> str | None:
    """Return a sentence on the inputs that are trained on; None where nothing is to be said.

    Args:
        study: whose evaluated inputs are trained on.
        given: whether the user named data, and not only the card beside the model.
    """
    if given or study.provenance.data is None:
        return None
    return (
        "training is on the data that the card names for evaluation: 'rxsim eval' on them is no test "
        "afterwards; give --data with other inputs"
    )
