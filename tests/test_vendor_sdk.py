"""The vendor's own SDK works with the sandbox over HTTP: whoever passes there passes at the vendor's gateway too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkmetastudio.v1 import List2dModelTrainingJobRequest, MetaStudioClient

from metastudio.sandbox import Sandbox, serve

pytestmark = pytest.mark.filterwarnings("ignore:::huaweicloudsdkcore")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve() as running:
        yield running


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # the SDK leaves a file there


def vendor(sandbox: Sandbox, secret_key: str | None = None, project_id: str | None = None) -> Any:
    credentials = BasicCredentials(
        sandbox.access_key, secret_key or sandbox.secret_key, project_id or sandbox.project_id
    )
    return MetaStudioClient.new_builder().with_credentials(credentials).with_endpoint(sandbox.url).build()


def listed(client: Any, **query: Any) -> Any:
    return client.list2d_model_training_job(List2dModelTrainingJobRequest(**query))


def test_lists_jobs(sandbox: Sandbox) -> None:
    answer = listed(vendor(sandbox))

    assert answer.count == 101
    assert [job.name for job in answer.jobs] == [f"Name {number}" for number in range(1, 11)]
    assert {job.project_id for job in answer.jobs} == {sandbox.project_id}
