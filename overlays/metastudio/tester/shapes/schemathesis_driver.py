"""Runs schemathesis as a library: it generates valid and invalid requests from the contract and sends them.

Each request is signed just before it is sent, over its final URL. Redirects are not followed. Undeclared methods are
sent only with `writes`. Most valid requests get a query that matches items of the list, because random filter values
match nothing.
"""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import cache
from random import Random
from typing import Any

import httpx
import requests
import schemathesis
from hypothesis.configuration import set_hypothesis_home_dir
from requests.auth import AuthBase
from schemathesis.engine import events, from_schema
from schemathesis.generation.case import Case

from metastudio.http.proxies import exclude_loopback
from metastudio.tester import curl
from metastudio.tester.access import AUTHORIZATION
from metastudio.tester.caller import DATE, PROJECT, SECURITY_TOKEN, Caller, canonical_url
from metastudio.tester.http_client import (
    CONTENT_ENCODINGS,
    RESPONSE_TIMEOUT_FACTOR,
    HttpResponse,
    RateLimiter,
    UnreadableBodyError,
    add_headers,
    check_content_encoding,
    read_limited,
)
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.shapes.event_reader import EndlessResponseError, EventReader, InFlightRequest
from metastudio.tester.shapes.generation import GeneratedCall, GenerationProblem, GenerationSettings

AUTH_HEADERS = (AUTHORIZATION, DATE, PROJECT, SECURITY_TOKEN)
UNDECLARED_METHODS = ("trace",)
"""Methods that are sent although the contract does not declare them. Any other could change data of others."""


MASKED = "[Filtered]"
"""Replacement that schemathesis uses for secrets."""


def mask_credentials(caller: Caller) -> Callable[[Any, Any, Any], None]:
    """Return the hook `after_call` that masks the credentials of a sent request.

    Schemathesis prints a failed request as a curl command. Without this hook it would sign the request again after
    masking secrets, and print the signature.
    """

    def after_call(context: Any, case: Any, response: Any) -> None:
        cookies = ["Cookie"] if any(each.location == "cookie" for each in caller.schemes) else []
        for name in (*AUTH_HEADERS, *_credential_headers(caller), *cookies):
            if name in response.request.headers:
                response.request.headers[name] = MASKED

    return after_call


def _credential_headers(caller: Caller) -> list[str]:
    """The names of the headers that carry credentials."""
    return [each.name for each in caller.schemes if each.location == "header"]


