#!/usr/bin/env bash
# Set up an environment and run the tests; arguments go to pytest (-m slow for the long ones).
# RXSIM_ASSETS names a folder of real networks and data for the optional tests.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh requirements-dev.lock
# One thread for every pool: the tests run many small problems.
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
exec .venv/bin/python -m pytest "$@"
