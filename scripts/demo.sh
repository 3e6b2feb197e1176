#!/usr/bin/env bash
# From nothing to a result: set up an environment and evaluate a shipped network on its own data.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh requirements.lock
echo '$ rxsim eval models/digits_resnet.onnx --xbar 64x64'
exec .venv/bin/rxsim eval models/digits_resnet.onnx --xbar 64x64 "$@"