class SigningAuth(AuthBase):
    """Signs requests of the `requests` library, replacing generated credentials.

    Args:
        caller: signs the requests.
        rate_limiter: delays each request.
        sent: called with each request that is about to be sent.
        accept: the header `Accept`.
    """

    def __init__(
        self,
        caller: Caller,
        rate_limiter: RateLimiter,
        sent: Callable[[Any], None] = lambda _request: None,
        accept: str = "application/json",
    ) -> None:
        self._caller = caller
        self._rate_limiter = rate_limiter
        self._sent = sent
        self._accept = accept

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Wait for the rate limiter, then sign the request. A masked request is only printed, and stays unchanged."""
        if MASKED in request.headers.values():
            return request
        self._rate_limiter.wait()
        url = canonical_url(self._caller.plain_url(request.url or ""))
        request.url = url
        for name in (*AUTH_HEADERS, *_credential_headers(self._caller)):
            request.headers.pop(name, None)
        headers: Any = request.headers
        add_headers(headers, self._caller.headers(request.method or "GET", url, body=_content(request.body)))
        request.url = self._caller.authenticated_url(url)
        request.headers["Accept"] = self._accept
        request.headers["Accept-Encoding"] = ", ".join(CONTENT_ENCODINGS)
        request.register_hook("response", _limit_body)
        self._sent(request)
        return request


def _content(body: Any) -> bytes:
    """Return the body of a request of the `requests` library. JSON is never a stream."""
    return body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""


def _limit_body(response: requests.Response, **_: Any) -> None:
    """Read the body up to the maximum size. `requests` would read all of it, whatever it expands to."""
    try:
        check_content_encoding(response.headers.get("Content-Encoding", ""))
        response._content = read_limited(response.iter_content(65536))  # pyright: ignore[reportPrivateUsage]
    except UnreadableBodyError as error:
        response.close()
        raise requests.exceptions.ChunkedEncodingError(str(error), request=response.request) from None


def generate(
    tested: OperationUnderTest,
    settings: GenerationSettings,
    rate_limiter: RateLimiter,
    seed_queries: Sequence[Mapping[str, str]],
    omitted: Set[str],
    sent: Callable[[], None],
) -> Iterator[GeneratedCall | GenerationProblem | None]:
    """Generate and send requests.

    Args:
        tested: the operation.
        settings: settings of the generation.
        rate_limiter: delays each request.
        seed_queries: queries that match items of the list.
        omitted: optional query parameters that no request carries.
        sent: called for each request that is sent.

    Yields:
        Requests with their responses, problems of schemathesis, and None while there is neither.
    """
    exclude_loopback()
    set_hypothesis_home_dir(_hypothesis_home())
    whole = schemathesis.openapi.from_dict(tested.document.data, config=_config(settings))
    schema = whole.include(operation_id=tested.name)
    if settings.app is not None:
        schema.app = settings.app
    in_flight = InFlightRequest()

    def start(request: Any) -> None:
        sent()
        in_flight.start(request)

    def finish(context: Any, case: Any, response: Any) -> None:
        in_flight.finish()

    schema.auth.set_from_requests(SigningAuth(settings.caller, rate_limiter, start, tested.accept))
    schema.hook("after_call")(mask_credentials(settings.caller))
    schema.hook("after_call")(finish)
    schema.hook("map_case")(_without(omitted))
    if seed_queries:
        schema.hook("map_case")(_seeded(seed_queries, settings.seed))
    declared = frozenset(name.lower() for where, name in tested.parameter_pointers if where == "header")
    has_cookies = any(where == "cookie" for where, _ in tested.parameter_pointers)
    if has_cookies and not any(each.location == "cookie" for each in settings.caller.schemes):
        declared |= {"cookie"}
    reader = EventReader(
        from_schema(schema).execute(), in_flight, RESPONSE_TIMEOUT_FACTOR * settings.timeout, settings.is_over
    )
    try:
        for event in reader.events():
            if isinstance(event, events.ScenarioFinished):
                yield from _generated_calls(event.recorder, settings, declared)
            elif isinstance(event, events.NonFatalError):
                yield GenerationProblem(str(event.value).partition("\n")[0][:300])
            elif isinstance(event, events.SchemaAnalysisWarnings):
                yield from (GenerationProblem(str(warning.message)) for warning in event.warnings)
            elif isinstance(event, events.FatalError):
                yield GenerationProblem(f"schemathesis stopped: {type(event.exception).__name__}")
            elif event is None:
                yield None
    except EndlessResponseError:
        request = in_flight.request
        yield _generated_call(request.method, request.url, request.body, dict(request.headers), settings, declared)
        yield GenerationProblem("a response did not end; the remaining requests were not sent")


@cache
def _hypothesis_home() -> str:
    """Return a folder for the files of hypothesis, which are in the working folder otherwise. It is removed at exit."""
    folder = tempfile.TemporaryDirectory(prefix="metastudio-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    return folder.name


def _config(settings: GenerationSettings) -> schemathesis.Config:
    phases: dict[str, Any] = {
        "coverage": {"unexpected-methods": list(UNDECLARED_METHODS) if settings.writes else []},
        "fuzzing": {"extra-data-sources": {"responses": False}, "error-feedback": {"enabled": False}},
        "stateful": {"enabled": False},
    }
    return schemathesis.Config.from_dict({
        "seed": settings.seed,
        "base-url": settings.base_url,
        "continue-on-failure": True,
        "suppress-health-check": ["too_slow"],  # it measures this machine, not the server
        "max-redirects": 0,
        "request-timeout": settings.timeout,
        "rate-limit": "auto",
        "tls-verify": settings.verify,
        "parameters": {f"path.{name}": value for name, value in settings.path_values.items()},
        "generation": {
            "max-examples": settings.examples, "no-shrink": True, "database": "none", "with-security-parameters": False,
        },
        "phases": phases,
        "checks": {"enabled": False},  # they know neither `x-source` nor lists
    })  # fmt: skip


def _without(omitted: Set[str]) -> Callable[[Any, Case[Any]], Case[Any]]:
    """Return a hook that removes query parameters."""

    def map_case(context: Any, case: Case[Any]) -> Case[Any]:
        for name in omitted & case.query.keys():
            del case.query[name]
        return case

    return map_case


def _seeded(seed_queries: Sequence[Mapping[str, str]], seed: int) -> Callable[[Any, Case[Any]], Case[Any]]:
    """Return a hook that gives two of three valid requests a query that matches items."""
    random = Random(seed)  # noqa: S311 - spreads requests, no secret

    def map_case(context: Any, case: Case[Any]) -> Case[Any]:
        meta = case.meta
        if meta is not None and meta.generation.mode.is_positive and random.random() < 0.67:
            case.query = dict(random.choice(seed_queries))
        return case

    return map_case


def _generated_calls(recorder: Any, settings: GenerationSettings, declared: frozenset[str]) -> Iterator[GeneratedCall]:
    for interaction in recorder.interactions.values():
        request, received = interaction.request, interaction.response
        headers = {name: values[0] for name, values in request.headers.items()}
        yield _generated_call(request.method, request.uri, request.body, headers, settings, declared, received)


def _generated_call(
    method: str,
    url: str,
    body: Any,
    headers: Mapping[str, str],
    settings: GenerationSettings,
    declared: frozenset[str],
    received: Any = None,
) -> GeneratedCall:
    url = settings.caller.plain_url(url)
    content = _content(body)
    shown = declared | {"content-type"} if content else declared
    own = [(name, value) for name, value in headers.items() if name.lower() in shown]
    command = curl.command(method, url, settings.caller, headers=own, body=content, generated=True)
    response = None
    if received is not None:
        pairs = [(name, value) for name, values in received.headers.items() for value in values]
        response = HttpResponse(
            method, url, received.status_code, httpx.Headers(pairs), received.content or b"", received.elapsed, command
        )
    return GeneratedCall(method, url, headers, content, response, command)
