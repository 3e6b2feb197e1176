"""Time an iteration of retraining ResNet-20 at batch 64 beside a plain torch training step.

Usage: RXSIM_ASSETS=FOLDER python scripts/bench_retrain.py [--repeats N] [--set KEY=VALUE ..]

Needs the extra `retrain`. The peer is ResNet-20 written in torch as its authors do, batch
normalisation in training mode included, with Adam and cross entropy. Processor seconds on a single
thread, the least of some repeats taken in turns; the time of a refresh (a solved chip) stands apart.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import torch
from evidence_networks import enter_project, study_of

from rxsim.retrain.options import RetrainOptions
from rxsim.retrain.places import bias_name, weight_name
from rxsim.retrain.train import Trainer

BATCH = 64


class Block(torch.nn.Module):
    """Two convolutions and a shortcut that pads channels."""

    def __init__(self, given: int, made: int, stride: int) -> None:
        """Make the block.

        Args:
            given: channels in.
            made: channels out.
            stride: of its first convolution.
        """
        super().__init__()
        self.conv1 = torch.nn.Conv2d(given, made, 3, stride, 1, bias=False)
        self.norm1 = torch.nn.BatchNorm2d(made)
        self.conv2 = torch.nn.Conv2d(made, made, 3, 1, 1, bias=False)
        self.norm2 = torch.nn.BatchNorm2d(made)
        self.stride, self.pad = stride, (made - given) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the block."""
        y = torch.relu(self.norm1(self.conv1(x)))
        short = x[:, :, :: self.stride, :: self.stride]
        short = torch.nn.functional.pad(short, (0, 0, 0, 0, self.pad, self.pad))
        return torch.relu(self.norm2(self.conv2(y)) + short)


def resnet20() -> torch.nn.Module:
    """Return ResNet-20 for CIFAR-10. Source: He et al., CVPR 2016."""
    widths = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)]
    widths += [(64, 64, 1)] * 2
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False),
        torch.nn.BatchNorm2d(16),
        torch.nn.ReLU(),
        *(Block(*each) for each in widths),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(64, 10),
    )


def plain_step() -> Callable[[], None]:
    """Return a training step of the network in torch."""
    net, x = resnet20(), torch.randn(BATCH, 3, 32, 32)
    labels = torch.randint(0, 10, (BATCH,))
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-4)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(net(x), labels).backward()
        optimiser.step()

    return step


def trainer(noise: str, assignments: list[str]) -> Trainer:
    """Return a training of ResNet-20 behind its first refresh."""
    study = study_of("resnet20", 200, assignments, threads=1)
    names = {weight_name(layer): layer.name for layer in study.network.layers}
    names |= {bias_name(study.network.model, layer): layer.name for layer in study.network.layers}
    names.pop("", None)
    made = Trainer(study, RetrainOptions(batch=BATCH, noise=noise), names, {})
    made.refresh()
    return made


def seconds(work: Callable[[], None]) -> float:
    """Return the processor time of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    given = parser.parse_args()
    enter_project()
    torch.set_num_threads(1)
    trainers = {
        noise: trainer(noise, given.assignments) for noise in ("none", "gaussian:0.038", "exact")
    }
    steps = {"plain torch": plain_step(), **{name: made.step for name, made in trainers.items()}}
    best = dict.fromkeys(steps, float("inf"))
    for _ in range(given.repeats):
        for name, step in steps.items():
            best[name] = min(best[name], seconds(step))
    for name, least in best.items():
        print(f"{name:16} {least:.3f} s  {least / best['plain torch']:.2f} x plain torch")
    print(f"a refresh        {seconds(trainers['exact'].refresh):.3f} s")
    print(f"peak memory      {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
