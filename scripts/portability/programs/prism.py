"""prism: a mock server, and a proxy that validates both ways; this project's client calls it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from checks import CONTRACT, RESPONSES, SERVER, STATES, check, check_responses, equal
from metastudio import MetaStudio, TokenAuth


@contextmanager
def prism(*command: str) -> Iterator[str]:
    """Run prism on a free port until the block ends. Yields its URL."""
    process = subprocess.Popen(
        [*sys.argv[1:], *command, "--host", "127.0.0.1", "--port", "0", "--errors"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            found = re.search(r"listening on (http://[\d.:]+)", line)
            if found:
                yield found[1]
                return
        raise RuntimeError(f"prism ended with {process.wait()} before it listened")
    finally:
        process.terminate()
        process.wait()


def studio(url: str, project: str) -> MetaStudio:
    return MetaStudio(base_url=url, project_id=project, auth=TokenAuth("t"), max_retries=0)


def mock() -> str:
    with prism("mock", CONTRACT) as url, studio(url, "page") as client:
        page = client.training_jobs.list(state=STATES, limit=10)
        equal(page.to_dict(), RESPONSES["page"])
        assert len(list(client.training_jobs.iterate(max_items=5))) == 5
    return "as a mock it returns the example"


def proxied(name: str, value: object) -> None:
    with prism("proxy", CONTRACT, SERVER) as url, studio(url, name) as client:
        equal(client.training_jobs.list(state=STATES).to_dict(), value)


check("works", mock)
check_responses(proxied)
