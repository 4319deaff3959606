"""The front door against the sandbox: sync and async, list, connect, options that reach the wire, bad input."""

from __future__ import annotations

import pickle
import re
import threading
import typing
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import httpx
import metastudio
import pytest
from fault_server import FaultServer, respond, stall
from metastudio import AsyncMetaStudio, Credentials, MetaStudio, TokenAuth, connect, errors
from metastudio.config import Config
from metastudio.sandbox import Sandbox, serve
from metastudio_client.api.training_jobs import list_training_jobs
from metastudio_client.models import ListTrainingJobsResponse, SortDirection, TrainingJobState

PAGE = b'{"count": 0, "jobs": []}'


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(jobs=40) as server:
        yield server


def options(sandbox: Sandbox, **more: Any) -> Any:
    keys = Credentials(sandbox.access_key, sandbox.secret_key)
    return {"base_url": sandbox.url, "credentials": keys, "project_id": sandbox.project_id, **more}


def test_list_is_typed_and_complete(sandbox: Sandbox) -> None:
    with MetaStudio(**options(sandbox)) as studio:
        page = studio.training_jobs.list(limit=5, offset=1, sort_key="create_time", sort_dir="desc")
    assert isinstance(page, ListTrainingJobsResponse)
    assert page.count == 40
    assert len(page.jobs) == 5
    times = [job.create_time for job in page.jobs]
    assert times == sorted(times, reverse=True)
    assert all(isinstance(job.state, TrainingJobState) for job in page.jobs)
    assert {job.project_id for job in page.jobs} == {sandbox.project_id}


@pytest.mark.anyio
async def test_list_async(sandbox: Sandbox) -> None:
    async with AsyncMetaStudio(**options(sandbox)) as studio:
        page = await studio.training_jobs.list(limit=5, state=[TrainingJobState.TRAINING])
    assert {job.state for job in page.jobs} == {TrainingJobState.TRAINING}


def test_a_request_on_the_wire(sandbox: Sandbox) -> None:
    seen: list[httpx.Request] = []
    hooks = {"request": [seen.append]}
    with MetaStudio(**options(sandbox, app_user_id="app-7", event_hooks=hooks)) as studio:
        studio.training_jobs.list(
            state=["TRAINING", "NEWER_STATE"],
            create_since=datetime(2023, 1, 2, 3, 4, 5, tzinfo=UTC),
            name="数字 人+~*",
            sort_dir=SortDirection.ASC,
        )
    (request,) = seen
    assert request.url.query == (
        b"create_since=2023-01-02T03%3A04%3A05Z&name=%E6%95%B0%E5%AD%97%20%E4%BA%BA%2B~%2A"
        b"&sort_dir=asc&state=TRAINING%2CNEWER_STATE"
    )
    assert request.headers["X-Project-Id"] == sandbox.project_id
    assert request.headers["X-App-UserId"] == "app-7"
    assert request.headers["User-Agent"].startswith("metastudio-client/")
    assert "SignedHeaders=host;x-app-userid;x-project-id;x-sdk-date," in request.headers["Authorization"]


def test_a_token_instead_of_a_key(sandbox: Sandbox) -> None:
    with MetaStudio(base_url=sandbox.url, auth=TokenAuth(sandbox.token), project_id=sandbox.project_id) as studio:
        assert studio.training_jobs.list(limit=1).count == 40


def test_configuration_from_the_environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    with MetaStudio() as studio:
        assert studio.training_jobs.list(limit=1).count == 40


