#!/usr/bin/env bash
# Set up an environment and run the tests, two files at a time; arguments go to pytest instead (-m slow for
# the long ones, -n 2 --dist loadfile for two files at a time).
# RXSIM_ASSETS names a folder of real networks and data for the optional tests.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh requirements-dev.lock
# One thread for every pool: the tests run many small problems.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
# Each worker, and each command that a test starts, reads the modules that an earlier one compiled.
unset PYTHONDONTWRITEBYTECODE
# The long files come first (tests/conftest.py): xdist must not begin with those of many tests.
[ $# -gt 0 ] || set -- -n 2 --dist loadfile --no-loadscope-reorder
exec .venv/bin/python -m pytest "$@"
