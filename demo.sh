#!/usr/bin/env bash
# Sets up what the demonstration needs (once), starts a server on this machine, lists its jobs through the client,
# signed with AK/SK, and shows them. Leaves nothing behind but the virtual environment in .venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
scripts/setup
exec "${METASTUDIO_VENV:-.venv}/bin/python" scripts/demo.py
