"""Runs schemathesis as a library: it generates valid and invalid requests from the contract.

Schemathesis is given an application in the place of the server. That application hands each request to the suite, so
that all requests of a run are signed, limited, timed and retried by one client. Undeclared methods are generated only
with `writes`. Most valid requests get a query that matches items of the list, because random filter values match
nothing.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from random import Random
from typing import Any

import schemathesis
from hypothesis.configuration import set_hypothesis_home_dir, storage_directory
from schemathesis.engine import events, from_schema
from schemathesis.generation.case import Case

from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.options import RunOptions

UNDECLARED_METHODS = ("trace",)
"""Methods that are sent although the contract does not declare them. Any other could change data of others."""
Exchange = Callable[[str, str, dict[str, str], bytes], int | None]
"""Sends a request: method, query, headers by lower-case name and body. Returns the status, None to end the run."""


class _Forwarder:
    """The application in the place of the server. Schemathesis keeps it until the process ends."""

    def __init__(self, exchange: Exchange, stop: Callable[[], None]) -> None:
        self.exchange: Exchange | None = exchange
        self.stop = stop

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError  # ASGI: so an application says that it has no lifespan
        body, status = (await receive())["body"], None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if self.exchange is not None:
            query = scope["query_string"].decode()
            status = await asyncio.to_thread(self.exchange, scope["method"], query, headers, body)
        if status is None:
            self.exchange = None
            self.stop()
        await send({"type": "http.response.start", "status": status or 500, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def generate(
    tested: OperationUnderTest,
    exchange: Exchange,
    options: RunOptions,
    path_values: Mapping[str, str],
    seed_queries: Sequence[Mapping[str, str]],
    omitted: Set[str],
) -> Iterator[str]:
    """Generate requests, and yield what kept schemathesis from it.

    Args:
        tested: the operation.
        exchange: sends each request, in another thread.
        options: settings of the run.
        path_values: values of the path parameters.
        seed_queries: queries that match items of the list.
        omitted: optional query parameters that no request carries.

    Raises:
        KeyboardInterrupt: the user interrupts the run.
    """
    # Without the address of a server, schemathesis sends no requests of its own.
    document = {**tested.document.data, "servers": [{"url": "/"}]}
    whole = schemathesis.openapi.from_dict(document, config=_config(options, path_values))
    schema = whole.include(operation_id=tested.name)
    schema.hook("map_case")(_with_queries(seed_queries, omitted, options.seed))
    stream = from_schema(schema).execute()
    schema.app = forwarder = _Forwarder(exchange, stream.stop)
    try:
        with _files_of_hypothesis_elsewhere():
            for event in stream:
                if isinstance(event, events.Interrupted) and forwarder.exchange is not None:
                    raise KeyboardInterrupt
                if isinstance(event, events.NonFatalError):
                    yield str(event.value).partition("\n")[0][:300]
                elif isinstance(event, events.SchemaAnalysisWarnings):
                    yield from (str(warning.message) for warning in event.warnings)
                elif isinstance(event, events.FatalError):
                    yield f"schemathesis stopped: {type(event.exception).__name__}"
    finally:
        stream.stop()
        forwarder.exchange = None


@contextmanager
def _files_of_hypothesis_elsewhere() -> Generator[None]:
    """Have hypothesis write into a temporary folder, not into the working folder or among files of the caller."""
    before = storage_directory(intent_to_write=False).home_directory
    with tempfile.TemporaryDirectory(prefix="metastudio-", ignore_cleanup_errors=True) as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(before)


def _config(options: RunOptions, path_values: Mapping[str, str]) -> schemathesis.Config:
    settings: dict[str, Any] = {
        "seed": options.seed,
        "continue-on-failure": True,
        "suppress-health-check": ["too_slow"],  # it measures this machine, not the server
        "max-redirects": 0,
        "analysis": {"constants": {"enabled": False}},
        "parameters": {f"path.{name}": value for name, value in path_values.items()},
        "generation": {
            "max-examples": options.max_examples,
            "no-shrink": True,
            "database": "none",
            "with-security-parameters": False,
        },
        "phases": {
            "coverage": {"unexpected-methods": list(UNDECLARED_METHODS) if options.writes else []},
            "fuzzing": {"extra-data-sources": {"responses": False}, "error-feedback": {"enabled": False}},
            "stateful": {"enabled": False},
        },
        "checks": {"enabled": False},  # they know neither `x-source` nor lists
    }
    return schemathesis.Config.from_dict(settings)


def _with_queries(
    seed_queries: Sequence[Mapping[str, str]], omitted: Set[str], seed: int
) -> Callable[[Any, Case[Any]], Case[Any]]:
    """Return a hook that removes parameters, and gives two of three valid requests a query that matches items."""
    random = Random(seed)  # noqa: S311 - spreads requests, no secret

    def map_case(context: Any, case: Case[Any]) -> Case[Any]:
        for name in omitted & case.query.keys():
            del case.query[name]
        meta = case.meta
        if seed_queries and meta is not None and meta.generation.mode.is_positive and random.random() < 0.67:
            case.query = dict(random.choice(seed_queries))
        return case

    return map_case
