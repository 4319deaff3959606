"""Tests your own program against the sandbox. Run it with pytest (extra `sandbox`), which loads the fixture."""

import pytest
from metastudio import MetaStudio, errors
from metastudio.sandbox import Fault, Sandbox, serve


def failed_jobs(studio: MetaStudio) -> list[str]:
    """Your program."""
    return [job.job_id for job in studio.training_jobs.iterate(state=["TRAIN_FAILED"])]


def test_it_finds_failed_jobs(metastudio_sandbox: Sandbox) -> None:
    with MetaStudio() as studio:
        assert len(failed_jobs(studio)) == 6


def test_it_raises_when_the_service_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(faults=(Fault("503"),)) as down:
        for name, value in down.environment.items():
            monkeypatch.setenv(name, value)
        with MetaStudio(max_retries=0) as studio, pytest.raises(errors.ServerError):
            failed_jobs(studio)
