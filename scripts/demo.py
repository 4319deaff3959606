"""The work of demo.sh: four things at work on a server of this machine, each in a few lines of code."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from metastudio import Credentials, MetaStudio
from metastudio.errors import ListChangedWarning
from metastudio.sandbox import CONFORMING, Overrides, Sandbox, serve
from metastudio.tester import prove

COMMAND = os.path.relpath(Path(sys.executable).with_name("metastudio"))


def main() -> None:
    """Run the demonstration."""
    show_a_table()
    read_a_list_that_changes()
    wait_for_a_job()
    catch_a_faulty_server()
    say("\nTo try it yourself, in a shell with the server and its credentials:")
    say(f"  {COMMAND} sandbox --progress 5s -- $SHELL")
    say(f"  {COMMAND} jobs")


def show_a_table() -> None:
    """List jobs with the command line."""
    headline("A list: AK/SK-signed requests to a local server, shown by `metastudio jobs`")
    with serve() as sandbox:
        command = [sys.executable, "-m", "metastudio", "jobs", "--limit", "10", "--output", "table"]
        width = {} if sys.stdout.isatty() else {"COLUMNS": "100"}
        subprocess.run(command, check=True, env={**os.environ, **sandbox.environment, **width})


def read_a_list_that_changes() -> None:
    """Read a list while its jobs are deleted, by offset and consistently."""
    headline("A list that changes: 300 jobs, of which 2 are deleted after each page of 20")
    for name, consistent in (("by offset, as plain code does", False), ("iterate(consistent=True)", True)):
        with serve(jobs=300) as sandbox, client(sandbox) as studio:
            (store,) = sandbox.stores.values()
            seen = set[str]()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ListChangedWarning)  # it says that jobs may be missing
                pages = studio.training_jobs.iterate_pages(page_size=20, concurrency=1, consistent=consistent)
                for page in pages:
                    seen.update(job.job_id for job in page)
                    for job in list(page)[:2]:
                        store.remove(job.job_id)
            kept = [item["job_id"] for item in store.items() if item["project_id"] == sandbox.project_id]
            lost = sum(job_id not in seen for job_id in kept)
        say(f"  {name:32} {lost:3} of the {len(kept)} jobs that were there all the time were lost")


def wait_for_a_job() -> None:
    """Wait for a job until it has ended."""
    headline("A task, awaited to its outcome: training_jobs.wait(job_id, timeout=60)")
    with serve(jobs=20, progress=0.1) as sandbox, client(sandbox) as studio:
        (job,) = studio.training_jobs.list(state=["TRAINING"], limit=1)
        job = studio.training_jobs.wait(
            job.job_id, timeout=60, poll=0.05, on_change=lambda each: say(f"  {each.state} ({each.phase})")
        )
        say(f"  outcome: {job.outcome}")


def catch_a_faulty_server() -> None:
    """Test a server that ignores a filter."""
    headline("A faulty server, caught by the contract tester: this one ignores the filter `state`")

    def ignore_state(rule: Any, column: Any, values: Any) -> Any:
        return None if rule.parameter == "state" else CONFORMING.condition(rule, column, values)

    with serve(overrides=Overrides(condition=ignore_state)) as faulty:
        keys = Credentials(faulty.access_key, faulty.secret_key)
        report = prove(faulty.url, project_id=faulty.project_id, keys=keys, only=["meaning/filter.state"])
        (breach,) = report.breaches
        place = breach.property.location
        say(f"  {breach.verdict}: {breach.property.sentence} ({place.file}:{place.line})")
        say(f"  expected {breach.evidence[0].expected}; seen: {breach.evidence[0].seen}")


@contextmanager
def client(sandbox: Sandbox) -> Generator[MetaStudio]:
    """Return a client of the sandbox."""
    keys = Credentials(sandbox.access_key, sandbox.secret_key)
    with MetaStudio(base_url=sandbox.url, credentials=keys, project_id=sandbox.project_id) as studio:
        yield studio


def headline(text: str) -> None:
    """Print a headline."""
    say(f"\n{text}\n")


def say(text: str) -> None:
    """Print a line immediately, so that the order is kept in a pipe."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
