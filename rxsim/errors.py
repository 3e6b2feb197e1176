"""The exceptions that users of rxsim can see, each with the exit code of the command."""

from __future__ import annotations


class RxsimError(Exception):
    """Base of all errors whose message is a sentence for the user.

    Attributes:
        exit_code: the process exit code that a command ends with.
    """

    exit_code = 70


class InputError(RxsimError):
    """Input of the user (a file, an option, an array) can't be used."""

    exit_code = 2


class SettingError(InputError):
    """A setting is unknown, of the wrong type, or outside its range."""


class ModelError(InputError):
    """The network can't be read, or has no layer that a crossbar can compute."""


class DataError(InputError):
    """The data set can't be read, or does not fit the network."""


class WriteError(RxsimError):
    """A result can't be written where the user asked for it."""

    exit_code = 4


class CircuitError(RxsimError):
    """An array's circuit can't be solved to the accuracy that is promised."""

    exit_code = 2


class VerificationError(RxsimError):
    """A verification found a difference above its tolerance."""

    exit_code = 1


class PointsFailedError(RxsimError):
    """Some points of a sweep failed; the others are in the results."""

    exit_code = 3


class RegressionError(RxsimError):
    """A gate found that accuracy fell."""

    exit_code = 1


class GoalMissedError(RxsimError):
    """No point of a search meets its goal."""

    exit_code = 1


class InterruptedTrainingError(RxsimError):
    """A training was interrupted, and can go on from a checkpoint."""

    exit_code = 130
