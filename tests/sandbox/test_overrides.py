"""An override changes one behaviour of the server and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from metastudio.contract.operation import Filter
from metastudio.sandbox import CONFORMING, MAIN, KeyPair, Overrides, serve
from metastudio.sandbox.authentication import RULES, Attempt
from metastudio.sandbox.http import Refusal, RefusedError, SandboxRequest, SandboxResponse
from metastudio.sandbox.listing import Listing, StoreColumn
from metastudio.sandbox.store import Condition, PageWindow

Path_ = Callable[[str], str]
Sign = Callable[..., dict[str, str]]


def fetch(overrides: Overrides, path: Path_, query: str = "", headers: dict[str, str] | None = None) -> httpx.Response:
    with serve(overrides=overrides) as sandbox, httpx.Client() as client:
        url = f"{sandbox.url}{path(sandbox.project_id)}{query}"
        return client.get(url, headers=headers or {"X-Auth-Token": sandbox.token})


def ignores_state(rule: Filter, column: StoreColumn | None, values: Any) -> Condition | None:
    return None if rule.parameter == "state" else CONFORMING.condition(rule, column, values)


def inverted(rule: Filter, column: StoreColumn | None, values: Any) -> Condition | None:
    found = CONFORMING.condition(rule, column, values)
    return Condition(f"NOT ({found.sql})", found.arguments) if found else None


def off_by_one(rule: Filter, column: StoreColumn | None, values: Any) -> Condition | None:
    return CONFORMING.condition(rule._replace(op={"ge": "gt"}.get(rule.op, rule.op)), column, values)


@pytest.mark.parametrize(
    ("overrides", "query", "count"),
    [
        (CONFORMING, "?state=JOB_FINISH", 6),
        (Overrides(condition=ignores_state), "?state=JOB_FINISH", 101),
        (Overrides(condition=inverted), "?state=JOB_FINISH", 95),
        (CONFORMING, "?create_since=2023-12-09T07:31:37Z", 1),
        (Overrides(condition=off_by_one), "?create_since=2023-12-09T07:31:37Z", 0),
        (Overrides(total=lambda _matching, items, _window: len(items)), "?limit=3", 3),
        (Overrides(scope=lambda _rules, _columns, _path: []), "", 124),
    ],
)
def test_filter_total_and_scope(overrides: Overrides, query: str, count: int, path: Path_) -> None:
    assert fetch(overrides, path, query).json()["count"] == count


def test_order_and_page(path: Path_) -> None:
    right = [job["job_id"] for job in fetch(CONFORMING, path, "?sort_key=create_time&limit=100").json()["jobs"]]

    def shifted(offset: int | None, limit: int | None, listing: Listing) -> PageWindow:
        found = CONFORMING.window(offset, limit, listing)
        return replace(found, skip=found.skip + 1)

    page = fetch(Overrides(window=shifted), path, "?sort_key=create_time&limit=100").json()
    assert [job["job_id"] for job in page["jobs"]] == [*right[1:], page["jobs"][-1]["job_id"]]

    def always_descending(rules: Any, columns: Any, identity: Any, key: Any, _direction: Any) -> str:
        return CONFORMING.order(rules, columns, identity, key, "desc")

    page = fetch(Overrides(order=always_descending), path, "?sort_key=create_time&limit=100").json()
    assert [job["job_id"] for job in page["jobs"]][1:] == right[::-1][:99]


def test_authentication_rules(path: Path_, sign: Sign) -> None:
    def status(overrides: Overrides, keys: KeyPair, query: str = "", **more: Any) -> int:
        with serve(jobs=1, overrides=overrides) as sandbox, httpx.Client() as client:
            url = sandbox.url + path(MAIN.project_id)
            headers = sign(url, keys, X_Project_Id=MAIN.project_id, **more)
            return client.get(url + query, headers=headers).status_code

    wrong, early = KeyPair(MAIN.keys.access_key, "wrong"), "20200101T000000Z"
    assert status(CONFORMING, wrong) == 401
    assert status(CONFORMING.without("signature_matches"), wrong) == 200
    assert status(CONFORMING, MAIN.keys, date=early) == 401
    assert status(CONFORMING.without("date_is_within_tolerance"), MAIN.keys, date=early) == 200

    def ignores_query(signed: Attempt) -> None:
        RULES["signature_matches"](replace(signed, request=replace(signed.request, query=b"")))

    assert status(CONFORMING, MAIN.keys, "?limit=1") == 401
    assert status(CONFORMING.with_rule("signature_matches", ignores_query), MAIN.keys, "?limit=1") == 200
    for rule in ("key_is_not_locked", "token_is_not_expired", "project_belongs_to_caller"):
        assert CONFORMING.without(rule) != CONFORMING
    with pytest.raises(KeyError):
        CONFORMING.without("no_such_rule")


def test_responses_and_errors(path: Path_) -> None:
    def no_request_id(response: SandboxResponse, _request: SandboxRequest) -> SandboxResponse:
        return replace(
            response, headers={name: value for name, value in response.headers.items() if name != "X-Request-Id"}
        )

    assert "X-Request-Id" not in fetch(Overrides(finish=no_request_id), path).headers

    def no_names(items: list[dict[str, Any]], _window: PageWindow) -> list[dict[str, Any]]:
        return [{name: value for name, value in item.items() if name != "name"} for item in items]

    assert "name" not in fetch(Overrides(items=no_names), path).json()["jobs"][0]

    refusals = {**CONFORMING.refusals, "no_credentials": Refusal(418, "TEA", "I am a teapot")}
    teapot = fetch(Overrides(refusals=refusals), path, headers={"X-Nothing": "1"})
    assert (teapot.status_code, teapot.json()["error_code"]) == (418, "TEA")


def test_parameters_and_methods(path: Path_) -> None:
    def refuse_unknown(_listing: Any, _values: Any, unknown: Any) -> None:
        if unknown:
            raise RefusedError("invalid_parameter", reason=unknown[0])

    assert fetch(Overrides(check_all=refuse_unknown), path, "?x=1").status_code == 400
    assert fetch(Overrides(check_all=refuse_unknown), path, "?limit=1").status_code == 200
    last = Overrides(choose=lambda parameter, texts: CONFORMING.choose(parameter, texts[-1:]))
    assert len(fetch(last, path, "?limit=5&limit=2").json()["jobs"]) == 2
    assert (
        fetch(
            Overrides(convert=lambda schema, text: CONFORMING.convert(schema, text.strip())), path, "?limit=%201"
        ).status_code
        == 200
    )
    with serve(overrides=Overrides(methods=lambda _operation: ("GET",))) as sandbox, httpx.Client() as client:
        assert client.head(sandbox.url + path(sandbox.project_id)).headers["Allow"] == "GET"


def test_an_internal_error_is_logged_and_not_sent(path: Path_, caplog: pytest.LogCaptureFixture) -> None:
    def fails(*_: Any) -> int:
        raise ZeroDivisionError("secret detail")

    response = fetch(Overrides(total=fails), path)

    assert (response.status_code, response.json()["error_code"]) == (500, "MSS.00000004")
    assert "secret detail" not in response.text
    assert "secret detail" in caplog.text
