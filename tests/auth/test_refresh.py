"""Keys with an end: renewed early and once, by threads and by tasks, and what happens when that fails."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from metastudio.auth import refresh
from metastudio.auth.aksk import EARLY, LATE, AkSkAuth, Clock
from metastudio.auth.credentials import Credentials
from metastudio.errors import ApiConnectionError, CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2024, 7, 4, 8, 0, 0, tzinfo=UTC)
LIFE = timedelta(hours=6)
MARGIN = timedelta(seconds=1)


class Machine:
    """A settable time, and a provider whose keys live for `LIFE` from when they are given."""

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
        """One request signed by a sync flow; the number of its keys."""
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
    """The number of the keys: that of the access key and of the token must be one."""
    access_key = request.headers["Authorization"].partition("Access=AK")[2].partition(",")[0]
    assert request.headers["X-Security-Token"] == "ST" + access_key
    return access_key


# When


def test_keys_are_kept_until_early_before_their_end() -> None:
    machine = Machine()
    assert [machine.sign(), machine.sign()] == ["0001", "0001"]
    machine.now = START + LIFE - EARLY - MARGIN
    assert machine.sign() == "0001"
    machine.now = START + LIFE - EARLY
    assert machine.sign() == "0002"
    assert machine.calls == 2


@pytest.mark.parametrize("before_end", [EARLY, LATE, MARGIN])
def test_a_failing_early_renewal_leaves_the_old_keys_and_is_not_tried_at_every_call(
    before_end: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine()
    machine.sign()
    machine.now = START + LIFE - before_end
    machine.failure = CredentialsError("unwell")
    assert [machine.sign(), machine.sign()] == ["0001", "0001"]
    assert machine.calls == 2
    assert "renewed early, the old ones are still good: unwell" in caplog.text
    machine.failure = None
    machine.now += refresh.HOLD_OFF
    assert machine.sign() == "0003"


def test_ended_keys_are_never_used() -> None:
    machine = Machine()
    machine.sign()
    machine.now = START + LIFE
    machine.failure = CredentialsError("unwell")
    with pytest.raises(CredentialsError, match="unwell"):
        machine.sign()


def test_keys_that_live_short_are_not_asked_for_at_every_call() -> None:
    machine = Machine(life=timedelta(minutes=15))
    machine.sign()
    machine.now += timedelta(seconds=59)
    assert machine.sign() == "0001"
    machine.now += timedelta(seconds=1)
    assert machine.sign() == "0002"


def test_keys_without_an_end_are_kept() -> None:
    calls: list[int] = []

    def provide() -> Credentials:
        calls.append(1)
        return Credentials("AK", "SK")

    machine = Machine()
    auth = AkSkAuth.from_provider(provide, clock=Clock(lambda: machine.now))
    for days in (0, 1000):
        machine.now = START + timedelta(days=days)
        flow = auth.sync_auth_flow(httpx.Request("GET", "http://127.0.0.1/"))
        next(flow)
        flow.close()
    assert len(calls) == 1


# Once


def test_many_threads_ask_once() -> None:
    machine = Machine()
    together = threading.Barrier(32)

    def sign() -> str:
        together.wait()
        return machine.sign()

    with ThreadPoolExecutor(32) as pool:
        for number in ("0001", "0002"):
            futures = [pool.submit(sign) for _ in range(32)]
            assert {future.result() for future in futures} == {number}
            machine.now += LIFE
    assert machine.calls == 2


def test_many_tasks_ask_once_and_in_every_new_loop() -> None:
    machine = Machine()

    async def all_at_once() -> set[str]:
        return set(await asyncio.gather(*(machine.asign() for _ in range(1000))))

    for number in ("0001", "0002", "0003"):
        assert asyncio.run(all_at_once()) == {number}
        machine.now += LIFE
    assert machine.calls == 3


def test_threads_and_tasks_share_one_renewal() -> None:
    machine = Machine()
    asked, answer = threading.Event(), threading.Event()

    def before() -> None:
        asked.set()
        assert answer.wait(10)

    machine.before = before

    async def tasks() -> list[str]:
        waiting = [asyncio.create_task(machine.asign()) for _ in range(10)]
        await asyncio.sleep(0)
        answer.set()
        return await asyncio.gather(*waiting)

    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(machine.sign)
        assert asked.wait(10)
        follower = pool.submit(machine.sign)
        numbers = {*asyncio.run(tasks()), leader.result(), follower.result()}
    assert numbers == {"0001"}
    assert machine.calls == 1


@pytest.mark.parametrize(("before_end", "number"), [(EARLY, "0001"), (LATE, "0002")])
def test_others_wait_for_a_renewal_only_when_it_is_late(before_end: timedelta, number: str) -> None:
    machine = Machine()
    machine.sign()
    machine.now = START + LIFE - before_end
    asked, answer = threading.Event(), threading.Event()

    def before() -> None:
        asked.set()
        assert answer.wait(10)

    machine.before = before
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(machine.sign)
        assert asked.wait(10)
        follower = pool.submit(machine.sign)
        if number == "0001":
            assert follower.result(10) == "0001"
        answer.set()
        assert (leader.result(), follower.result()) == ("0002", number)


def test_who_waits_for_a_renewal_that_fails_uses_the_old_keys_too() -> None:
    machine = Machine()
    machine.sign()
    machine.now = START + LIFE - LATE
    machine.failure = CredentialsError("unwell")

    async def all_at_once() -> list[str]:
        return await asyncio.gather(*(machine.asign() for _ in range(5)))

    assert asyncio.run(all_at_once()) == ["0001"] * 5
    assert machine.calls == 2


def test_the_event_loop_runs_on_while_a_provider_blocks() -> None:
    machine = Machine()
    answer = threading.Event()
    machine.before = lambda: answer.wait(10)

    async def main() -> str:
        waiting = asyncio.create_task(machine.asign())
        await asyncio.sleep(0)
        answer.set()  # not reached while the loop is blocked
        return await waiting

    assert asyncio.run(main()) == "0001"


# When it goes wrong


def test_a_failure_is_everybodys_and_not_repeated_by_each() -> None:
    machine = Machine()
    machine.failure = CredentialsError("nothing found")

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(machine.asign() for _ in range(100)), return_exceptions=True)

    errors = asyncio.run(all_at_once())
    assert {type(error) for error in errors} == {CredentialsError}
    assert machine.calls == 1


def test_a_provider_may_fail_with_a_timeout() -> None:
    machine = Machine()
    machine.failure = TimeoutError("vault")

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(machine.asign() for _ in range(3)), return_exceptions=True)

    assert [str(error) for error in asyncio.run(all_at_once())] == ["vault"] * 3
    assert machine.calls == 1


def test_a_cancelled_leader_is_replaced() -> None:
    machine = Machine()
    asked, answer = threading.Event(), threading.Event()

    def before() -> None:
        asked.set()
        assert answer.wait(10)

    machine.before = before

    async def main() -> list[str]:
        leader = asyncio.create_task(machine.asign())
        await asyncio.to_thread(asked.wait, 10)
        followers = [asyncio.create_task(machine.asign()) for _ in range(5)]
        await asyncio.sleep(0)
        leader.cancel()
        answer.set()
        with pytest.raises(asyncio.CancelledError):
            await leader
        return await asyncio.gather(*followers)

    assert len(set(asyncio.run(main()))) == 1
    assert machine.calls == 2


def test_a_cancelled_follower_harms_nobody() -> None:
    machine = Machine()
    asked, answer = threading.Event(), threading.Event()

    def before() -> None:
        asked.set()
        assert answer.wait(10)

    machine.before = before

    async def main() -> list[str]:
        leader = asyncio.create_task(machine.asign())
        await asyncio.to_thread(asked.wait, 10)
        cancelled, follower = (asyncio.create_task(machine.asign()) for _ in range(2))
        await asyncio.sleep(0)
        cancelled.cancel()
        answer.set()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        return [await leader, await follower]

    assert asyncio.run(main()) == ["0001", "0001"]
    assert machine.calls == 1


def test_a_lost_leader_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a fork, or when the leader is a task of the very loop that a sync call blocks."""
    monkeypatch.setattr(refresh, "PATIENCE", 0.01)
    machine = Machine()
    asked, answer = threading.Event(), threading.Event()

    def before() -> None:
        if machine.calls == 0 and not asked.is_set():
            asked.set()
            assert answer.wait(10)

    machine.before = before
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(machine.sign)
        assert asked.wait(10)
        assert machine.sign() == "0001"
        answer.set()
        lost.result()
    assert machine.calls == 2


def test_leaders_that_get_no_answer_do_not_line_up_for_ever() -> None:
    """A flow that httpx drops, because its request got no answer, hands on to the next; three times is enough."""
    held: refresh.Renewal[str] = refresh.Renewal()

    def renew() -> Any:
        yield httpx.Request("GET", "http://127.0.0.1/")

    def lead() -> Any:
        steps = held.get(renew)
        next(steps)
        return steps

    leader = lead()
    follower = held.get(renew)
    wait: Any = next(follower)
    for _ in range(2):
        leader.close()
        leader = lead()
        with pytest.raises(BaseException) as caught:
            wait.run()
        wait = follower.throw(caught.value)
    leader.close()
    with pytest.raises(BaseException) as caught:
        wait.run()
    with pytest.raises(ApiConnectionError, match="several times"):
        follower.throw(caught.value)
