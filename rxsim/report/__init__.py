"""Results for people: tables on the terminal."""

from rxsim.report.terminal import print_evaluation, print_inventory

__all__ = ["print_evaluation", "print_inventory"]
