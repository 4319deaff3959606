#!/usr/bin/env bash
# Sets up what the demonstration needs (once), then shows on a server of this machine: a list as a table, a list read
# whole while it changes, a task awaited, a faulty server caught. Leaves nothing behind but the environment in .venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
scripts/setup
exec "${METASTUDIO_VENV:-.venv}/bin/python" scripts/demo.py
