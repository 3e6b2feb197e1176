"""`python -m rxsim`."""

from rxsim.cli import run

run()
