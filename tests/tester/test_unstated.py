"""Parameters whose effect the contract leaves open (`op: unstated`): never blamed, and no fault hides behind them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from list_app import InvalidQueryError, ListApp, Query, assert_not_blamed, outcome, things
from metastudio.sandbox import CONFORMING
from metastudio.sandbox.http import SandboxRequest, SandboxResponse
from metastudio.tester import Verdict
from repository import ROOT
from tester_runs import proven
from variants import Variant


class Refusing(ListApp):
    """Refuses every `owner`, or every one that is not the caller's."""

    def __init__(self, status: int, *, own_is_fine: bool = False) -> None:
        super().__init__(things(12))
        self.status = status
        self.own_is_fine = own_is_fine

    def respond(self, query: Query) -> Any:
        if "owner" in query and not (self.own_is_fine and query["owner"] == "p1"):
            raise InvalidQueryError(self.status)
        return super().respond(query)


@pytest.mark.parametrize(
    "app",
    [Refusing(403, own_is_fine=True), *(pytest.param(Refusing(n), marks=pytest.mark.slow) for n in (400, 403, 404))],
    ids=["a foreign value", "any value", "any value, as forbidden", "any value, as if it did not exist"],
)
def test_refusing_an_unstated_parameter_is_lawful(app: Refusing) -> None:
    report = outcome(app, "shapes", "filter.owner")
    assert_not_blamed(report)
    assert report["meaning/filter.owner"].verdict is Verdict.NOT_STATED


def test_refused_parameter_is_left_out_of_other_requests() -> None:
    app = Refusing(403)
    outcome(app, "failure")
    together = [query for query in app.queries if "owner" in query and len(query) > 1]
    assert not together


def test_parameter_of_which_plain_values_are_accepted_stays() -> None:
    """A refusal of special characters hides nothing of other values."""

    class Strict(ListApp):
        def respond(self, query: Query) -> Any:
            if not re.fullmatch(r"[\w-]*", query.get("owner", "")):
                raise InvalidQueryError
            return super().respond(query)

    app = Strict(things(3))
    assert_not_blamed(outcome(app, "shapes"))
    assert [query for query in app.queries if "owner" in query and len(query) > 1]


def test_special_characters_are_signed_in_a_parameter_whose_effect_is_stated(tmp_path: Path) -> None:
    def finish(answer: SandboxResponse, request: SandboxRequest) -> SandboxResponse:
        refused = {"name", "query_project_id"} & parse_qs(request.query.decode(), keep_blank_values=True).keys()
        return replace(answer, status=403, body={"error_code": "a", "error_msg": "b"}) if refused else answer

    server = Variant("refuses", replace(CONFORMING, finish=finish))
    assert proven(server, only=("signature.any-query",))["auth/signature.any-query"].verdict is Verdict.PASS
    spec, written = tmp_path / "open.yaml", (ROOT / "openapi.yaml").read_text("utf-8")
    spec.write_text(re.sub(r"^( +(?:batch_name|tag|job_id): ).*op: eq.*$", r"\1{op: unstated}", written, flags=re.M))
    report = proven(server, spec=spec, only=("signature.any-query",))
    assert report["auth/signature.any-query"].verdict is Verdict.NOT_EXERCISED