def test_iam_is_asked_for_the_project_once(sandbox: Sandbox) -> None:
    asked: list[str] = []
    hooks = {"request": [lambda request: asked.append(request.url.path)]}
    arguments = options(sandbox, project_id=None, event_hooks=hooks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", sandbox.url)
        with MetaStudio(**arguments) as studio:
            for _ in range(3):
                assert studio.training_jobs.list(limit=1).jobs[0].project_id == sandbox.project_id
    assert [path for path in asked if "projects" in path] == ["/v3/projects"]


def test_connect_gives_the_generated_client(sandbox: Sandbox) -> None:
    with connect(**options(sandbox, project_id=None)) as client:
        page = list_training_jobs.sync(sandbox.project_id, client=client, limit=3)
        assert isinstance(page, ListTrainingJobsResponse)
        with pytest.raises(errors.BadRequestError):
            list_training_jobs.sync(sandbox.project_id, client=client, limit=101)
        with pytest.raises(errors.PermissionDeniedError):
            list_training_jobs.sync("0" * 32, client=client)


def test_the_documented_timeouts(sandbox: Sandbox) -> None:
    seen: list[Any] = []
    hooks = {"request": [lambda request: seen.append(request.extensions["timeout"])]}
    with MetaStudio(**options(sandbox, event_hooks=hooks)) as studio:
        studio.training_jobs.list(limit=1)
    # Waiting for a free connection is bounded by the deadline of the call, 120 s.
    assert {name: round(seconds) for name, seconds in seen[0].items()} == {
        "connect": 10,
        "read": 30,
        "write": 30,
        "pool": 120,
    }


@pytest.mark.anyio
async def test_connect_async_and_with_another_timeout(sandbox: Sandbox) -> None:
    client = connect(**options(sandbox)).with_timeout(httpx.Timeout(7.0))
    async with client:
        page = await list_training_jobs.asyncio(sandbox.project_id, client=client, limit=3)
        assert client.get_async_httpx_client().timeout == httpx.Timeout(7.0)
    assert isinstance(page, ListTrainingJobsResponse)


def test_a_longer_timeout_of_the_generated_client_extends_the_deadline(sandbox: Sandbox) -> None:
    client = connect(**options(sandbox)).with_timeout(httpx.Timeout(300.0))
    seen: list[dict[str, float]] = []
    with client:
        client.get_httpx_client().event_hooks = {
            "request": [lambda request: seen.append(request.extensions["timeout"])]
        }
        assert list_training_jobs.sync(sandbox.project_id, client=client, limit=1)
    assert seen[0]["read"] == 300.0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"state": []}, ValueError, "omit it"),
        ({"state": "TRAINING"}, TypeError, "must be a list"),
        ({"create_since": datetime(2024, 1, 1)}, ValueError, "without a time zone"),
        ({"x_app_user_id": "张三"}, ValueError, "printable ASCII"),
        ({"statee": ["A"]}, TypeError, "did you mean state"),
        ({"limit": 0}, ValueError, "must be 1 or more"),
    ],
)
def test_bad_arguments_send_nothing(arguments: Any, error: type[Exception], message: str) -> None:
    transport = httpx.MockTransport(lambda _: pytest.fail("something was sent"))
    keys = Credentials("A", "S")
    with MetaStudio(base_url="https://x.example", credentials=keys, transport=transport) as studio:  # and no project
        with pytest.raises(error, match=message):
            studio.training_jobs.list(**arguments)
        with pytest.raises(error, match=message):
            studio.training_jobs.iterate(**arguments)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"timeout": 0}, errors.ConfigurationError, "timeout"),
        ({"timeout": "5"}, errors.ConfigurationError, "timeout"),
        ({"max_retries": -1}, errors.ConfigurationError, "max_retries"),
        ({"app_user_id": "a\nb"}, errors.ConfigurationError, "app_user_id"),
        ({"base_url": "metastudio.example"}, errors.ConfigurationError, "https://host"),
        ({"reigon": "cn-north-4"}, TypeError, "unknown option reigon"),
    ],
)
@pytest.mark.parametrize("make", [MetaStudio, AsyncMetaStudio, connect])
def test_bad_options_are_refused_at_once(make: Any, given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(**{"credentials": Credentials("A", "S"), "project_id": "p", **given})


def test_use_after_close_says_so(sandbox: Sandbox) -> None:
    studio = MetaStudio(**options(sandbox))
    studio.training_jobs.list(limit=1)
    studio.close()
    studio.close()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        studio.training_jobs.list(limit=1)


def test_one_client_for_many_threads(sandbox: Sandbox) -> None:
    counts: list[int] = []
    client = connect(**options(sandbox))
    start = threading.Barrier(32)

    def work() -> None:
        start.wait()
        page = list_training_jobs.sync(sandbox.project_id, client=client, limit=1)
        assert isinstance(page, ListTrainingJobsResponse)
        counts.append(page.count)

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.get_httpx_client().close()
    assert counts == [40] * 32


@pytest.mark.anyio
async def test_one_client_for_a_thousand_tasks(sandbox: Sandbox) -> None:
    import asyncio

    async with AsyncMetaStudio(**options(sandbox, timeout=60)) as studio:
        pages = await asyncio.gather(*(studio.training_jobs.list(limit=1) for _ in range(1000)))
    assert [page.count for page in pages] == [40] * 1000


def test_other_options_for_some_calls_on_the_same_connections() -> None:
    with FaultServer([respond(200, PAGE), respond(503, b"{}"), respond(200, PAGE)]) as server:
        settings: Any = {"base_url": server.url, "credentials": Credentials("A", "S"), "project_id": "p"}
        with MetaStudio(**settings) as studio:
            studio.training_jobs.list()
            quick = studio.with_options(max_retries=0, headers={"X-Trace": "t1"})
            with quick, pytest.raises(errors.ServerError) as raised:
                quick.training_jobs.list(x_app_user_id="u")
            assert raised.value.retries == 0
            assert quick.with_options(headers={"x-trace": "t2"}).training_jobs.list().count == 0  # after its `with`
        with pytest.raises(errors.ConfigurationError, match="closed"):
            quick.training_jobs.list()
        assert server.connections == 1
        assert [re.findall(rb"(?i)x-trace: (\w+)", head) for head in server.heads] == [[], [b"t1"], [b"t2"]]
        assert b"x-app-userid: u" in server.heads[1].lower()


def test_a_test_can_replace_operations(sandbox: Sandbox) -> None:
    with MetaStudio(**options(sandbox)) as studio:
        with mock.patch.object(studio.training_jobs, "list", return_value="replaced"):
            found: Any = studio.training_jobs.list()
            assert found == "replaced"
            assert studio.with_options(timeout=9).training_jobs.list(limit=1).count == 40
        with mock.patch.object(studio, "training_jobs") as replaced:
            assert studio.training_jobs is replaced
        assert studio.training_jobs.list(limit=1).count == 40
    assert typing.get_type_hints(MetaStudio)["config"] is Config


def test_a_shorter_timeout_for_some_calls() -> None:
    with FaultServer([stall()]) as server:
        settings: Any = {"base_url": server.url, "credentials": Credentials("A", "S"), "project_id": "p"}
        with MetaStudio(**settings) as studio, pytest.raises(errors.ApiTimeoutError):
            studio.with_options(timeout=0.05, max_retries=0).training_jobs.list()


@pytest.mark.anyio
async def test_other_options_for_some_calls_async() -> None:
    with FaultServer([respond(503, b"{}"), respond(200, PAGE), stall()]) as server:
        settings: Any = {"base_url": server.url, "credentials": Credentials("A", "S"), "project_id": "p"}
        async with AsyncMetaStudio(**settings) as studio:
            quick = studio.with_options(timeout=0.05, max_retries=0)
            with pytest.raises(errors.ServerError):
                await quick.training_jobs.list()
            async with quick.with_options(headers={"X-Trace": "t"}, timeout=5) as traced:
                assert (await traced.training_jobs.list()).count == 0
            with pytest.raises(errors.ApiTimeoutError):
                await quick.training_jobs.list()
        assert server.connections == 1


def test_the_project_is_looked_up_once_for_all_options(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", sandbox.url)
    hooks = {"request": [lambda request: asked.append(request.url.path)]}
    with MetaStudio(**options(sandbox, project_id=None, event_hooks=hooks)) as studio:
        for client in (studio.with_options(timeout=9), studio, studio.with_options(max_retries=1)):
            assert client.training_jobs.list(limit=1).count == 40
    assert asked.count("/v3/projects") == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"timeout": 0}, "timeout must be a number of seconds above 0"),
        ({"max_retries": -1}, "max_retries must be an integer"),
        ({"headers": {"authorization": "x"}}, "the client computes it"),
        ({"headers": {"X-Trace": "a\nb"}}, "'X-Trace' must be printable ASCII"),
    ],
)
def test_bad_options_for_some_calls_are_refused_at_once(given: Any, message: str) -> None:
    studio = MetaStudio(credentials=Credentials("A", "S"), project_id="p")
    with studio, pytest.raises(errors.ConfigurationError, match=message):
        studio.with_options(**given)


def test_reprs_show_no_secret(sandbox: Sandbox) -> None:
    with MetaStudio(**options(sandbox)) as studio:
        studio.training_jobs.list(limit=1)
        client = connect(**options(sandbox)).with_headers({"Authorization": "planted"})
        for shown in (repr(studio), repr(studio.config), repr(client), str(studio.training_jobs)):
            assert sandbox.secret_key not in shown
            assert "planted" not in shown
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(studio)


def test_public_names_are_there_and_documented() -> None:
    for name in metastudio.__all__:
        assert getattr(metastudio, name).__doc__
    assert set(metastudio.__all__) <= set(dir(metastudio))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = metastudio.nothing
    assert metastudio.__version__ == "1.0.0"
