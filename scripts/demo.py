"""What demo.sh shows: the generated client lists the jobs of a server on this machine, signed with AK/SK."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from metastudio import Credentials, connect
from metastudio.cli.table import TableLayout
from metastudio.cli.terminal import Terminal
from metastudio.sandbox import serve
from metastudio_client.api.training_jobs import list_training_jobs
from metastudio_client.contract import OPERATIONS
from metastudio_client.models import ListTrainingJobsResponse

SHOWN = 15


def main() -> None:
    """List the first jobs and print them as the command does."""
    with serve() as sandbox:
        say(f"A server that answers by openapi.yaml, and checks signatures, listens on {sandbox.url}.")
        client = connect(
            base_url=sandbox.url,
            credentials=Credentials(sandbox.access_key, sandbox.secret_key),
            trust_env=False,  # a proxy has no business on the way to this machine
        )
        with client:
            response = list_training_jobs.sync_detailed(sandbox.project_id, client=client, limit=SHOWN)
        page = response.parsed
        assert isinstance(page, ListTrainingJobsResponse)
        request_id = response.headers.get("X-Request-Id")
        say(f"The generated client has asked it over HTTP, signed with {sandbox.access_key} (SDK-HMAC-SHA256).")
        say(f"HTTP {response.status_code:d}, request {request_id}: {len(page.jobs)} of {page.count} jobs.\n")
        table = TableLayout(
            OPERATIONS["list_training_jobs"], [job.to_dict() for job in page.jobs], None, Terminal(sys.stdout)
        )
        for line in table.lines():
            say(line)
    command = os.path.relpath(Path(sys.executable).with_name("metastudio"))
    say(f"\nThe same by hand: {command} sandbox shows how to get there, {command} jobs lists.")


def say(text: str) -> None:
    """Print a line at once, so that it comes in its order in a pipe too."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
