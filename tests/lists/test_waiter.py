"""Waiting: what ends it, what it survives, how it pauses; sync and async alike."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import httpx
import pytest
from fault_server import FaultServer, stall
from loopback import Answer, Received, serve
from metastudio import AsyncMetaStudio, Credentials, MetaStudio, errors
from metastudio.contract import operation
from metastudio.lists import waiter as waiting_module
from metastudio.lists.waiter import async_wait, wait
from metastudio_client._engine import WaitOptions
from metastudio_client.models.training_job_basic_info import TrainingJobBasicInfo
from simulated_lists import OPERATION, job

Job = TrainingJobBasicInfo
Step = Job | errors.MetaStudioError | None


def in_state(state: str) -> Job:
    return job(1, state=state)


def options(**given: Any) -> WaitOptions:
    plain: WaitOptions = {"timeout": 3600.0, "poll": 5.0, "on_change": None, "until": None}
    plain.update(given)  # type: ignore[typeddict-item]
    return plain


class Scene:
    """What the looks give, one after the other; the last one for ever. Looking takes no time, or `takes` seconds."""

    def __init__(self, *steps: Step, takes: float = 0.0, random: float = 0.5) -> None:
        self.steps = list(steps)
        self.looks: list[float] = []
        self.slept: list[float] = []
        self.now = 0.0
        self._takes = takes
        self._random = random

    def look(self) -> Job | None:
        self.looks.append(self.now)
        self.now += self._takes
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, errors.MetaStudioError):
            raise step
        return step

    async def alook(self) -> Job | None:
        return self.look()

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        assert len(self.slept) < 1000, "waits without end"
        self.slept.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def clock(self) -> float:
        return self.now

    def random(self) -> float:
        return self._random


class Wait(Protocol):
    def __call__(self, scene: Scene, **given: Any) -> Job: ...


def _wait(scene: Scene, **given: Any) -> Job:
    return wait(
        OPERATION,
        scene.look,
        "0001",
        clock=scene.clock,
        sleep=scene.sleep,
        random=scene.random,
        **options(**given),
    )


def _async_wait(scene: Scene, **given: Any) -> Job:
    waiting = async_wait(
        OPERATION,
        scene.alook,
        "0001",
        clock=scene.clock,
        sleep=scene.asleep,
        random=scene.random,
        **options(**given),
    )
    return asyncio.run(waiting)


@pytest.fixture(params=[_wait, _async_wait], ids=["sync", "async"])
def waiting(request: pytest.FixtureRequest) -> Wait:
    found: Wait = request.param
    return found


def limited(retry_after: float | None) -> errors.RateLimitError:
    error = errors.RateLimitError(429, "APIGW.0308", "throttled")
    error.retry_after = retry_after
    return error


def test_returns_once_at_rest(waiting: Wait) -> None:
    done = in_state("JOB_SUCCESS")
    scene = Scene(in_state("TRAINING"), in_state("TRAINING"), done)
    assert waiting(scene) is done
    assert len(scene.looks) == 3


def test_what_is_at_rest_comes_from_the_contract(waiting: Wait) -> None:
    at_rest = [name for name, state in OPERATION.states.items() if state.at_rest]
    assert 0 < len(at_rest) < len(OPERATION.states)
    for name in OPERATION.states:
        scene = Scene(in_state(name), in_state("JOB_FINISH"))
        assert waiting(scene).state == (name if name in at_rest else "JOB_FINISH")


def test_another_contract_has_other_states() -> None:
    from metastudio_client.contract import OPERATIONS

    raw = json.loads(json.dumps(OPERATIONS["list_training_jobs"]))
    raw |= {"success": {}, "states": {"BREWED": {"phase": "done", "at_rest": True}}, "state_property": "/name"}
    pots = operation.read({"pots": raw})["pots"]
    scene = Scene(job(1), brewed := job(2))
    brewed.name = "BREWED"
    found = wait(pots, scene.look, "0002", clock=scene.clock, sleep=scene.sleep, **options())
    assert found is brewed
    raw |= {"states": {}, "state_property": None}
    with pytest.raises(ValueError, match="nothing that has states"):
        wait(operation.read({"pots": raw})["pots"], scene.look, "0002", **options())


def test_unknown_states_are_not_at_rest(waiting: Wait) -> None:
    scene = Scene(in_state("WAIT_MASK_UPLOAD"), in_state(""), in_state("JOB_FINISH"))
    assert waiting(scene).state == "JOB_FINISH"


def test_until_adds_states(waiting: Wait) -> None:
    assert waiting(Scene(in_state("AUTO_VERIFYING"), in_state("TRAINING")), until=["TRAINING"]).state == "TRAINING"
    assert waiting(Scene(in_state("JOB_FINISH")), until={"TRAINING"}).state == "JOB_FINISH"
    assert waiting(Scene(in_state("COMPILING")), until=("COMPILING",)).state == "COMPILING"


def test_on_change_hears_of_each_state_once(waiting: Wait) -> None:
    states = ["AUTO_VERIFYING", "AUTO_VERIFYING", "TRAINING", "TRAINING", "AUTO_VERIFYING", "JOB_FINISH"]
    heard = list[str]()
    waiting(Scene(*map(in_state, states)), on_change=lambda each: heard.append(each.state))
    assert heard == ["AUTO_VERIFYING", "TRAINING", "AUTO_VERIFYING", "JOB_FINISH"]


def test_on_change_hears_of_a_job_without_state(waiting: Wait) -> None:
    stateless: Any = in_state("TRAINING")
    stateless.state = None
    heard = list[Any]()
    waiting(Scene(stateless, stateless, in_state("JOB_FINISH")), on_change=lambda each: heard.append(each.state))
    assert heard == [None, "JOB_FINISH"]


def test_on_change_is_awaited_where_it_can_be() -> None:
    heard = list[str]()

    async def on_change(each: Job) -> None:
        await asyncio.sleep(0)
        heard.append(each.state)

    _async_wait(Scene(in_state("TRAINING"), in_state("JOB_FINISH")), on_change=on_change)
    assert heard == ["TRAINING", "JOB_FINISH"]


def test_an_error_of_on_change_ends_the_wait(waiting: Wait) -> None:
    def on_change(_: Job) -> None:
        raise LookupError("mine")

    scene = Scene(in_state("TRAINING"))
    with pytest.raises(LookupError, match="mine"):
        waiting(scene, on_change=on_change)
    assert scene.slept == []


# Pauses


def test_pauses_grow_up_to_a_minute(waiting: Wait) -> None:
    scene = Scene(*[in_state("TRAINING")] * 10, in_state("JOB_FINISH"))
    waiting(scene)
    assert scene.slept == pytest.approx([5, 7.5, 11.25, 16.875, 25.3125, 37.96875, 56.953125, 60, 60, 60])


@pytest.mark.parametrize(("random", "first"), [(0.0, 4.0), (0.999999, 6.0)])
def test_pauses_are_jittered(waiting: Wait, random: float, first: float) -> None:
    scene = Scene(in_state("TRAINING"), in_state("JOB_FINISH"), random=random)
    waiting(scene)
    assert scene.slept == pytest.approx([first], rel=1e-3)


def test_a_poll_above_a_minute_stays(waiting: Wait) -> None:
    scene = Scene(*[in_state("TRAINING")] * 3, in_state("JOB_FINISH"))
    waiting(scene, poll=300)
    assert scene.slept == [300, 300, 300]


def test_the_last_look_is_at_the_deadline(waiting: Wait) -> None:
    training = in_state("TRAINING")
    scene = Scene(in_state("AUTO_VERIFYING"), training)
    with pytest.raises(
        errors.WaitTimeoutError, match=r"0001 was not at rest after 30 s: last in state TRAINING"
    ) as raised:
        waiting(scene, timeout=30)
    assert raised.value.job is training
    assert scene.looks == pytest.approx([0, 5, 12.5, 23.75, 30])
    assert sum(scene.slept) == pytest.approx(30)


def test_slow_looks_count(waiting: Wait) -> None:
    scene = Scene(in_state("TRAINING"), takes=40)
    with pytest.raises(errors.WaitTimeoutError):
        waiting(scene, timeout=30)
    assert scene.slept == []


def test_without_end(waiting: Wait) -> None:
    scene = Scene(*[in_state("TRAINING")] * 500, in_state("JOB_FINISH"))
    assert waiting(scene, timeout=math.inf).state == "JOB_FINISH"


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
def test_errors_that_may_pass_are_survived(waiting: Wait, error: errors.MetaStudioError) -> None:
    scene = Scene(error, in_state("TRAINING"), error, error, in_state("JOB_FINISH"))
    assert waiting(scene).state == "JOB_FINISH"
    assert len(scene.looks) == 5


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
def test_other_errors_end_the_wait_at_once(waiting: Wait, error: errors.MetaStudioError) -> None:
    scene = Scene(in_state("TRAINING"), error)
    with pytest.raises(type(error)) as raised:
        waiting(scene)
    assert raised.value is error
    assert len(scene.looks) == 2


def test_a_job_that_is_not_there(waiting: Wait) -> None:
    scene = Scene(None)
    with pytest.raises(errors.JobNotFoundError) as raised:
        waiting(scene)
    assert raised.value.job_id == "0001"
    assert len(scene.looks) == 1


def test_a_job_that_disappears(waiting: Wait) -> None:
    scene = Scene(in_state("TRAINING"), errors.ServerError(500), None)
    with pytest.raises(errors.JobNotFoundError):
        waiting(scene)
    assert len(scene.looks) == 3


def test_the_server_may_ask_for_a_longer_pause(waiting: Wait) -> None:
    scene = Scene(limited(40.0), limited(1.0), in_state("JOB_FINISH"))
    waiting(scene)
    assert scene.slept == [40.0, 7.5]


def test_a_pause_asked_for_counts_only_until_the_next_look(waiting: Wait) -> None:
    scene = Scene(limited(40.0), in_state("TRAINING"), in_state("JOB_FINISH"))
    waiting(scene)
    assert scene.slept == [40.0, 7.5]


def test_a_pause_beyond_the_deadline_ends_the_wait(waiting: Wait) -> None:
    training, refusal = in_state("TRAINING"), limited(100.0)
    scene = Scene(training, refusal)
    with pytest.raises(errors.WaitTimeoutError, match="throttled") as raised:
        waiting(scene, timeout=60)
    assert raised.value.job is training
    assert raised.value.__cause__ is refusal
    assert scene.slept == [5.0]


def test_errors_until_the_end(waiting: Wait) -> None:
    error = errors.ServerError(500, "MSS.00000004", "broken")
    with pytest.raises(errors.WaitTimeoutError, match=r"never seen.*MSS\.00000004") as raised:
        waiting(Scene(error), timeout=20)
    assert raised.value.job is None
    assert raised.value.__cause__ is error


# Ctrl-C


def test_an_interrupt_goes_through() -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    scene = Scene(in_state("TRAINING"))
    with pytest.raises(KeyboardInterrupt):
        wait(OPERATION, scene.look, "0001", clock=scene.clock, sleep=interrupted, **options())


@pytest.mark.anyio
async def test_a_cancelled_wait_ends() -> None:
    looking = asyncio.Event()

    async def look() -> Job:
        looking.set()
        return in_state("TRAINING")

    task = asyncio.create_task(async_wait(OPERATION, look, "0001", **options()))
    await looking.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# Bad input

BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"timeout": 0}, ValueError, "timeout is a number of seconds above 0"),
    ({"timeout": -1}, ValueError, "timeout"),
    ({"timeout": math.nan}, ValueError, "timeout"),
    ({"timeout": None}, TypeError, "timeout is a number of seconds"),
    ({"timeout": True}, TypeError, "timeout"),
    ({"timeout": "60"}, TypeError, "timeout"),
    ({"poll": 0}, ValueError, "poll is a number of seconds above 0"),
    ({"poll": math.nan}, ValueError, "poll"),
    ({"poll": "1"}, TypeError, "poll"),
    ({"until": "JOB_FINISH"}, TypeError, r"until is a collection of states, for example \['JOB_FINISH'\]"),
]


@pytest.mark.parametrize(("given", "error", "message"), BAD, ids=str)
def test_bad_input_is_refused_before_the_first_look(
    waiting: Wait, given: dict[str, Any], error: type[Exception], message: str
) -> None:
    scene = Scene(in_state("JOB_FINISH"))
    with pytest.raises(error, match=message):
        waiting(scene, **given)
    assert scene.looks == []


# The whole client over HTTP


def answering(states: Iterator[str]) -> Callable[[Received], Answer]:
    def answer(request: Received) -> Answer:
        state = next(states) if "job_id=0001&" in request.target else None
        body = {"count": int(state is not None), "jobs": [in_state(state).to_dict()] if state else []}
        return Answer(body=json.dumps(body).encode(), headers={"X-Request-Id": "1", "Content-Type": "application/json"})

    return answer


def settings(url: str) -> Any:
    return {"base_url": url, "project_id": "p", "credentials": Credentials("AK", "SK")}


def test_the_client_waits_and_finds_over_http() -> None:
    heard = list[Any]()
    states = iter(["TRAINING", "JOB_SUCCESS", "JOB_FINISH"])
    with serve(answering(states)) as http, MetaStudio(**settings(http.url)) as studio:
        found = studio.training_jobs.wait("0001", 60, poll=0.001, on_change=lambda each: heard.append(each.state))
        assert found.state == "JOB_SUCCESS"
        assert heard == ["TRAINING", "JOB_SUCCESS"]
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


def test_the_client_waits_without_end_over_http() -> None:
    endless: Any = {"timeout": httpx.Timeout(None)}
    with serve(answering(iter(["JOB_SUCCESS"]))) as http, MetaStudio(**settings(http.url), **endless) as studio:
        assert studio.training_jobs.wait("0001", math.inf).state == "JOB_SUCCESS"


def test_a_server_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_module, "LAST_LOOK", 0.2)
    with FaultServer([stall()]) as server, MetaStudio(**settings(server.url), timeout=60.0) as studio:
        with pytest.raises(errors.WaitTimeoutError, match="never seen; the last look failed") as raised:
            studio.training_jobs.wait("0001", 0.1, poll=0.1)
        assert isinstance(raised.value.__cause__, errors.ApiTimeoutError)


@pytest.mark.anyio
async def test_a_server_that_hangs_does_not_hold_up_the_end_async(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_module, "LAST_LOOK", 0.2)
    with FaultServer([stall()]) as server:
        async with AsyncMetaStudio(**settings(server.url), timeout=60.0) as studio:
            with pytest.raises(errors.WaitTimeoutError, match="never seen; the last look failed") as raised:
                await studio.training_jobs.wait("0001", 0.1, poll=0.1)
            assert isinstance(raised.value.__cause__, errors.ApiTimeoutError)
