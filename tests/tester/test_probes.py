"""Fixed probes: characters and lengths that break servers, sent to each text parameter alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl

from metastudio.sandbox import CONFORMING
from metastudio.sandbox.http import SandboxRequest, SandboxResponse
from metastudio.tester.operation_under_test import operations_under_test
from metastudio.tester.shapes.seed_requests import TEXT_PROBES, seed_requests
from tester_runs import proven
from variants import Variant

[TESTED] = operations_under_test()


def failing(breaks: Callable[[str, str], bool]) -> Variant:
    """A server that answers 500 to a request whose only parameter breaks it."""

    def finish(answer: SandboxResponse, request: SandboxRequest) -> SandboxResponse:
        pairs = parse_qsl(request.query.decode(), keep_blank_values=True)
        if len(pairs) == 1 and breaks(*pairs[0]):
            return replace(answer, status=500, body={"error_code": "MSS.00000004", "error_msg": "Internal Error"})
        return answer

    return Variant("fails", replace(CONFORMING, finish=finish))


def test_failure_of_one_value_of_one_parameter_is_found() -> None:
    server = failing(lambda name, text: (name == "tag" and "\\" in text) or (name == "offset" and len(text) > 20))
    report = proven(server, only=("failure",), max_examples=1)
    assert report.exit_code == 1
    assert {"?tag=", "?offset="} == {part for part in ("?tag=", "?offset=") for each in report.commands if part in each}


def test_every_text_parameter_gets_every_probe_alone() -> None:
    sent = [pairs[0] for pairs in seed_requests(TESTED) if len(pairs) == 1]
    for name in ("name", "tag", "batch_name", "job_id", "query_project_id", "model_resolution", "state", "sort_key"):
        assert {text for given, text in sent if given == name} >= set(TEXT_PROBES), name
