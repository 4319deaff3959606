#!/usr/bin/env bash
# Sets up what the tests need (once), then runs everything: linters, two type checkers, the whole suite.
# Arguments go to pytest: ./test.sh tests/test_signing.py -k vector
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
scripts/setup dev
export PATH="$PWD/${METASTUDIO_VENV:-.venv}/bin:$PATH"
export PYRIGHT_PYTHON_CACHE_DIR="$PWD/.cache/pyright" npm_config_cache="$PWD/.cache/npm" PYRIGHT_PYTHON_IGNORE_WARNINGS=1
if [ $# -gt 0 ]; then
  exec pytest "$@"
fi
scripts/lint
pytest --numprocesses "${TEST_PROCESSES:-2}" --dist loadfile
