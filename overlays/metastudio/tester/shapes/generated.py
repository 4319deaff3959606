"""Schemathesis, driven as a library: it makes up requests from the contract, valid and broken, and sends them.

Each request is signed at the last moment, on its final URL. Redirects are not followed, methods that the contract does
not know are left out unless they are asked for, and a part of the valid requests is aimed at what the list holds, or
filters and orders would mostly meet nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any

import httpx
import requests
import schemathesis
from requests.auth import AuthBase
from schemathesis.engine import events, from_schema
from schemathesis.generation.case import Case

from metastudio.tester import curl
from metastudio.tester.access import AUTHORIZATION, DATE, PROJECT, SECURITY_TOKEN, Access, spelled
from metastudio.tester.http_client import WHOLE_ANSWER, Answer, Pace
from metastudio.tester.operation_under_test import Subject
from metastudio.tester.shapes.plan import Generated, Plan, Trouble
from metastudio.tester.shapes.stream import Flight, NeverEndsError, Stream

CHECKS_ELSEWHERE = ("ignored_auth", "use_after_free", "ensure_resource_availability", "object_level_authorization")
"""Checks of schemathesis that the authentication matrix makes, or that no list operation can fail."""
HEADERS = (AUTHORIZATION, DATE, PROJECT, SECURITY_TOKEN)
UNSAFE = ("put", "post", "delete", "patch", "trace")


MASKED = "[Filtered]"
"""What schemathesis writes in the place of a secret."""


def masking_of(access: Access) -> Callable[[Any, Any, Any], None]:
    """Return the hook `after_call` that blots out the credentials of a request that was sent.

    Schemathesis shows a failed request as a command. It would sign it once more for that, after it has looked for
    secrets, and print the signature.
    """

    def after_call(context: Any, case: Any, response: Any) -> None:
        for name in (AUTHORIZATION, SECURITY_TOKEN, access.token_header):
            if name in response.request.headers:
                response.request.headers[name] = MASKED

    return after_call


class SignedAuth(AuthBase):
    """Signs what `requests` is about to send; replaces what was generated in the place of credentials."""

    def __init__(self, access: Access, pace: Pace, sent: Callable[[Any], None] = lambda _request: None) -> None:
        self._access = access
        self._pace = pace
        self._sent = sent

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Wait for the turn of this request, then sign it. One that is only shown again is left as it is."""
        if MASKED in request.headers.values():
            return request
        self._pace.wait()
        url = spelled(request.url or "")
        request.url = url
        for name in (*HEADERS, self._access.token_header):
            request.headers.pop(name, None)
        request.headers.update(self._access.headers(request.method or "GET", url))
        self._sent(request)
        return request


def generate(
    subject: Subject, plan: Plan, pace: Pace, aims: Sequence[Mapping[str, str]], sent: Callable[[], None]
) -> Iterator[Generated | Trouble | None]:
    """Yield each request that schemathesis made up, with its answer, and what kept it from testing.

    None comes now and then while there is nothing else.
    """
    whole = schemathesis.openapi.from_dict(subject.document.data, config=_config(plan))
    schema = whole.include(operation_id=subject.name)
    if plan.app is not None:
        schema.app = plan.app
    flight = Flight()

    def starts(request: Any) -> None:
        sent()
        flight.starts(request)

    def lands(context: Any, case: Any, response: Any) -> None:
        flight.lands()

    schema.auth.set_from_requests(SignedAuth(plan.access, pace, starts))
    schema.hook("after_call")(masking_of(plan.access))
    schema.hook("after_call")(lands)
    if aims:
        schema.hook("map_case")(_aimed(aims, plan.seed))
    declared = frozenset(name.lower() for where, name in subject.parameter_places if where == "header")
    stream = Stream(from_schema(schema).execute(), flight, WHOLE_ANSWER * plan.timeout, plan.is_over)
    try:
        for event in stream.events():
            if isinstance(event, events.ScenarioFinished):
                yield from _of(event.recorder, plan, declared)
            elif isinstance(event, events.NonFatalError):
                yield Trouble(str(event.value).partition("\n")[0][:300])
            elif isinstance(event, events.SchemaAnalysisWarnings):
                yield from (Trouble(str(warning.message)) for warning in event.warnings)
            elif isinstance(event, events.FatalError):
                yield Trouble(f"schemathesis stopped: {type(event.exception).__name__}")
            elif event is None:
                yield None
    except NeverEndsError:
        request = flight.request
        yield _one(request.method, request.url, dict(request.headers), plan, declared)
        yield Trouble("an answer did not end; what would have been sent after it was left out")


def _config(plan: Plan) -> schemathesis.Config:
    phases: dict[str, Any] = {
        "coverage": {"unexpected-methods": list(UNSAFE) if plan.writes else []},
        "fuzzing": {"extra-data-sources": {"responses": False}, "error-feedback": {"enabled": False}},
        "stateful": {"enabled": False},
    }
    return schemathesis.Config.from_dict({
        "seed": plan.seed,
        "base-url": plan.base_url,
        "continue-on-failure": True,
        "suppress-health-check": ["too_slow"],  # which tells of this machine, not of the server
        "max-redirects": 0,
        "request-timeout": plan.timeout,
        "rate-limit": "auto",
        "tls-verify": plan.verify,
        "parameters": {f"path.{name}": value for name, value in plan.path_values.items()},
        "generation": {
            "max-examples": plan.examples, "no-shrink": True, "database": "none", "with-security-parameters": False,
        },
        "phases": phases,
        "checks": {name: {"enabled": False} for name in CHECKS_ELSEWHERE},
    })  # fmt: skip


def _aimed(aims: Sequence[Mapping[str, str]], seed: int) -> Callable[[Any, Case[Any]], Case[Any]]:
    """Turn two of three valid requests to parameters that meet data, keeping what else was made up for them."""
    random = Random(seed)  # noqa: S311 - spreads requests, no secret

    def map_case(context: Any, case: Case[Any]) -> Case[Any]:
        meta = case.meta
        if meta is not None and meta.generation.mode.is_positive and random.random() < 0.67:
            case.query = dict(random.choice(aims))
        return case

    return map_case


def _of(recorder: Any, plan: Plan, declared: frozenset[str]) -> Iterator[Generated]:
    for case_id, interaction in recorder.interactions.items():
        request, response = interaction.request, interaction.response
        headers = {name: values[0] for name, values in request.headers.items()}
        said = {
            node.name: node.failure_info.failure.title
            for node in recorder.checks.get(case_id, [])
            if node.failure_info is not None
        }
        yield _one(request.method, request.uri, headers, plan, declared, response, said)


def _one(
    method: str,
    url: str,
    headers: Mapping[str, str],
    plan: Plan,
    declared: frozenset[str],
    response: Any = None,
    said: Mapping[str, str] = MappingProxyType({}),
) -> Generated:
    own = [(name, value) for name, value in headers.items() if name.lower() in declared]
    command = curl.command(method, url, plan.access, headers=own, generated=True)
    answer = None
    if response is not None:
        pairs = [(name, value) for name, values in response.headers.items() for value in values]
        answer = Answer(
            method, url, response.status_code, httpx.Headers(pairs), response.content or b"", response.elapsed, command
        )
    return Generated(method, url, headers, answer, said, command)
