"""The stand-in for IAM: tokens for a password, projects by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from metastudio.sandbox import MAIN, OTHER, Keys, Sandbox, serve
from metastudio.sandbox.authentication import TOKEN_LIFETIME

Sign = Callable[..., dict[str, str]]


def asks(*, user: str = MAIN.user, password: str = MAIN.password, domain: str = MAIN.domain, **scope: Any) -> Any:
    who = {"name": user, "password": password, "domain": {"name": domain}}
    auth = {"identity": {"methods": ["password"], "password": {"user": who}}}
    return {"auth": {**auth, "scope": {"project": scope}} if scope else auth}


@pytest.fixture(scope="module")
def now() -> list[float]:
    return [1_720_000_000.25]


@pytest.fixture(scope="module")
def sandbox(now: list[float]) -> Iterator[Sandbox]:
    with serve(jobs=1, clock=lambda: now[0]) as running:
        yield running


def test_a_token_opens_the_project_until_it_expires(
    http: httpx.Client, sandbox: Sandbox, path: Callable[[str], str], now: list[float]
) -> None:
    answer = http.post(f"{sandbox.url}/v3/auth/tokens", json=asks(name=MAIN.project_name))

    assert answer.status_code == 201
    token = answer.json()["token"]
    assert token["project"]["id"] == MAIN.project_id
    assert token["expires_at"].endswith(".250000Z")
    assert datetime.fromisoformat(token["expires_at"]).timestamp() == now[0] + TOKEN_LIFETIME
    headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    url = sandbox.url + path(MAIN.project_id)
    assert http.get(url, headers=headers).status_code == 200
    now[0] += TOKEN_LIFETIME
    late = http.get(url, headers=headers)
    assert (late.status_code, late.json()["error_code"]) == (401, "APIGW.0307")


def test_a_token_without_project_opens_no_project(
    http: httpx.Client, sandbox: Sandbox, path: Callable[[str], str]
) -> None:
    answer = http.post(f"{sandbox.url}/v3/auth/tokens?nocatalog=true", json=asks())

    assert answer.status_code == 201
    assert "project" not in answer.json()["token"]
    headers = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    assert http.get(sandbox.url + path(MAIN.project_id), headers=headers).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        asks(password="wrong", name=MAIN.project_name),
        asks(user="nobody", name=MAIN.project_name),
        asks(user=OTHER.user, name=MAIN.project_name),
        asks(name="eu-west-0"),
        asks(id=OTHER.project_id),
    ],
)
def test_refused_with_the_nested_error_of_iam(http: httpx.Client, sandbox: Sandbox, body: Any) -> None:
    answer = http.post(f"{sandbox.url}/v3/auth/tokens", json=body)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == 401
    assert answer.json()["error"]["title"] == "Unauthorized"
    assert "X-Subject-Token" not in answer.headers


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"auth": 1}', b'{"auth": {"identity": []}}', b"\xff"])
def test_a_body_that_is_no_request_for_a_token(http: httpx.Client, sandbox: Sandbox, body: bytes) -> None:
    answer = http.post(f"{sandbox.url}/v3/auth/tokens", content=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == 400


def test_projects_of_a_key_and_of_a_token(http: httpx.Client, sandbox: Sandbox, sign: Sign, now: list[float]) -> None:
    stamp = f"{datetime.fromtimestamp(now[0]):%Y}0101T000000Z"
    for query, ids in (("", [MAIN.project_id]), ("?name=cn-north-4", [MAIN.project_id]), ("?name=cn-east-3", [])):
        url = f"{sandbox.url}/v3/projects{query}"
        answer = http.get(url, headers={"X-Auth-Token": MAIN.token})
        assert [each["id"] for each in answer.json()["projects"]] == ids
        wrong_date = http.get(url, headers=sign(url, MAIN.keys, date=stamp))
        assert wrong_date.json()["error"]["code"] == 401
    wrong = http.get(url, headers=sign(url, Keys("NOBODY", "x")))
    assert wrong.json()["error"]["title"] == "Unauthorized"
    assert http.get(url).status_code == 401


def test_other_methods_are_not_allowed(http: httpx.Client, sandbox: Sandbox) -> None:
    for call, allowed in (("auth/tokens", "POST"), ("projects", "GET")):
        answer = http.request("DELETE", f"{sandbox.url}/v3/{call}")
        assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
