"""`wait`: what ends it, which errors it tolerates, how long it pauses; sync and async alike."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

import httpx
import pytest
from fault_server import FaultServer, stall
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio import AsyncMetaStudio, Credentials, MetaStudio, errors
from metastudio.contract.operation import State
from metastudio.lists import WaitOptions
from metastudio.lists import waiter as waiter_module
from metastudio.lists.waiter import async_wait, wait
from simulated_lists import OPERATION, Job, job

Outcome = Job | errors.MetaStudioError | None


def in_state(state: str) -> Job:
    return job(1, state=state)


class ScriptedPolls:
    """Gives each poll the next outcome, and the last one for ever. A poll takes no time, or `takes` seconds."""

    def __init__(self, *outcomes: Outcome, takes: float = 0.0, random: float = 0.5) -> None:
        self.outcomes = list(outcomes)
        self.polled_at: list[float] = []
        self.slept: list[float] = []
        self.now = 0.0
        self._takes = takes
        self._random = random

    def poll(self, seconds: float) -> Job | None:
        self.polled_at.append(self.now)
        self.now += self._takes
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, errors.MetaStudioError):
            raise outcome
        return outcome

    async def async_poll(self, seconds: float) -> Job | None:
        return self.poll(seconds)

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        assert len(self.slept) < 1000, "the wait does not end"
        self.slept.append(seconds)
        self.now += seconds

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def clock(self) -> float:
        return self.now

    def random(self) -> float:
        return self._random


class WaitForJob(Protocol):
    def __call__(self, polls: ScriptedPolls, **given: Any) -> Job: ...


def options(**given: Any) -> WaitOptions:
    chosen: dict[str, Any] = {"timeout": 3600.0, **given}
    return WaitOptions(**chosen)


def wait_blocking(polls: ScriptedPolls, **given: Any) -> Job:
    return wait(
        OPERATION,
        polls.poll,
        "0001",
        options(**given),
        clock=polls.clock,
        sleep=polls.sleep,
        random=polls.random,
    )


def wait_in_task(polls: ScriptedPolls, **given: Any) -> Job:
    waiting = async_wait(
        OPERATION,
        polls.async_poll,
        "0001",
        options(**given),
        clock=polls.clock,
        sleep=polls.async_sleep,
        random=polls.random,
    )
    return asyncio.run(waiting)


@pytest.fixture(params=[wait_blocking, wait_in_task], ids=["sync", "async"])
def wait_for_job(request: pytest.FixtureRequest) -> WaitForJob:
    found: WaitForJob = request.param
    return found


def limited(retry_after: float | None) -> errors.RateLimitError:
    error = errors.RateLimitError(429, "APIGW.0308", "throttled")
    error.retry_after = retry_after
    return error


def test_returns_the_item_once_it_settles(wait_for_job: WaitForJob) -> None:
    done = in_state("JOB_SUCCESS")
    polls = ScriptedPolls(in_state("TRAINING"), in_state("TRAINING"), done)
    assert wait_for_job(polls) is done
    assert len(polls.polled_at) == 3


def test_the_contract_says_which_states_have_settled(wait_for_job: WaitForJob) -> None:
    settled = [name for name, state in OPERATION.states.items() if state.at_rest]
    assert 0 < len(settled) < len(OPERATION.states)
    for name in OPERATION.states:
        polls = ScriptedPolls(in_state(name), in_state("JOB_FINISH"))
        assert wait_for_job(polls).state == (name if name in settled else "JOB_FINISH")


def test_states_of_another_contract() -> None:
    pots = replace(OPERATION, states={"BREWED": State("done", at_rest=True, ended=None)}, state_property="/name")
    polls = ScriptedPolls(job(1), brewed := job(2))
    brewed.name = "BREWED"
    found = wait(pots, polls.poll, "0002", options(), clock=polls.clock, sleep=polls.sleep)
    assert found is brewed
    with pytest.raises(ValueError, match="no states to wait for"):
        wait(replace(OPERATION, states={}, state_property=None), polls.poll, "0002", options())


def test_unknown_states_have_not_settled(wait_for_job: WaitForJob) -> None:
    polls = ScriptedPolls(in_state("WAIT_MASK_UPLOAD"), in_state(""), in_state("JOB_FINISH"))
    assert wait_for_job(polls).state == "JOB_FINISH"


def test_until_adds_states_that_end_the_wait(wait_for_job: WaitForJob) -> None:
    assert (
        wait_for_job(ScriptedPolls(in_state("AUTO_VERIFYING"), in_state("TRAINING")), until=["TRAINING"]).state
        == "TRAINING"
    )
    assert wait_for_job(ScriptedPolls(in_state("JOB_FINISH")), until={"TRAINING"}).state == "JOB_FINISH"
    assert wait_for_job(ScriptedPolls(in_state("COMPILING")), until=("COMPILING",)).state == "COMPILING"


def test_on_change_is_called_once_for_each_change(wait_for_job: WaitForJob) -> None:
    states = ["AUTO_VERIFYING", "AUTO_VERIFYING", "TRAINING", "TRAINING", "AUTO_VERIFYING", "JOB_FINISH"]
    seen = list[str]()
    wait_for_job(ScriptedPolls(*map(in_state, states)), on_change=lambda each: seen.append(each.state))
    assert seen == ["AUTO_VERIFYING", "TRAINING", "AUTO_VERIFYING", "JOB_FINISH"]


def test_on_change_is_called_for_a_job_without_state(wait_for_job: WaitForJob) -> None:
    stateless: Any = in_state("TRAINING")
    stateless.state = None
    seen = list[Any]()
    wait_for_job(
        ScriptedPolls(stateless, stateless, in_state("JOB_FINISH")), on_change=lambda each: seen.append(each.state)
    )
    assert seen == [None, "JOB_FINISH"]


def test_on_change_may_be_a_coroutine_function() -> None:
    seen = list[str]()

    async def on_change(each: Job) -> None:
        await asyncio.sleep(0)
        seen.append(each.state)

    wait_in_task(ScriptedPolls(in_state("TRAINING"), in_state("JOB_FINISH")), on_change=on_change)
    assert seen == ["TRAINING", "JOB_FINISH"]


def test_an_error_in_on_change_ends_the_wait(wait_for_job: WaitForJob) -> None:
    def on_change(_: Job) -> None:
        raise LookupError("mine")

    polls = ScriptedPolls(in_state("TRAINING"))
    with pytest.raises(LookupError, match="mine"):
        wait_for_job(polls, on_change=on_change)
    assert polls.slept == []


# Pauses


def test_pauses_grow_up_to_a_minute(wait_for_job: WaitForJob) -> None:
    polls = ScriptedPolls(*[in_state("TRAINING")] * 10, in_state("JOB_FINISH"))
    wait_for_job(polls)
    assert polls.slept == pytest.approx([5, 7.5, 11.25, 16.875, 25.3125, 37.96875, 56.953125, 60, 60, 60])


@pytest.mark.parametrize(("random", "first"), [(0.0, 4.0), (0.999999, 6.0)])
def test_pauses_are_jittered(wait_for_job: WaitForJob, random: float, first: float) -> None:
    polls = ScriptedPolls(in_state("TRAINING"), in_state("JOB_FINISH"), random=random)
    wait_for_job(polls)
    assert polls.slept == pytest.approx([first], rel=1e-3)


def test_an_interval_above_a_minute_is_kept(wait_for_job: WaitForJob) -> None:
    polls = ScriptedPolls(*[in_state("TRAINING")] * 3, in_state("JOB_FINISH"))
    wait_for_job(polls, poll=300)
    assert polls.slept == [300, 300, 300]


def test_the_last_poll_is_at_the_deadline(wait_for_job: WaitForJob) -> None:
    training = in_state("TRAINING")
    polls = ScriptedPolls(in_state("AUTO_VERIFYING"), training)
    with pytest.raises(
        errors.WaitTimeoutError, match="0001 did not settle within 30 s; last state: TRAINING"
    ) as raised:
        wait_for_job(polls, timeout=30)
    assert raised.value.job is training
    assert polls.polled_at == pytest.approx([0, 5, 12.5, 23.75, 30])
    assert sum(polls.slept) == pytest.approx(30)


def test_the_time_of_slow_polls_counts(wait_for_job: WaitForJob) -> None:
    polls = ScriptedPolls(in_state("TRAINING"), takes=40)
    with pytest.raises(errors.WaitTimeoutError):
        wait_for_job(polls, timeout=30)
    assert polls.slept == []


def test_an_infinite_timeout(wait_for_job: WaitForJob) -> None:
    polls = ScriptedPolls(*[in_state("TRAINING")] * 500, in_state("JOB_FINISH"))
    assert wait_for_job(polls, timeout=math.inf).state == "JOB_FINISH"


# Errors


@pytest.mark.parametrize(
    "error",
    [
        errors.ApiConnectionError("reset"),
        errors.ApiTimeoutError("late"),
        errors.ServerError(503, None, "down"),
        limited(None),
    ],
    ids=lambda error: type(error).__name__,
)
def test_transient_errors_do_not_end_the_wait(wait_for_job: WaitForJob, error: errors.MetaStudioError) -> None:
    polls = ScriptedPolls(error, in_state("TRAINING"), error, error, in_state("JOB_FINISH"))
    assert wait_for_job(polls).state == "JOB_FINISH"
    assert len(polls.polled_at) == 5


@pytest.mark.parametrize(
    "error",
    [
        errors.AuthenticationError(401),
        errors.BadRequestError(400),
        errors.PermissionDeniedError(403),
        errors.NotFoundError(404),
        errors.CredentialsError("none"),
        errors.ConfigurationError("closed"),
        errors.ListChangedError("odd"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_errors_end_the_wait_at_once(wait_for_job: WaitForJob, error: errors.MetaStudioError) -> None:
    polls = ScriptedPolls(in_state("TRAINING"), error)
    with pytest.raises(type(error)) as raised:
        wait_for_job(polls)
    assert raised.value is error
    assert len(polls.polled_at) == 2


def test_a_job_that_does_not_exist(wait_for_job: WaitForJob) -> None:
    polls = ScriptedPolls(None)
    with pytest.raises(errors.JobNotFoundError) as raised:
        wait_for_job(polls)
    assert raised.value.job_id == "0001"
    assert len(polls.polled_at) == 1


def test_a_job_that_disappears(wait_for_job: WaitForJob) -> None:
    polls = ScriptedPolls(in_state("TRAINING"), errors.ServerError(500), None)
    with pytest.raises(errors.JobNotFoundError):
        wait_for_job(polls)
    assert len(polls.polled_at) == 3


def test_retry_after_extends_the_pause(wait_for_job: WaitForJob) -> None:
    polls = ScriptedPolls(limited(40.0), limited(1.0), in_state("JOB_FINISH"))
    wait_for_job(polls)
    assert polls.slept == [40.0, 7.5]


def test_retry_after_extends_one_pause_only(wait_for_job: WaitForJob) -> None:
    polls = ScriptedPolls(limited(40.0), in_state("TRAINING"), in_state("JOB_FINISH"))
    wait_for_job(polls)
    assert polls.slept == [40.0, 7.5]


def test_retry_after_beyond_the_deadline_ends_the_wait(wait_for_job: WaitForJob) -> None:
    training, refusal = in_state("TRAINING"), limited(100.0)
    polls = ScriptedPolls(training, refusal)
    with pytest.raises(errors.WaitTimeoutError, match="throttled") as raised:
        wait_for_job(polls, timeout=60)
    assert raised.value.job is training
    assert raised.value.__cause__ is refusal
    assert polls.slept == [5.0]


def test_errors_until_the_deadline(wait_for_job: WaitForJob) -> None:
    error = errors.ServerError(500, "MSS.00000004", "broken")
    with pytest.raises(errors.WaitTimeoutError, match=r"never seen.*MSS\.00000004") as raised:
        wait_for_job(ScriptedPolls(error), timeout=20)
    assert raised.value.job is None
    assert raised.value.__cause__ is error


# Ctrl-C


def test_an_interrupt_is_not_caught() -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    polls = ScriptedPolls(in_state("TRAINING"))
    with pytest.raises(KeyboardInterrupt):
        wait(OPERATION, polls.poll, "0001", options(), clock=polls.clock, sleep=interrupted)


@pytest.mark.anyio
async def test_a_wait_can_be_cancelled() -> None:
    polled = asyncio.Event()

    async def poll(seconds: float) -> Job:
        polled.set()
        return in_state("TRAINING")

    task = asyncio.create_task(async_wait(OPERATION, poll, "0001", options()))
    await polled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# The whole client over HTTP


def answering(states: Iterator[str]) -> Callable[[ReceivedRequest], CannedResponse]:
    def answer(request: ReceivedRequest) -> CannedResponse:
        state = next(states) if "job_id=0001&" in request.target else None
        body = {"count": int(state is not None), "jobs": [in_state(state).to_dict()] if state else []}
        return CannedResponse(
            body=json.dumps(body).encode(), headers={"X-Request-Id": "1", "Content-Type": "application/json"}
        )

    return answer


def settings(url: str) -> Any:
    return {"base_url": url, "project_id": "p", "credentials": Credentials("AK", "SK")}


def test_the_client_waits_and_finds_over_http() -> None:
    seen = list[Any]()
    states = iter(["TRAINING", "JOB_SUCCESS", "JOB_FINISH"])
    with serve(answering(states)) as http, MetaStudio(**settings(http.url)) as studio:
        found = studio.training_jobs.wait("0001", 60, poll=0.001, on_change=lambda each: seen.append(each.state))
        assert found.state == "JOB_SUCCESS"
        assert seen == ["TRAINING", "JOB_SUCCESS"]
        again = studio.training_jobs.find("0001")
        assert again is not None
        assert again.state == "JOB_FINISH"
        assert studio.training_jobs.find("0002") is None
        with pytest.raises(errors.JobNotFoundError):
            studio.training_jobs.wait("0002", 60)


@pytest.mark.anyio
async def test_the_client_waits_and_finds_over_http_async() -> None:
    states = iter(["TRAINING", "JOB_SUCCESS", "JOB_FINISH"])
    with serve(answering(states)) as http:
        async with AsyncMetaStudio(**settings(http.url)) as studio:
            assert (await studio.training_jobs.wait("0001", 60, poll=0.001)).state == "JOB_SUCCESS"
            assert (await studio.training_jobs.find("0001")) is not None
            assert await studio.training_jobs.find("0002") is None


def test_the_client_waits_with_infinite_timeouts() -> None:
    endless: Any = {"timeout": httpx.Timeout(None)}
    with serve(answering(iter(["JOB_SUCCESS"]))) as http, MetaStudio(**settings(http.url), **endless) as studio:
        assert studio.training_jobs.wait("0001", math.inf).state == "JOB_SUCCESS"


def test_a_hanging_server_does_not_delay_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiter_module, "LAST_POLL", 0.2)
    with FaultServer([stall()]) as server, MetaStudio(**settings(server.url), timeout=60.0) as studio:
        with pytest.raises(errors.WaitTimeoutError, match="never seen; the last poll failed") as raised:
            studio.training_jobs.wait("0001", 0.1, poll=0.1)
        assert isinstance(raised.value.__cause__, errors.ApiTimeoutError)


@pytest.mark.anyio
async def test_a_hanging_server_does_not_delay_the_end_async(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiter_module, "LAST_POLL", 0.2)
    with FaultServer([stall()]) as server:
        async with AsyncMetaStudio(**settings(server.url), timeout=60.0) as studio:
            with pytest.raises(errors.WaitTimeoutError, match="never seen; the last poll failed") as raised:
                await studio.training_jobs.wait("0001", 0.1, poll=0.1)
            assert isinstance(raised.value.__cause__, errors.ApiTimeoutError)
