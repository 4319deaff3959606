"""Expiring credentials: refreshed in time and once, by threads and tasks, and failures of the refresh."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from metastudio.auth import AkSkAuth, Clock, Credentials, refresh
from metastudio.auth.aksk import ADVISORY_WINDOW, MANDATORY_WINDOW
from metastudio.errors import ApiConnectionError, CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2024, 7, 4, 8, 0, 0, tzinfo=UTC)
LIFE = timedelta(hours=6)
MARGIN = timedelta(seconds=1)


class ExpiringProvider:
    """A clock that tests set, and credentials that expire `life` after they are provided."""

    def __init__(self, life: timedelta = LIFE) -> None:
        self.now = START
        self.life = life
        self.calls = 0
        self.failure: Exception | None = None
        self.before: Callable[[], object] = lambda: None
        self.auth = AkSkAuth.from_provider(self.provide, clock=Clock(lambda: self.now))

    def provide(self) -> Credentials:
        self.before()
        self.calls += 1
        if self.failure:
            raise self.failure
        number = f"{self.calls:04}"
        return Credentials("AK" + number, "SK" + number, "ST" + number, expires_at=self.now + self.life)

    def sign(self) -> str:
        """Sign one request with the sync flow and return the number of its credentials."""
        request = httpx.Request("GET", "http://127.0.0.1/")
        flow = self.auth.sync_auth_flow(request)
        next(flow)
        flow.close()
        return number_of(request)

    async def asign(self) -> str:
        request = httpx.Request("GET", "http://127.0.0.1/")
        flow = self.auth.async_auth_flow(request)
        await anext(flow)
        await flow.aclose()
        return number_of(request)


def number_of(request: httpx.Request) -> str:
    """Return the number of the credentials, which access key and security token share."""
    access_key = request.headers["Authorization"].partition("Access=AK")[2].partition(",")[0]
    assert request.headers["X-Security-Token"] == "ST" + access_key
    return access_key


# Windows


def test_refreshes_in_the_advisory_window() -> None:
    provider = ExpiringProvider()
    assert [provider.sign(), provider.sign()] == ["0001", "0001"]
    provider.now = START + LIFE - ADVISORY_WINDOW - MARGIN
    assert provider.sign() == "0001"
    provider.now = START + LIFE - ADVISORY_WINDOW
    assert provider.sign() == "0002"
    assert provider.calls == 2


@pytest.mark.parametrize("before_end", [ADVISORY_WINDOW, MANDATORY_WINDOW, MARGIN])
def test_failed_refresh_keeps_the_old_credentials_and_backs_off(
    before_end: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    provider = ExpiringProvider()
    provider.sign()
    provider.now = START + LIFE - before_end
    provider.failure = CredentialsError("unwell")
    assert [provider.sign(), provider.sign()] == ["0001", "0001"]
    assert provider.calls == 2
    assert "could not be refreshed; the old ones have not expired: unwell" in caplog.text
    provider.failure = None
    provider.now += refresh.BACKOFF
    assert provider.sign() == "0003"


def test_never_uses_expired_credentials() -> None:
    provider = ExpiringProvider()
    provider.sign()
    provider.now = START + LIFE
    provider.failure = CredentialsError("unwell")
    with pytest.raises(CredentialsError, match="unwell"):
        provider.sign()


def test_backs_off_between_refreshes_of_short_lived_credentials() -> None:
    provider = ExpiringProvider(life=timedelta(minutes=15))
    provider.sign()
    provider.now += timedelta(seconds=59)
    assert provider.sign() == "0001"
    provider.now += timedelta(seconds=1)
    assert provider.sign() == "0002"


def test_does_not_refresh_credentials_that_do_not_expire() -> None:
    calls: list[int] = []

    def provide() -> Credentials:
        calls.append(1)
        return Credentials("AK", "SK")

    provider = ExpiringProvider()
    auth = AkSkAuth.from_provider(provide, clock=Clock(lambda: provider.now))
    for days in (0, 1000):
        provider.now = START + timedelta(days=days)
        flow = auth.sync_auth_flow(httpx.Request("GET", "http://127.0.0.1/"))
        next(flow)
        flow.close()
    assert len(calls) == 1


# One refresh


def test_many_threads_share_one_refresh() -> None:
    provider = ExpiringProvider()
    together = threading.Barrier(32)

    def sign() -> str:
        together.wait()
        return provider.sign()

    with ThreadPoolExecutor(32) as pool:
        for number in ("0001", "0002"):
            futures = [pool.submit(sign) for _ in range(32)]
            assert {future.result() for future in futures} == {number}
            provider.now += LIFE
    assert provider.calls == 2


def test_many_tasks_share_one_refresh_in_any_event_loop() -> None:
    provider = ExpiringProvider()

    async def all_at_once() -> set[str]:
        return set(await asyncio.gather(*(provider.asign() for _ in range(1000))))

    for number in ("0001", "0002", "0003"):
        assert asyncio.run(all_at_once()) == {number}
        provider.now += LIFE
    assert provider.calls == 3


def test_threads_and_tasks_share_one_refresh() -> None:
    provider = ExpiringProvider()
    asked, answer = threading.Event(), threading.Event()

    def before() -> None:
        asked.set()
        assert answer.wait(10)

    provider.before = before

    async def tasks() -> list[str]:
        waiting = [asyncio.create_task(provider.asign()) for _ in range(10)]
        await asyncio.sleep(0)
        answer.set()
        return await asyncio.gather(*waiting)

    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(provider.sign)
        assert asked.wait(10)
        follower = pool.submit(provider.sign)
        numbers = {*asyncio.run(tasks()), leader.result(), follower.result()}
    assert numbers == {"0001"}
    assert provider.calls == 1


@pytest.mark.parametrize(("before_end", "number"), [(ADVISORY_WINDOW, "0001"), (MANDATORY_WINDOW, "0002")])
def test_others_wait_only_in_the_mandatory_window(before_end: timedelta, number: str) -> None:
    provider = ExpiringProvider()
    provider.sign()
    provider.now = START + LIFE - before_end
    asked, answer = threading.Event(), threading.Event()

    def before() -> None:
        asked.set()
        assert answer.wait(10)

    provider.before = before
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(provider.sign)
        assert asked.wait(10)
        follower = pool.submit(provider.sign)
        if number == "0001":
            assert follower.result(10) == "0001"
        answer.set()
        assert (leader.result(), follower.result()) == ("0002", number)


def test_followers_use_the_old_credentials_if_the_refresh_fails() -> None:
    provider = ExpiringProvider()
    provider.sign()
    provider.now = START + LIFE - MANDATORY_WINDOW
    provider.failure = CredentialsError("unwell")

    async def all_at_once() -> list[str]:
        return await asyncio.gather(*(provider.asign() for _ in range(5)))

    assert asyncio.run(all_at_once()) == ["0001"] * 5
    assert provider.calls == 2


def test_a_blocking_provider_does_not_block_the_event_loop() -> None:
    provider = ExpiringProvider()
    answer = threading.Event()
    provider.before = lambda: answer.wait(10)

    async def main() -> str:
        waiting = asyncio.create_task(provider.asign())
        await asyncio.sleep(0)
        answer.set()  # not reached while the loop is blocked
        return await waiting

    assert asyncio.run(main()) == "0001"


# Failures


def test_a_failed_refresh_fails_all_waiting_requests() -> None:
    provider = ExpiringProvider()
    provider.failure = CredentialsError("nothing found")

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(provider.asign() for _ in range(100)), return_exceptions=True)

    errors = asyncio.run(all_at_once())
    assert {type(error) for error in errors} == {CredentialsError}
    assert provider.calls == 1


def test_raises_a_timeout_of_the_provider() -> None:
    provider = ExpiringProvider()
    provider.failure = TimeoutError("vault")

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(provider.asign() for _ in range(3)), return_exceptions=True)

    assert [str(error) for error in asyncio.run(all_at_once())] == ["vault"] * 3
    assert provider.calls == 1


def test_replaces_a_cancelled_leader() -> None:
    provider = ExpiringProvider()
    asked, answer = threading.Event(), threading.Event()

    def before() -> None:
        asked.set()
        assert answer.wait(10)

    provider.before = before

    async def main() -> list[str]:
        leader = asyncio.create_task(provider.asign())
        await asyncio.to_thread(asked.wait, 10)
        followers = [asyncio.create_task(provider.asign()) for _ in range(5)]
        await asyncio.sleep(0)
        leader.cancel()
        answer.set()
        with pytest.raises(asyncio.CancelledError):
            await leader
        return await asyncio.gather(*followers)

    assert len(set(asyncio.run(main()))) == 1
    assert provider.calls == 2


def test_a_cancelled_follower_affects_no_other_request() -> None:
    provider = ExpiringProvider()
    asked, answer = threading.Event(), threading.Event()

    def before() -> None:
        asked.set()
        assert answer.wait(10)

    provider.before = before

    async def main() -> list[str]:
        leader = asyncio.create_task(provider.asign())
        await asyncio.to_thread(asked.wait, 10)
        cancelled, follower = (asyncio.create_task(provider.asign()) for _ in range(2))
        await asyncio.sleep(0)
        cancelled.cancel()
        answer.set()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        return [await leader, await follower]

    assert asyncio.run(main()) == ["0001", "0001"]
    assert provider.calls == 1


def test_replaces_a_stuck_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    """The leader may be a task of the very event loop that a sync request blocks."""
    monkeypatch.setattr(refresh, "LEADER_TIMEOUT", 0.01)
    provider = ExpiringProvider()
    asked, answer = threading.Event(), threading.Event()

    def before() -> None:
        if provider.calls == 0 and not asked.is_set():
            asked.set()
            assert answer.wait(10)

    provider.before = before
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(provider.sign)
        assert asked.wait(10)
        assert provider.sign() == "0001"
        answer.set()
        lost.result()
    assert provider.calls == 2


def test_gives_up_after_several_lost_leaders() -> None:
    """httpx closes a flow whose request gets no response, and the next request becomes the leader."""
    token = refresh.RefreshableValue[str](lambda: START)

    def login() -> Any:
        yield httpx.Request("GET", "http://127.0.0.1/")

    def lead() -> Any:
        steps = token.get(login)
        next(steps)
        return steps

    leader = lead()
    follower = token.get(login)
    wait: Any = next(follower)
    for _ in range(2):
        leader.close()
        leader = lead()
        wait.run()
        wait = follower.send(None)
    leader.close()
    wait.run()
    with pytest.raises(ApiConnectionError, match="several requests in a row"):
        follower.send(None)


def test_unreachable_iam_in_the_advisory_window_leaves_the_old_token_in_use() -> None:
    """httpx closes the flow of a login that gets no response."""
    now = START
    token = refresh.RefreshableValue[str](lambda: now, advisory=ADVISORY_WINDOW)
    token.set("old", START + LIFE)
    now = START + LIFE - MARGIN - refresh.BACKOFF

    def login() -> Any:
        yield httpx.Request("POST", "http://127.0.0.1/")

    leader = token.get(login)
    next(leader)
    leader.close()
    assert token.current() == "old"


def test_a_leader_lost_to_garbage_collection_in_a_waiting_thread_blocks_nothing() -> None:
    """A finalizer runs in any thread at any time, also in one that is about to claim or to finish a refresh."""
    token = refresh.RefreshableValue[str](lambda: START)

    def login() -> Any:
        yield httpx.Request("POST", "http://127.0.0.1/")

    class DroppedFlow:
        """Closes its flow when the garbage collector finds the cycle."""

        def __init__(self) -> None:
            self.me = self
            self.leader = token.get(login)
            next(self.leader)

    DroppedFlow()
    follower = token.get(login)
    wait: Any = next(follower)
    gc.collect()
    wait.run()
    assert isinstance(follower.send(None), httpx.Request)
    follower.close()


FORK = """
import os, threading
from metastudio.auth import AkSkAuth, Credentials, TokenAuth
import httpx

asked, answer = threading.Event(), threading.Event()

def provide():
    if threading.current_thread().name == "leader":
        asked.set()
        answer.wait(10)
    return Credentials("AK", "SK")

def sign():
    flow = auth.sync_auth_flow(httpx.Request("GET", "http://127.0.0.1/"))
    next(flow)
    flow.close()

auth = AkSkAuth.from_provider(provide)
leader = threading.Thread(target=sign, name="leader")
leader.start()
asked.wait(10)
if child := os.fork():
    status = os.waitpid(child, 0)[1]
    answer.set()
    leader.join()
    os._exit(os.waitstatus_to_exitcode(status))
sign()
os._exit(7)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_wait_for_a_refresh_of_its_parent() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], timeout=20, check=False)
    assert done.returncode == 7
