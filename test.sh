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

# The linters and the tests of the core, whose coverage is measured, run beside the other tests: in process groups of their
# own, so that Ctrl-C ends them too.
mkdir -p .cache
set -m
scripts/lint > .cache/lint.log 2>&1 &
lint=$!
scripts/coverage > .cache/core.log 2>&1 &
core=$!
set +m
trap 'kill -- -"$lint" -"$core" 2>/dev/null || true' EXIT
trap 'exit 130' INT

others=(--ignore=tests/auth --ignore=tests/contract --ignore=tests/http --ignore=tests/lists --ignore-glob='tests/test_*.py')
echo "linters, the tests of the core (.cache/core.log), and all others:"
rest=0 style=0 covered=0
pytest --numprocesses 2 --dist worksteal "${others[@]}" || rest=$?
wait "$core" || covered=$?
wait "$lint" || style=$?
cat .cache/core.log .cache/lint.log
[ "$covered" -eq 0 ] || echo "the tests of the core failed, or cover less of it than they must (scripts/coverage)" >&2
[ "$style" -eq 0 ] || echo "scripts/lint failed" >&2
exit $((rest ? rest : covered ? covered : style))
