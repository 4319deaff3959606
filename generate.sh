#!/usr/bin/env bash
# Makes generated/metastudio_client from openapi.yaml. --check compares and writes nothing. --help says more.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
scripts/setup
exec "${METASTUDIO_VENV:-.venv}/bin/python" scripts/generate.py "$@"
