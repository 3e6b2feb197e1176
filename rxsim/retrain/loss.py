"""What is minimised: cross entropy with labels, or the distance to the float network's outputs."""

from __future__ import annotations

from collections.abc import Callable

from rxsim.retrain.torch_library import Tensor, torch

Loss = Callable[[Tensor, Tensor], Tensor]
"""`loss(outputs, wanted)`: outputs (n, values) and labels (n,) or the float network's outputs."""


def label_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross entropy, outputs being scores before a softmax."""
    return torch.nn.functional.cross_entropy(outputs, labels)


def distillation(temperature: float) -> Loss:
    """Return the loss that follows the float network. Source: Hinton et al., arXiv:1503.02531, 2015.

    Args:
        temperature: T of both softmaxes; the loss is T^2 times the Kullback-Leibler divergence.
    """

    def loss(outputs: Tensor, wanted: Tensor) -> Tensor:
        found = torch.log_softmax(outputs / temperature, dim=1)
        target = torch.log_softmax(wanted / temperature, dim=1)
        distance = torch.nn.functional.kl_div(found, target, log_target=True, reduction="batchmean")
        return distance * temperature**2

    return loss


def agreement(outputs: Tensor, wanted: Tensor) -> float:
    """Return the share of inputs whose largest output is the wanted one."""
    target = wanted if wanted.dim() == 1 else wanted.argmax(dim=1)
    return float((outputs.argmax(dim=1) == target).float().mean())
