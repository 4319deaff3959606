"""Fixed probes: characters and lengths that break servers, sent to each parameter alone."""

from __future__ import annotations

from typing import Any

from list_app import ListApp, Query, outcome, things
from metastudio.tester.operation_under_test import operations_under_test
from metastudio.tester.shapes.seed_requests import TEXT_PROBES, seed_requests

[TESTED] = operations_under_test()


def test_every_parameter_gets_every_probe_alone() -> None:
    sent = [pairs[0] for pairs in seed_requests(TESTED) if len(pairs) == 1]
    for name in ("name", "tag", "batch_name", "job_id", "query_project_id", "model_resolution", "state", "sort_key"):
        assert {text for given, text in sent if given == name} >= set(TEXT_PROBES), name
    for name in ("offset", "limit"):
        assert (name, str(10**30)) in sent
    for character in "'\"\\;%_\0\N{GRINNING FACE}":
        assert any(character in text for text in TEXT_PROBES)
    assert max(map(len, TEXT_PROBES)) > 3000


def test_failure_for_one_value_of_one_parameter_is_found() -> None:
    class Failing(ListApp):
        def respond(self, query: Query) -> Any:
            if len(query) == 1 and ("\\" in query.get("label", "") or len(query.get("offset", "")) > 20):
                raise ZeroDivisionError
            return super().respond(query)

    commands = outcome(Failing(things(3)), "failure")["shapes/failure"].evidence
    assert {"?label=", "?offset="} <= {
        part for each in commands for part in ("?label=", "?offset=") if part in each.commands[0]
    }
