#!/usr/bin/env bash
# Renew the pinned locks (for maintainers; needs `pip install uv`).
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --extra build "$@" pyproject.toml
}
compile -o requirements.lock
compile --extra dev -o requirements-dev.lock
