#!/usr/bin/env bash
# Sets up what the tests need (once), then runs everything: linters, two type checkers, the whole suite.
# Arguments go to pytest, and the linters are left out: ./test.sh tests/auth -k vector
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
scripts/setup
export PATH="$(cd "${METASTUDIO_VENV:-.venv}" && pwd)/bin:$PATH"
export PYRIGHT_PYTHON_CACHE_DIR="$PWD/.cache/pyright" npm_config_cache="$PWD/.cache/npm" PYRIGHT_PYTHON_IGNORE_WARNINGS=1
if [ $# -gt 0 ]; then
  exec pytest "$@"
fi

# The linters run beside the tests, in a process group of their own so that Ctrl-C ends them too.
mkdir -p .cache
set -m
scripts/lint > .cache/lint.log 2>&1 &
lint=$!
set +m
trap 'kill -- -"$lint" 2>/dev/null || true' EXIT

tests=0 style=0
pytest --numprocesses "${TEST_PROCESSES:-3}" --dist worksteal || tests=$?
wait "$lint" || style=$?
cat .cache/lint.log
if [ "$style" -ne 0 ]; then
  echo "scripts/lint failed" >&2
fi
exit $((tests ? tests : style))
