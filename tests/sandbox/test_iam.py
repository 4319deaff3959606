"""IAM operations: tokens for a password, projects by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from metastudio.sandbox import MAIN, OTHER, KeyPair, Sandbox, serve
from metastudio.sandbox.authentication import TOKEN_LIFETIME

Sign = Callable[..., dict[str, str]]


def token_request(
    *, user: str = MAIN.user, password: str = MAIN.password, domain: str = MAIN.domain, **scope: Any
) -> Any:
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


def test_a_token_is_valid_for_its_project_until_it_expires(
    http: httpx.Client, sandbox: Sandbox, path: Callable[[str], str], now: list[float]
) -> None:
    response = http.post(f"{sandbox.url}/v3/auth/tokens", json=token_request(name=MAIN.project_name))

    assert response.status_code == 201
    token = response.json()["token"]
    assert token["project"]["id"] == MAIN.project_id
    assert token["expires_at"].endswith(".250000Z")
    assert datetime.fromisoformat(token["expires_at"]).timestamp() == now[0] + TOKEN_LIFETIME
    headers = {"X-Auth-Token": response.headers["X-Subject-Token"]}
    url = sandbox.url + path(MAIN.project_id)
    assert http.get(url, headers=headers).status_code == 200
    now[0] += TOKEN_LIFETIME
    late = http.get(url, headers=headers)
    assert (late.status_code, late.json()["error_code"]) == (401, "APIGW.0307")


def test_a_token_without_project_scope_is_refused_by_the_service(
    http: httpx.Client, sandbox: Sandbox, path: Callable[[str], str]
) -> None:
    response = http.post(f"{sandbox.url}/v3/auth/tokens?nocatalog=true", json=token_request())

    assert response.status_code == 201
    assert "project" not in response.json()["token"]
    headers = {"X-Auth-Token": response.headers["X-Subject-Token"]}
    assert http.get(sandbox.url + path(MAIN.project_id), headers=headers).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        token_request(password="wrong", name=MAIN.project_name),
        token_request(user="unknown", name=MAIN.project_name),
        token_request(user=OTHER.user, name=MAIN.project_name),
        token_request(name="eu-west-0"),
        token_request(id=OTHER.project_id),
    ],
)
def test_errors_have_the_nested_body_of_iam(http: httpx.Client, sandbox: Sandbox, body: Any) -> None:
    response = http.post(f"{sandbox.url}/v3/auth/tokens", json=body)

    assert response.status_code == 401
    assert response.json()["error"]["code"] == 401
    assert response.json()["error"]["title"] == "Unauthorized"
    assert "X-Subject-Token" not in response.headers


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"auth": 1}', b'{"auth": {"identity": []}}', b"\xff"])
def test_an_invalid_body_is_refused(http: httpx.Client, sandbox: Sandbox, body: bytes) -> None:
    response = http.post(f"{sandbox.url}/v3/auth/tokens", content=body)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == 400


def test_projects_are_listed_for_a_key_and_for_a_token(
    http: httpx.Client, sandbox: Sandbox, sign: Sign, now: list[float]
) -> None:
    stamp = f"{datetime.fromtimestamp(now[0]):%Y}0101T000000Z"
    for query, ids in (("", [MAIN.project_id]), ("?name=cn-north-4", [MAIN.project_id]), ("?name=cn-east-3", [])):
        url = f"{sandbox.url}/v3/projects{query}"
        response = http.get(url, headers={"X-Auth-Token": MAIN.token})
        assert [each["id"] for each in response.json()["projects"]] == ids
        wrong_date = http.get(url, headers=sign(url, MAIN.keys, date=stamp))
        assert wrong_date.json()["error"]["code"] == 401
    wrong = http.get(url, headers=sign(url, KeyPair("UNKNOWN", "x")))
    assert wrong.json()["error"]["title"] == "Unauthorized"
    assert http.get(url).status_code == 401


def test_other_methods_are_not_allowed(http: httpx.Client, sandbox: Sandbox) -> None:
    for call, allowed in (("auth/tokens", "POST"), ("projects", "GET, HEAD")):
        response = http.request("DELETE", f"{sandbox.url}/v3/{call}")
        assert response.status_code == 405
        assert sorted(response.headers["Allow"].split(", ")) == allowed.split(", ")
