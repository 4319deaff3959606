"""Who is let in: keys, dates, tokens, projects, and the lock of a key that fails too often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from metastudio.sandbox import MAIN, OTHER, PARTS, Keys, Sandbox, Settings, serve
from metastudio.sandbox.gateway import BY_THE_SERVICE

Path_ = Callable[[str], str]
Sign = Callable[..., dict[str, str]]
NOON = datetime(2024, 7, 4, 12, 0, 0, tzinfo=UTC).timestamp()


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> float:
        return self.time

    def stamp(self, ahead: float = 0) -> str:
        return f"{datetime.fromtimestamp(self.time + ahead, UTC):%Y%m%dT%H%M%SZ}"


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with serve(jobs=12, clock=clock) as running:
        yield running


@pytest.fixture
def url(sandbox: Sandbox, path: Path_) -> str:
    return sandbox.url + path(sandbox.project_id)


@pytest.fixture
def signed(url: str, sign: Sign, clock: Clock) -> Callable[..., dict[str, str]]:
    def headers(keys: Keys = MAIN.keys, ahead: float = 0, **others: str) -> dict[str, str]:
        return sign(url, keys, date=clock.stamp(ahead), **{"X_Project_Id": MAIN.project_id, **others})

    return headers


@pytest.fixture(autouse=True)
def _clear(http: httpx.Client, url: str, signed: Sign) -> Iterator[None]:
    """A right signature after each test: a key must not stay close to its lock."""
    yield
    assert http.get(url, headers=signed()).status_code == 200


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


@pytest.mark.parametrize("ahead", [-900, -1, 0, 1, 900])
def test_date_within_fifteen_minutes(http: httpx.Client, url: str, signed: Sign, ahead: float) -> None:
    assert http.get(url, headers=signed(ahead=ahead)).status_code == 200


@pytest.mark.parametrize("ahead", [-86400, -901, 901, 86400])
def test_date_further_away(http: httpx.Client, url: str, signed: Sign, clock: Clock, ahead: float) -> None:
    answer = http.get(url, headers=signed(ahead=ahead))

    assert code(answer) == (401, "APIGW.0301")
    assert "signature expired" in answer.json()["error_msg"]
    assert f"signature time:{clock.stamp(ahead)},server time:{clock.stamp()}" in answer.json()["error_msg"]
    assert parsedate_to_datetime(answer.headers["Date"]).timestamp() == clock.time


@pytest.mark.parametrize("name", ["Authorization", "X-Sdk-Date", "X-Project-Id"])
def test_each_header_of_a_signature_is_needed(http: httpx.Client, url: str, signed: Sign, name: str) -> None:
    headers = {key: value for key, value in signed().items() if key != name}

    assert code(http.get(url, headers=headers)) == (401, "APIGW.0301")


@pytest.mark.parametrize(
    "date", ["", "2024-07-04T12:00:00Z", "20240704T120000", "20240704T12000Z", "20240704T120000z", "20241304T120000Z"]
)
def test_malformed_date(http: httpx.Client, url: str, signed: Sign, date: str) -> None:
    assert http.get(url, headers={**signed(), "X-Sdk-Date": date}).status_code == 401


def test_what_decides_must_be_signed(http: httpx.Client, url: str, sign: Sign, clock: Clock) -> None:
    unsigned_project = sign(url, MAIN.keys, date=clock.stamp())
    answer = http.get(url, headers={**unsigned_project, "X-Project-Id": MAIN.project_id})
    assert code(answer) == (401, "APIGW.0301")
    assert "x-project-id is not signed" in answer.json()["error_msg"]

    answer = http.get(url, headers=unsigned_project)
    assert answer.json()["error_msg"].endswith("x-project-id not found")

    permanent = Keys(MAIN.temporary.access_key, MAIN.temporary.secret_key)
    unsigned_token = sign(url, permanent, date=clock.stamp(), X_Project_Id=MAIN.project_id)
    headers = {**unsigned_token, "X-Security-Token": MAIN.temporary.security_token or ""}
    assert "x-security-token is not signed" in http.get(url, headers=headers).json()["error_msg"]


def test_the_date_must_be_signed(http: httpx.Client, url: str, signed: Sign) -> None:
    headers = signed()
    headers["Authorization"] = headers["Authorization"].replace(";x-sdk-date", "")

    assert "x-sdk-date is not signed" in http.get(url, headers=headers).json()["error_msg"]


def test_a_signed_header_must_arrive_once(http: httpx.Client, url: str, signed: Sign) -> None:
    headers = signed(X_App_UserId="me")
    twice = [*headers.items(), ("X-App-UserId", "me")]
    without = {name: value for name, value in headers.items() if name != "X-App-UserId"}

    assert http.get(url, headers=headers).status_code == 200
    for answer in (http.get(url, headers=twice), http.get(url, headers=without)):
        assert code(answer) == (401, "APIGW.0301")
        assert "x-app-userid is signed but was not sent once" in answer.json()["error_msg"]


def test_temporary_key_needs_its_own_token(http: httpx.Client, url: str, signed: Sign) -> None:
    assert http.get(url, headers=signed(MAIN.temporary)).status_code == 200
    for token in (None, "made-up", OTHER.temporary.security_token):
        keys = replace(MAIN.temporary, security_token=token)
        assert code(http.get(url, headers=signed(keys))) == (401, "APIGW.0301")
    assert code(http.get(url, headers=signed(replace(MAIN.keys, security_token="made-up")))) == (401, "APIGW.0301")
    assert http.get(url, headers=signed(MAIN.temporary)).status_code == 200


def test_sixth_failure_in_a_row_locks_a_key_for_five_minutes(
    http: httpx.Client, sandbox: Sandbox, url: str, signed: Sign, clock: Clock
) -> None:
    wrong = Keys(MAIN.keys.access_key, "wrong")
    for _ in range(2):
        for _ in range(5):
            assert "verify aksk signature fail" in http.get(url, headers=signed(wrong)).json()["error_msg"]
        assert http.get(url, headers=signed()).status_code == 200  # which forgives the five before it

    for _ in range(6):
        assert "verify aksk signature fail" in http.get(url, headers=signed(wrong)).json()["error_msg"]
    for keys in (MAIN.keys, wrong):
        answer = http.get(url, headers=signed(keys))
        assert code(answer) == (401, "APIGW.0301")
        assert "AK access failed to reach the limit,forbidden." in answer.json()["error_msg"]
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
def test_projects_of_signed_requests(
    http: httpx.Client,
    sandbox: Sandbox,
    path: Path_,
    sign: Sign,
    clock: Clock,
    keys: Keys,
    path_of: Any,
    header_of: Any,
    status: int,
) -> None:
    url = sandbox.url + path(path_of.project_id)
    answer = http.get(url, headers=sign(url, keys, date=clock.stamp(), X_Project_Id=header_of.project_id))

    assert answer.status_code == status, answer.text
    assert ("error_code" in answer.json()) == (status == 403)


def test_tokens(http: httpx.Client, sandbox: Sandbox, url: str, path: Path_) -> None:
    assert http.get(url, headers={"X-Auth-Token": MAIN.token}).status_code == 200
    assert code(http.get(url, headers={"X-Auth-Token": "made-up"})) == (401, "APIGW.0301")
    assert code(http.get(url, headers={"X-Auth-Token": OTHER.token})) == (403, "APIGW.0302")
    assert code(http.get(url)) == (401, "APIGW.0301")
    twice = [("X-Auth-Token", MAIN.token), ("X-Auth-Token", MAIN.token)]
    assert code(http.get(url, headers=twice)) == (401, "APIGW.0301")


def test_a_signature_comes_before_a_token(http: httpx.Client, url: str, signed: Sign) -> None:
    assert http.get(url, headers={**signed(), "X-Auth-Token": "made-up"}).status_code == 200
    assert http.get(url, headers={"Authorization": "made-up", "X-Auth-Token": MAIN.token}).status_code == 401


def test_every_project_sees_its_own_items(http: httpx.Client, sandbox: Sandbox, path: Path_) -> None:
    seen = {}
    for account in (MAIN, OTHER):
        url = sandbox.url + path(account.project_id)
        answer = http.get(url, headers={"X-Auth-Token": account.token}, params={"limit": 100}).json()
        assert {job["project_id"] for job in answer["jobs"]} == {account.project_id}
        assert answer["count"] == len(answer["jobs"]) > 0
        seen[account.project_id] = {job["job_id"] for job in answer["jobs"]}
    assert not seen[MAIN.project_id] & seen[OTHER.project_id]


def test_where_the_service_looks_at_tokens_it_answers_400(http: httpx.Client, path: Path_) -> None:
    with serve(jobs=1, parts=replace(PARTS, refusals=BY_THE_SERVICE)) as sandbox:
        url = sandbox.url + path(MAIN.project_id)
        assert code(http.get(url, headers={"X-Auth-Token": "made-up"})) == (400, "MSS.00010008")
        assert code(http.get(url, headers={"X-Auth-Token": OTHER.token})) == (400, "MSS.00010009")


def test_a_server_whose_clock_is_wrong(http: httpx.Client, path: Path_, sign: Sign, clock: Clock) -> None:
    with Sandbox(Settings(jobs=1, clock=clock, clock_offset=3600)) as sandbox:
        url = sandbox.url + path(MAIN.project_id)
        here = http.get(url, headers=sign(url, MAIN.keys, date=clock.stamp(), X_Project_Id=MAIN.project_id))
        assert here.status_code == 401
        offset = parsedate_to_datetime(here.headers["Date"]).timestamp() - clock.time
        assert offset == 3600
        there = sign(url, MAIN.keys, date=clock.stamp(offset), X_Project_Id=MAIN.project_id)
        assert http.get(url, headers=there).status_code == 200
