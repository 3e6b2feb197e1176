#!/usr/bin/env bash
# Set up .venv from a pinned lock; does nothing where it is up to date.
# Usage: scripts/setup.sh [requirements.lock|requirements-dev.lock]
set -euo pipefail
cd "$(dirname "$0")/.."
lock="${1:-requirements.lock}"
python="${PYTHON:-python3}"

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "setup: found $("$python" --version 2>&1 || echo "no $python"), expected Python 3.11 or later;" \
        "set PYTHON to one" >&2
    exit 2
fi
stamp=".venv/installed-$lock"
if [ -f "$stamp" ] && cmp -s "$lock" "$stamp" && .venv/bin/python -c 'import rxsim' 2>/dev/null; then
    exit 0
fi
echo "setup: installing $lock into .venv" >&2
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
# pip refuses hashes together with -e, so the project itself comes second, without its dependencies.
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
cp "$lock" "$stamp"
