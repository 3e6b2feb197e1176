"""The input ranges of layers while a network is trained: kept as they were, or learned.

A range grows where what it clips would lower the loss, and shrinks where finer steps would. With x0 the
range of the last refresh, p = x_max / x0 and e the rounding error of the DAC at x0,

    c(x) = clip(x, p bounds) + (p - 1) e

so that the gradient to p is the bound where x is clipped, and e elsewhere. Source: learned step sizes,
Esser et al., "Learned step size quantization", ICLR 2020, arXiv:1902.08153, equation 3.
"""

from __future__ import annotations

from dataclasses import replace

from rxsim.calibrate import InputRange
from rxsim.converters import layer_dac
from rxsim.errors import InputError
from rxsim.pipeline import Study, input_ranges
from rxsim.retrain.torch_library import Tensor, torch
from rxsim.retrain.trained_settings import with_input_ranges

Bounds = tuple[float, float]


class InputRanges:
    """Range of every layer's input.

    Attributes:
        x_max: the largest |x| of each layer with a DAC, by its name; a range that the model states is
            none of them: training does not change it.
        learned: whether they are trained.
    """

    def __init__(self, study: Study, *, learned: bool) -> None:
        """Start with the ranges of the study: those of the float network as it is.

        Args:
            study: the study.
            learned: whether they are trained.

        Raises:
            InputError: the study takes its ranges from a calibration file, or there is none to learn.
        """
        if study.calibration_file is not None:
            asked, file = "learned" if learned else "kept", study.calibration_file.name
            raise InputError(
                f"ranges: found {asked} beside {file}, which states all ranges, expected one of the "
                "two; leave the calibration out"
            )
        settings, known = study.layer_settings(), input_ranges(study)
        self.learned = learned
        self._settings = settings
        self._known: dict[str, InputRange] = {
            name: known[name]
            for name, each in settings.items()
            if each.dac.n_bits is not None and each.input.range != "model"
        }
        if learned and not self._known:
            raise InputError(
                "ranges: found learned, but no layer whose DACs have a calibrated range (dac.n_bits: "
                "null has none), expected some to learn; take kept or measured"
            )
        self.x_max = {name: each.x_max for name, each in self._known.items()}
        self._refreshed = dict(self.x_max)
        self._logs = {name: torch.zeros((), requires_grad=True) for name in self.x_max}

    def parameters(self) -> dict[str, Tensor]:
        """Return what the optimiser moves, by layer name: 0, the logarithm of a factor."""
        return self._logs if self.learned else {}

    def take_up(self) -> None:
        """Multiply the ranges by what the optimiser made of their factors."""
        with torch.no_grad():
            for name, log in self.parameters().items():
                self.x_max[name] *= float(log.exp())
                log.zero_()

    def refresh(self, study: Study) -> Study:
        """Return a study that has the ranges as they are."""
        self._refreshed = dict(self.x_max)
        return replace(study, settings=with_input_ranges(study.settings, self.x_max))

    def learns(self, name: str) -> bool:
        """Tell whether a layer's range is trained."""
        return self.learned and name in self._logs

    def clipped(self, name: str, x: Tensor, bounds: Bounds) -> Tensor:
        """Clip a layer's input as its DACs do, with a gradient to its range.

        Args:
            name: of the layer.
            x: its input.
            bounds: activations from which on its DACs saturated at the last refresh.
        """
        before = self._known[name]
        known = InputRange(self._refreshed[name], before.signed, before.shape)
        codes = layer_dac(name, known, self._settings[name]).code_per_x
        inside = torch.clamp(x.detach(), *bounds)
        error = torch.round(inside * codes) / codes - inside
        factor = self._logs[name].exp() * (self.x_max[name] / self._refreshed[name])
        low, high = (torch.as_tensor(bound) * factor for bound in bounds)
        return torch.minimum(torch.maximum(x, low), high) + (factor - 1) * error
