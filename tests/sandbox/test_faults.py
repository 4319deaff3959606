"""Injected faults as a client sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from metastudio.sandbox import FAULT_KINDS, Fault, Sandbox, SandboxSettings, serve
from metastudio.sandbox.app import SLOW_SECONDS
from metastudio.sandbox.http import MAX_BODY_BYTES

Path_ = Callable[[str], str]


def fetch_jobs(http: httpx.Client, sandbox: Sandbox, path: Path_) -> httpx.Response:
    return http.get(sandbox.url + path(sandbox.project_id), headers={"X-Auth-Token": sandbox.token})


@pytest.mark.parametrize(
    ("kind", "status", "content_type", "words"),
    [
        ("500", 500, "application/json", '"MSS.00000004"'),
        ("502", 502, "text/html; charset=utf-8", "<h1>"),
        ("503", 503, "application/json", '"request_id"'),
        ("504", 504, "application/json", '"request_id"'),
        ("429", 429, "application/json", '"APIGW.0308"'),
        ("redirect", 302, "application/json", ""),
        ("login", 200, "text/html; charset=utf-8", "<form>"),
        ("empty", 200, "application/json", ""),
        ("cut", 200, "application/json", '{"count":12,"jobs":[{'),
    ],
)
def test_faulty_responses(
    http: httpx.Client, path: Path_, kind: str, status: int, content_type: str, words: str
) -> None:
    with serve(jobs=12, faults=(Fault(kind),)) as sandbox:
        response = fetch_jobs(http, sandbox, path)

    assert (response.status_code, response.headers["Content-Type"]) == (status, content_type)
    assert words in response.text
    assert len(response.headers["X-Request-Id"]) == 32
    assert response.headers.get("Retry-After") == ("1" if kind == "429" else None)
    if kind in ("empty", "cut"):
        with pytest.raises(ValueError):
            response.json()


@pytest.mark.parametrize(("kind", "error"), [("reset", httpx.ReadError), ("truncated", httpx.RemoteProtocolError)])
def test_broken_connections(http: httpx.Client, path: Path_, kind: str, error: type[Exception]) -> None:
    with serve(jobs=1, faults=(Fault(kind, 0.5),), seed=3) as sandbox:
        outcomes = list[str]()
        for _ in range(12):
            try:
                outcomes.append(str(fetch_jobs(http, sandbox, path).status_code))
            except error:
                outcomes.append("broken")
    assert set(outcomes) == {"200", "broken"}


def test_a_slow_response_ends_when_the_client_disconnects(http: httpx.Client, path: Path_) -> None:
    with serve(jobs=1, faults=(Fault("slow"),)) as sandbox:
        url, headers = sandbox.url + path(sandbox.project_id), {"X-Auth-Token": sandbox.token}
        with pytest.raises(httpx.ReadTimeout):
            http.get(url, headers=headers, timeout=0.05)


def test_latency_delays_each_response(http: httpx.Client, path: Path_) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    with serve(jobs=1, latency=0.25, faults=(Fault("slow", 0.5),), seed=1, sleep=sleep) as sandbox:
        assert {fetch_jobs(http, sandbox, path).status_code for _ in range(8)} == {200}
        http.get(f"{sandbox.url}/v3/projects")
    assert set(slept) == {0.25, 0.25 + SLOW_SECONDS}
    assert len(slept) == 8


def test_sixteen_delayed_requests_wait_at_the_same_time(http: httpx.Client, path: Path_) -> None:
    together = asyncio.Barrier(16)

    async def sleep(_seconds: float) -> None:
        await together.wait()

    with serve(jobs=1, latency=0.25, faults=(Fault("503"),), sleep=sleep) as sandbox, ThreadPoolExecutor(16) as pool:
        responses = pool.map(lambda _: fetch_jobs(http, sandbox, path), range(16))
        assert [each.status_code for each in responses] == [503] * 16


def test_the_same_seed_fails_the_same_requests(http: httpx.Client, path: Path_) -> None:
    def statuses(seed: int) -> list[int]:
        with serve(jobs=1, faults=(Fault("503", 0.3), Fault("429", 0.2)), seed=seed) as sandbox:
            return [fetch_jobs(http, sandbox, path).status_code for _ in range(30)]

    first = statuses(7)
    assert first == statuses(7)
    assert first != statuses(8)
    assert set(first) == {200, 429, 503}


def test_faults_are_parsed_and_validated() -> None:
    assert Fault.parse("503") == Fault("503", 1.0)
    assert Fault.parse("503:0.25") == Fault("503", 0.25)
    for text, words in (
        ("501", "unknown fault '501'"),
        ("503:often", "such as 0.2"),
        ("503:0", "above 0"),
        ("503:1.1", "at most 1"),
        ("503:nan", "above 0"),
    ):
        with pytest.raises(ValueError, match=words):
            Fault.parse(text)
    assert all(Fault(kind) for kind in FAULT_KINDS)


@pytest.mark.parametrize("wrong", [{"jobs": -1}, {"latency": -0.1}, {"latency": float("nan")}])
def test_settings_are_validated(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        SandboxSettings(**wrong)  # type: ignore[arg-type]


def test_latency_does_not_drop_a_large_request(http: httpx.Client, path: Path_) -> None:
    with serve(jobs=1, latency=0.05) as sandbox:
        body = b"x" * 2 * MAX_BODY_BYTES
        assert http.post(sandbox.url + path(sandbox.project_id), content=body).status_code == 413
