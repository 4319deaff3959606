"""Tests your own program against the sandbox. Run it with pytest (extra `sandbox`)."""

from collections.abc import Iterator

import pytest
from metastudio import Credentials, MetaStudio, errors
from metastudio.sandbox import Fault, Sandbox, serve


def failed_jobs(studio: MetaStudio) -> list[str]:
    """Your program."""
    return [job.job_id for job in studio.training_jobs.iterate(state=["TRAIN_FAILED"])]


def client(sandbox: Sandbox) -> MetaStudio:
    credentials = Credentials(sandbox.access_key, sandbox.secret_key)
    return MetaStudio(
        base_url=sandbox.url, credentials=credentials, project_id=sandbox.project_id, max_retries=0, trust_env=False
    )


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serve(jobs=40) as running:
        yield running


def test_it_finds_failed_jobs(sandbox: Sandbox) -> None:
    with client(sandbox) as studio:
        assert len(failed_jobs(studio)) == 1


def test_it_raises_when_the_service_is_down() -> None:
    with serve(faults=(Fault("503"),)) as down, client(down) as studio, pytest.raises(errors.ServerError):
        failed_jobs(studio)
