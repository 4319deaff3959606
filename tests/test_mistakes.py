"""Mistakes of a first hour: each error names the argument, the value and the remedy."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli_runs import run
from fault_server import unused_port
from metastudio import AsyncMetaStudio, Credentials, MetaStudio, connect, errors
from metastudio.auth import chain
from metastudio.sandbox import Sandbox, serve

ROOT = Path(__file__).parents[1]
KEYS = Credentials("AK", "SK")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(jobs=3, spec=str(ROOT / "openapi.yaml")) as server:  # a text is a path too
        yield server


def options(sandbox: Sandbox) -> Any:
    keys = Credentials(sandbox.access_key, sandbox.secret_key)
    return {"base_url": sandbox.url, "credentials": keys, "project_id": sandbox.project_id}


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ({"limit": 1000}, "Probably limit=1000: the contract allows at most 100."),
        ({"state": ["TRAINING", "training"]}, "Probably state='training': the contract knows TRAINING."),
        ({"name": "n" * 65}, "Probably name: the contract allows at most 64 characters, and it has 65."),
    ],
)
def test_a_refused_request_names_the_likely_argument(sandbox: Sandbox, arguments: Any, hint: str) -> None:
    with MetaStudio(**options(sandbox)) as studio, pytest.raises(errors.BadRequestError) as raised:
        studio.training_jobs.list(**arguments)
    assert raised.value.hint == hint
    assert str(raised.value).endswith(hint)

    async def listed() -> None:
        async with AsyncMetaStudio(**options(sandbox)) as studio:
            await studio.training_jobs.list(**arguments)

    with pytest.raises(errors.BadRequestError) as raised:
        asyncio.run(listed())
    assert raised.value.hint == hint


def test_a_refusal_without_a_suspect_has_no_hint(sandbox: Sandbox) -> None:
    with MetaStudio(**options(sandbox)) as studio, pytest.raises(errors.BadRequestError) as raised:
        studio.training_jobs.list(job_id="line\nbreak", model_resolution="4K", limit=100)
    assert raised.value.hint is None


@pytest.mark.parametrize("make", [MetaStudio, AsyncMetaStudio, connect])
@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"credentials": ("AK", "SECRET")}, errors.ConfigurationError, r'Credentials\("AK", "SK"\), not a tuple'),
        ({"auth": "SECRET"}, errors.ConfigurationError, "auth must be an httpx.Auth.* not a str"),
        ({"reigon": "cn-north-4"}, TypeError, "unknown option reigon; did you mean region?"),
        ({"region": 5}, errors.ConfigurationError, "region must be str, not int"),
        ({"region": ""}, errors.ConfigurationError, "region must not be empty; leave it out"),
        ({"base_url": ""}, errors.ConfigurationError, "base_url must not be empty; leave it out"),
        ({"base_url": ["SECRET"]}, errors.ConfigurationError, "base_url must be str or URL, not list"),
        ({"proxy": "user:SECRET@proxy.corp:3128"}, errors.ConfigurationError, "proxy must begin with http://"),
        ({"proxy": 5}, errors.ConfigurationError, "proxy must be str, URL or Proxy, not int"),
        ({"limits": 5}, errors.ConfigurationError, "limits must be Limits, not int"),
        ({"event_hooks": []}, errors.ConfigurationError, "event_hooks must be Mapping, not list"),
        ({"trust_env": "no"}, errors.ConfigurationError, "trust_env must be bool, not str"),
        ({"app_user_id": 5}, errors.ConfigurationError, "app_user_id must be str, not int"),
        ({"profile": ["a"]}, errors.ConfigurationError, "profile must be str, not list"),
    ],
)
def test_wrong_options(make: Any, given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        make(**given)
    assert "SECRET" not in str(raised.value)


@pytest.mark.parametrize(("make", "other"), [(MetaStudio, "Async"), (AsyncMetaStudio, "")])
def test_a_transport_of_the_other_kind(make: Any, other: str) -> None:
    transport = getattr(httpx, f"{other}HTTPTransport")()
    with pytest.raises(errors.ConfigurationError, match=r"transport must be an httpx\.\w*BaseTransport, not"):
        make(base_url="http://127.0.0.1:1", credentials=KEYS, transport=transport)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "\ud800"}, r"name holds characters that cannot be sent, '\\ud800'"),
        ({"state": ["\ud800"]}, r"state holds characters that cannot be sent, '\\ud800'"),
        ({"create_since": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=8)))}, "create_since is .* out of range"),
    ],
)
def test_values_that_cannot_be_sent(sandbox: Sandbox, arguments: Any, message: str) -> None:
    with MetaStudio(**options(sandbox)) as studio, pytest.raises(ValueError, match=message):
        studio.training_jobs.list(**arguments)


@pytest.mark.parametrize(
    ("identity", "error"), [("", ValueError), ("  ", ValueError), (None, TypeError), (7, TypeError)]
)
def test_find_and_wait_without_an_id(identity: Any, error: type[Exception]) -> None:
    """The advice of a filter, to leave it out, would be wrong. No request is sent: there is no server."""
    given: Any = {"base_url": "http://127.0.0.1:1", "credentials": KEYS, "project_id": "p"}
    studio, other = MetaStudio(**given), AsyncMetaStudio(**given)
    message = rf"^job_id must be the ID of one item, not {identity!r}$"
    for call in (studio.training_jobs.find, partial(studio.training_jobs.wait, timeout=1)):
        with pytest.raises(error, match=message):
            call(identity)
    for task in (other.training_jobs.find, partial(other.training_jobs.wait, timeout=1)):
        with pytest.raises(error, match=message):
            asyncio.run(task(identity))


@pytest.mark.parametrize("given", [True, False])
def test_a_dead_proxy_is_named(given: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with unused_port() as port:
        proxy = f"http://user:SECRET@127.0.0.1:{port}"
        if not given:
            monkeypatch.setenv("HTTPS_PROXY", proxy)
        settings: Any = {"base_url": "https://service.test", "project_id": "p", "max_retries": 0}
        if given:
            settings["proxy"] = proxy
        with MetaStudio(credentials=KEYS, **settings) as studio, pytest.raises(errors.ApiConnectionError) as raised:
            studio.training_jobs.list()
    assert f"cannot connect to service.test through the proxy http://127.0.0.1:{port}" in str(raised.value)
    assert "HTTPS_PROXY" in str(raised.value)
    assert "SECRET" not in str(raised.value)


def test_a_second_event_loop() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"count": 0, "jobs": []}))
    studio = AsyncMetaStudio(credentials=KEYS, project_id="p", transport=transport)

    async def listed() -> None:
        await studio.training_jobs.list(limit=1)

    asyncio.run(listed())
    with pytest.raises(errors.ConfigurationError, match="belongs to another event loop"):
        asyncio.run(listed())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ak = A\nsk = S\n", r"does not begin with a section; write \[basic\] above ak and sk"),
        ("[global]\nak = A\nsk = S\n", r"has no section \[basic\]"),
    ],
)
def test_a_credentials_file_without_its_section(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "credentials"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(errors.CredentialsError, match=message):
        chain.find(environ={"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(file)})


def test_a_readable_credentials_file_is_mentioned_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "credentials"
    file.write_text("[basic]\nak = A\nsk = S\n")
    file.chmod(0o644)
    with caplog.at_level(logging.WARNING, "metastudio"):
        source = chain.find(environ={"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(file)})
        source.provide()
        source.provide()
    assert [record.message for record in caplog.records] == [
        f"other users of this machine can read {file}; run chmod 600 on it"
    ]


def test_whoami_does_not_refer_to_itself(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("[global]\n")
    file.chmod(0o600)
    done = run("whoami", env={"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(file)})
    assert "has no section [basic]" in done.err
    assert "metastudio whoami" not in done.err
