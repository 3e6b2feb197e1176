"""Results for people: tables on the terminal."""

from rxsim.report.terminal import print_evaluation, print_inventory
from rxsim.report.verification import print_verification

__all__ = ["print_evaluation", "print_inventory", "print_verification"]
