"""The vendor's SDK works with the sandbox over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkmetastudio.v1 import List2dModelTrainingJobRequest, MetaStudioClient
from metastudio.sandbox import OTHER, KeyPair, Sandbox, serve

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # in the SDK


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve() as running:
        yield running


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # the SDK writes a file there


def client(sandbox: Sandbox, keys: KeyPair | None = None, project_id: str | None = None) -> Any:
    keys = keys or sandbox.main.keys
    credentials = BasicCredentials(keys.access_key, keys.secret_key, project_id or sandbox.project_id)
    if keys.security_token:
        credentials.with_security_token(keys.security_token)
    return MetaStudioClient.new_builder().with_credentials(credentials).with_endpoint(sandbox.url).build()


def list_jobs(vendor: Any, **query: Any) -> Any:
    return vendor.list2d_model_training_job(List2dModelTrainingJobRequest(**query))


def test_lists_jobs(sandbox: Sandbox) -> None:
    response = list_jobs(client(sandbox))

    assert response.count == 101
    assert [job.name for job in response.jobs] == [f"Name {number}" for number in range(1, 11)]
    assert {job.project_id for job in response.jobs} == {sandbox.project_id}
    assert len(response.x_request_id) == 32


def test_filters_by_several_states(sandbox: Sandbox) -> None:
    states = {"TRAINING", "JOB_FINISH"}
    (store,) = sandbox.stores.values()
    wanted = [
        job["job_id"] for job in store.items() if job["state"] in states and job["project_id"] != OTHER.project_id
    ]

    response = list_jobs(client(sandbox), state=",".join(states), limit=100)

    assert [job.job_id for job in response.jobs] == wanted
    assert response.count == len(wanted) > 2
    assert {job.state for job in response.jobs} == states


def test_filters_with_characters_that_need_encoding(sandbox: Sandbox) -> None:
    for name in ("50% + more", "数字人", "a/b?c=d&e", "été ☀", "Name 1"):
        response = list_jobs(client(sandbox), name=name, create_since="2023-01-01T00:00:00+08:00")
        assert response.count == len(response.jobs) > 0
        assert {job.name for job in response.jobs} == {name}


def test_pages(sandbox: Sandbox) -> None:
    vendor, seen = client(sandbox), list[str]()
    for offset in range(0, 101, 40):
        page = list_jobs(vendor, offset=offset, limit=40, sort_key="create_time", sort_dir="desc")
        seen += [job.create_time for job in page.jobs]
    assert len(seen) == 101
    assert seen == sorted(seen, reverse=True)


def test_temporary_key(sandbox: Sandbox) -> None:
    assert list_jobs(client(sandbox, sandbox.main.temporary), limit=1).count == 101


def test_discovers_the_project_through_iam(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", sandbox.environment["HUAWEICLOUD_SDK_IAM_ENDPOINT"])
    credentials = BasicCredentials(sandbox.access_key, sandbox.secret_key)
    region = Region(sandbox.main.project_name, sandbox.url)

    vendor = MetaStudioClient.new_builder().with_credentials(credentials).with_region(region).build()

    assert list_jobs(vendor, limit=1).count == 101


def test_wrong_secret_is_refused(sandbox: Sandbox) -> None:
    wrong = KeyPair(sandbox.access_key, "wrong")
    with pytest.raises(ClientRequestException) as caught:
        list_jobs(client(sandbox, wrong))

    error: Any = caught.value
    assert error.status_code == 401
    assert error.error_code == "APIGW.0301"
    assert "verify aksk signature fail" in error.error_msg
    assert len(error.request_id) == 32
    assert list_jobs(client(sandbox), limit=1).count == 101


def test_foreign_project_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(ClientRequestException) as caught:
        list_jobs(client(sandbox, project_id=OTHER.project_id))

    error: Any = caught.value
    assert error.status_code == 403


def test_invalid_parameter_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(ClientRequestException) as caught:
        list_jobs(client(sandbox), limit=101)

    error: Any = caught.value
    assert (error.status_code, error.error_code, error.error_msg) == (400, "MSS.00000003", "Invalid parameter")
