"""`python -m rxsim`."""

from rxsim.cli import main

main()
