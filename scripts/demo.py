"""The work of demo.sh: list the jobs of the sandbox with the generated client, signed with AK/SK, and print them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from metastudio import Credentials, connect
from metastudio.sandbox import serve
from metastudio_client.api.training_jobs import list_training_jobs
from metastudio_client.models import ListTrainingJobsResponse


def main() -> None:
    """List the first 15 jobs of the sandbox."""
    with serve() as sandbox:
        say(f"The sandbox serves openapi.yaml and checks signatures at {sandbox.url}.")
        client = connect(
            base_url=sandbox.url,
            credentials=Credentials(sandbox.access_key, sandbox.secret_key),
            trust_env=False,  # a proxy cannot reach this machine's loopback address
        )
        with client:
            response = list_training_jobs.sync_detailed(sandbox.project_id, client=client, limit=15)
    page = response.parsed
    assert isinstance(page, ListTrainingJobsResponse)
    request_id = response.headers.get("X-Request-Id")
    say(f"The generated client sent one request, signed with {sandbox.access_key} (SDK-HMAC-SHA256).")
    say(f"HTTP {response.status_code:d}, request {request_id}: {len(page.jobs)} of {page.count} jobs.\n")
    for job in page.jobs:
        say(f"{job.job_id}  {job.create_time:%Y-%m-%d %H:%M}  {job.state!s:32}  {job.name}")
    command = os.path.relpath(Path(sys.executable).with_name("metastudio"))
    say(f"\nTo try it yourself, start {command} sandbox and run {command} jobs in another terminal.")


def say(text: str) -> None:
    """Print a line immediately, so that the order is kept in a pipe."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
