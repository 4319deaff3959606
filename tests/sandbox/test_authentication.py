"""Authentication: key pairs, dates, tokens, projects, and the lock of a failing access key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from metastudio.sandbox import CONFORMING, MAIN, OTHER, KeyPair, Sandbox, SandboxSettings, serve
from variants import SERVICE_REFUSALS

Path_ = Callable[[str], str]
Sign = Callable[..., dict[str, str]]
NOON = datetime(2024, 7, 4, 12, 0, 0, tzinfo=UTC).timestamp()


class MovableClock:
    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> float:
        return self.time

    def stamp(self, ahead: float = 0) -> str:
        return f"{datetime.fromtimestamp(self.time + ahead, UTC):%Y%m%dT%H%M%SZ}"


@pytest.fixture(scope="module")
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="module")
def sandbox(clock: MovableClock) -> Iterator[Sandbox]:
    with serve(jobs=12, clock=clock) as running:
        yield running


@pytest.fixture
def url(sandbox: Sandbox, path: Path_) -> str:
    return sandbox.url + path(sandbox.project_id)


@pytest.fixture
def signed(url: str, sign: Sign, clock: MovableClock) -> Callable[..., dict[str, str]]:
    def headers(keys: KeyPair = MAIN.keys, ahead: float = 0, **others: str) -> dict[str, str]:
        return sign(url, keys, date=clock.stamp(ahead), **{"X_Project_Id": MAIN.project_id, **others})

    return headers


@pytest.fixture(autouse=True)
def _reset_failure_count(http: httpx.Client, url: str, signed: Sign) -> Iterator[None]:
    """Send a valid signature after each test, so that no test leaves the access key close to its lock."""
    yield
    assert http.get(url, headers=signed()).status_code == 200


def error_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error_code"]


@pytest.mark.parametrize("ahead", [-900, -1, 0, 1, 900])
def test_a_date_within_15_minutes_is_accepted(http: httpx.Client, url: str, signed: Sign, ahead: float) -> None:
    assert http.get(url, headers=signed(ahead=ahead)).status_code == 200


@pytest.mark.parametrize("ahead", [-86400, -901, 901, 86400])
def test_a_date_beyond_15_minutes_is_refused(
    http: httpx.Client, url: str, signed: Sign, clock: MovableClock, ahead: float
) -> None:
    response = http.get(url, headers=signed(ahead=ahead))

    assert error_of(response) == (401, "APIGW.0301")
    assert "signature expired" in response.json()["error_msg"]
    assert f"signature time:{clock.stamp(ahead)},server time:{clock.stamp()}" in response.json()["error_msg"]
    assert parsedate_to_datetime(response.headers["Date"]).timestamp() == clock.time


@pytest.mark.parametrize("name", ["Authorization", "X-Sdk-Date", "X-Project-Id"])
def test_every_header_of_the_security_requirement_is_required(
    http: httpx.Client, url: str, signed: Sign, name: str
) -> None:
    headers = {key: value for key, value in signed().items() if key != name}

    assert error_of(http.get(url, headers=headers)) == (401, "APIGW.0301")


@pytest.mark.parametrize(
    "date", ["", "2024-07-04T12:00:00Z", "20240704T120000", "20240704T12000Z", "20240704T120000z", "20241304T120000Z"]
)
def test_a_malformed_date_is_refused(http: httpx.Client, url: str, signed: Sign, date: str) -> None:
    assert http.get(url, headers={**signed(), "X-Sdk-Date": date}).status_code == 401


def test_project_and_security_token_must_be_signed(
    http: httpx.Client, url: str, sign: Sign, clock: MovableClock
) -> None:
    unsigned_project = sign(url, MAIN.keys, date=clock.stamp())
    response = http.get(url, headers={**unsigned_project, "X-Project-Id": MAIN.project_id})
    assert error_of(response) == (401, "APIGW.0301")
    assert "x-project-id is not signed" in response.json()["error_msg"]

    response = http.get(url, headers=unsigned_project)
    assert response.json()["error_msg"].endswith("x-project-id not found")

    permanent = KeyPair(MAIN.temporary.access_key, MAIN.temporary.secret_key)
    unsigned_token = sign(url, permanent, date=clock.stamp(), X_Project_Id=MAIN.project_id)
    headers = {**unsigned_token, "X-Security-Token": MAIN.temporary.security_token or ""}
    assert "x-security-token is not signed" in http.get(url, headers=headers).json()["error_msg"]


def test_the_date_must_be_signed(http: httpx.Client, url: str, signed: Sign) -> None:
    headers = signed()
    headers["Authorization"] = headers["Authorization"].replace(";x-sdk-date", "")

    assert "x-sdk-date is not signed" in http.get(url, headers=headers).json()["error_msg"]


def test_a_signed_header_must_be_sent_exactly_once(http: httpx.Client, url: str, signed: Sign) -> None:
    headers = signed(X_App_UserId="me")
    twice = [*headers.items(), ("X-App-UserId", "me")]
    without = {name: value for name, value in headers.items() if name != "X-App-UserId"}

    assert http.get(url, headers=headers).status_code == 200
    for response in (http.get(url, headers=twice), http.get(url, headers=without)):
        assert error_of(response) == (401, "APIGW.0301")
        assert "x-app-userid is signed but was not sent once" in response.json()["error_msg"]


def test_a_temporary_key_pair_requires_its_own_security_token(http: httpx.Client, url: str, signed: Sign) -> None:
    assert http.get(url, headers=signed(MAIN.temporary)).status_code == 200
    for token in (None, "made-up", OTHER.temporary.security_token):
        keys = replace(MAIN.temporary, security_token=token)
        assert error_of(http.get(url, headers=signed(keys))) == (401, "APIGW.0301")
    assert error_of(http.get(url, headers=signed(replace(MAIN.keys, security_token="made-up")))) == (401, "APIGW.0301")
    assert http.get(url, headers=signed(MAIN.temporary)).status_code == 200


def test_the_sixth_consecutive_failure_locks_the_access_key_for_5_minutes(
    http: httpx.Client, sandbox: Sandbox, url: str, signed: Sign, clock: MovableClock
) -> None:
    wrong = KeyPair(MAIN.keys.access_key, "wrong")
    for _ in range(2):
        for _ in range(5):
            assert "verify aksk signature fail" in http.get(url, headers=signed(wrong)).json()["error_msg"]
        assert http.get(url, headers=signed()).status_code == 200  # resets the count

    for _ in range(6):
        assert "verify aksk signature fail" in http.get(url, headers=signed(wrong)).json()["error_msg"]
    for keys in (MAIN.keys, wrong):
        response = http.get(url, headers=signed(keys))
        assert error_of(response) == (401, "APIGW.0301")
        assert "AK access failed to reach the limit,forbidden." in response.json()["error_msg"]
    assert http.get(url, headers=signed(MAIN.temporary)).status_code == 200
    assert http.get(url, headers={"X-Auth-Token": sandbox.token}).status_code == 200

    clock.time += 299
    assert http.get(url, headers=signed()).status_code == 401
    clock.time += 1
    assert http.get(url, headers=signed()).status_code == 200


@pytest.mark.parametrize(
    ("keys", "path_of", "header_of", "status"),
    [
        (MAIN.keys, OTHER, MAIN, 403),
        (MAIN.keys, OTHER, OTHER, 403),
        (MAIN.keys, MAIN, OTHER, 403),
        (OTHER.keys, MAIN, MAIN, 403),
        (OTHER.keys, OTHER, OTHER, 200),
    ],
)
def test_the_project_of_a_signed_request_is_checked(
    http: httpx.Client,
    sandbox: Sandbox,
    path: Path_,
    sign: Sign,
    clock: MovableClock,
    keys: KeyPair,
    path_of: Any,
    header_of: Any,
    status: int,
) -> None:
    url = sandbox.url + path(path_of.project_id)
    response = http.get(url, headers=sign(url, keys, date=clock.stamp(), X_Project_Id=header_of.project_id))

    assert response.status_code == status, response.text
    assert ("error_code" in response.json()) == (status == 403)


def test_tokens_are_checked(http: httpx.Client, sandbox: Sandbox, url: str, path: Path_) -> None:
    assert http.get(url, headers={"X-Auth-Token": MAIN.token}).status_code == 200
    assert error_of(http.get(url, headers={"X-Auth-Token": "made-up"})) == (401, "APIGW.0301")
    assert error_of(http.get(url, headers={"X-Auth-Token": OTHER.token})) == (403, "APIGW.0302")
    assert error_of(http.get(url)) == (401, "APIGW.0301")
    twice = [("X-Auth-Token", MAIN.token), ("X-Auth-Token", MAIN.token)]
    assert error_of(http.get(url, headers=twice)) == (401, "APIGW.0301")


def test_a_signature_takes_precedence_over_a_token(http: httpx.Client, url: str, signed: Sign) -> None:
    assert http.get(url, headers={**signed(), "X-Auth-Token": "made-up"}).status_code == 200
    assert http.get(url, headers={"Authorization": "made-up", "X-Auth-Token": MAIN.token}).status_code == 401


def test_a_project_lists_only_its_own_items(http: httpx.Client, sandbox: Sandbox, path: Path_) -> None:
    seen = {}
    for account in (MAIN, OTHER):
        url = sandbox.url + path(account.project_id)
        response = http.get(url, headers={"X-Auth-Token": account.token}, params={"limit": 100}).json()
        assert {job["project_id"] for job in response["jobs"]} == {account.project_id}
        assert response["count"] == len(response["jobs"]) > 0
        seen[account.project_id] = {job["job_id"] for job in response["jobs"]}
    assert not seen[MAIN.project_id] & seen[OTHER.project_id]


def test_a_service_that_checks_tokens_responds_400(http: httpx.Client, path: Path_) -> None:
    with serve(jobs=1, overrides=replace(CONFORMING, refusals=SERVICE_REFUSALS)) as sandbox:
        url = sandbox.url + path(MAIN.project_id)
        assert error_of(http.get(url, headers={"X-Auth-Token": "made-up"})) == (400, "MSS.00010008")
        assert error_of(http.get(url, headers={"X-Auth-Token": OTHER.token})) == (400, "MSS.00010009")


def test_the_server_clock_can_be_offset(http: httpx.Client, path: Path_, sign: Sign, clock: MovableClock) -> None:
    with Sandbox(SandboxSettings(jobs=1, clock=clock, clock_offset=3600)) as sandbox:
        url = sandbox.url + path(MAIN.project_id)
        here = http.get(url, headers=sign(url, MAIN.keys, date=clock.stamp(), X_Project_Id=MAIN.project_id))
        assert here.status_code == 401
        offset = parsedate_to_datetime(here.headers["Date"]).timestamp() - clock.time
        assert offset == 3600
        there = sign(url, MAIN.keys, date=clock.stamp(offset), X_Project_Id=MAIN.project_id)
        assert http.get(url, headers=there).status_code == 200
