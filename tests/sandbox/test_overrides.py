"""A server that differs in one part is built by exchanging that part, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from metastudio.contract.operation import Filter
from metastudio.sandbox import MAIN, PARTS, Keys, Parts, serve
from metastudio.sandbox.authentication import Attempt, signature_is_right
from metastudio.sandbox.gateway import Refusal
from metastudio.sandbox.http import Answer, RefusedError, Request
from metastudio.sandbox.listing import Column, Listing
from metastudio.sandbox.query import Condition, Window

Path_ = Callable[[str], str]
Sign = Callable[..., dict[str, str]]


def ask(parts: Parts, path: Path_, query: str = "", headers: dict[str, str] | None = None) -> httpx.Response:
    with serve(parts=parts) as sandbox, httpx.Client() as client:
        url = f"{sandbox.url}{path(sandbox.project_id)}{query}"
        return client.get(url, headers=headers or {"X-Auth-Token": sandbox.token})


def without_state(rule: Filter, column: Column | None, values: Any) -> Condition | None:
    return None if rule.parameter == "state" else PARTS.condition(rule, column, values)


def inverted(rule: Filter, column: Column | None, values: Any) -> Condition | None:
    found = PARTS.condition(rule, column, values)
    return Condition(f"NOT ({found.sql})", found.arguments) if found else None


def off_by_one(rule: Filter, column: Column | None, values: Any) -> Condition | None:
    return PARTS.condition(rule._replace(op={"ge": "gt"}.get(rule.op, rule.op)), column, values)


@pytest.mark.parametrize(
    ("parts", "query", "count"),
    [
        (PARTS, "?state=JOB_FINISH", 6),
        (Parts(condition=without_state), "?state=JOB_FINISH", 101),
        (Parts(condition=inverted), "?state=JOB_FINISH", 95),
        (PARTS, "?create_since=2023-12-09T07:31:37Z", 1),
        (Parts(condition=off_by_one), "?create_since=2023-12-09T07:31:37Z", 0),
        (Parts(total=lambda _matching, items, _window: len(items)), "?limit=3", 3),
        (Parts(scope=lambda _rules, _columns, _path: []), "", 124),
    ],
)
def test_another_filter_total_or_scope(parts: Parts, query: str, count: int, path: Path_) -> None:
    assert ask(parts, path, query).json()["count"] == count


def test_another_order_and_page(path: Path_) -> None:
    right = [job["job_id"] for job in ask(PARTS, path, "?sort_key=create_time&limit=100").json()["jobs"]]

    def shifted(offset: int | None, limit: int | None, listing: Listing) -> Window:
        found = PARTS.window(offset, limit, listing)
        return replace(found, skip=found.skip + 1)

    page = ask(Parts(window=shifted), path, "?sort_key=create_time&limit=100").json()
    assert [job["job_id"] for job in page["jobs"]] == [*right[1:], page["jobs"][-1]["job_id"]]

    def upside_down(rules: Any, columns: Any, identity: Any, key: Any, _direction: Any) -> str:
        return PARTS.order(rules, columns, identity, key, "desc")

    page = ask(Parts(order=upside_down), path, "?sort_key=create_time&limit=100").json()
    assert [job["job_id"] for job in page["jobs"]][1:] == right[::-1][:99]


def test_rules_of_authentication(path: Path_, sign: Sign) -> None:
    def signed(parts: Parts, keys: Keys, query: str = "", **more: Any) -> int:
        with serve(jobs=1, parts=parts) as sandbox, httpx.Client() as client:
            url = sandbox.url + path(MAIN.project_id)
            headers = sign(url, keys, X_Project_Id=MAIN.project_id, **more)
            return client.get(url + query, headers=headers).status_code

    wrong, early = Keys(MAIN.keys.access_key, "wrong"), "20200101T000000Z"
    assert signed(PARTS, wrong) == 401
    assert signed(PARTS.without("signature_is_right"), wrong) == 200
    assert signed(PARTS, MAIN.keys, date=early) == 401
    assert signed(PARTS.without("date_is_near"), MAIN.keys, date=early) == 200

    def query_is_not_looked_at(attempt: Attempt) -> None:
        signature_is_right(replace(attempt, request=replace(attempt.request, query=b"")))

    assert signed(PARTS, MAIN.keys, "?limit=1") == 401
    assert signed(PARTS.with_rule("signature_is_right", query_is_not_looked_at), MAIN.keys, "?limit=1") == 200
    for rule in ("key_is_not_locked", "token_is_fresh", "project_is_the_callers"):
        assert PARTS.without(rule) != PARTS
    with pytest.raises(KeyError):
        PARTS.without("signature_is_wrong")


def test_answers(path: Path_) -> None:
    def no_request_id(answer: Answer, _request: Request) -> Answer:
        return replace(
            answer, headers={name: value for name, value in answer.headers.items() if name != "X-Request-Id"}
        )

    assert "X-Request-Id" not in ask(Parts(finish=no_request_id), path).headers

    def no_names(items: list[dict[str, Any]], _window: Window) -> list[dict[str, Any]]:
        return [{name: value for name, value in item.items() if name != "name"} for item in items]

    assert "name" not in ask(Parts(items=no_names), path).json()["jobs"][0]

    refusals = {**PARTS.refusals, "no_credentials": Refusal(418, "TEA", "I am a teapot")}
    teapot = ask(Parts(refusals=refusals), path, headers={"X-Nothing": "1"})
    assert (teapot.status_code, teapot.json()["error_code"]) == (418, "TEA")


def test_lawful_variants(path: Path_) -> None:
    def nothing_unknown(_listing: Any, _values: Any, unknown: Any) -> None:
        if unknown:
            raise RefusedError("invalid_parameter", reason=unknown[0])

    assert ask(Parts(check_all=nothing_unknown), path, "?x=1").status_code == 400
    assert ask(Parts(check_all=nothing_unknown), path, "?limit=1").status_code == 200
    last = Parts(choose=lambda parameter, texts: PARTS.choose(parameter, texts[-1:]))
    assert len(ask(last, path, "?limit=5&limit=2").json()["jobs"]) == 2
    assert (
        ask(Parts(convert=lambda schema, text: PARTS.convert(schema, text.strip())), path, "?limit=%201").status_code
        == 200
    )
    with serve(parts=Parts(methods=lambda _operation: ("GET",))) as sandbox, httpx.Client() as client:
        assert client.head(sandbox.url + path(sandbox.project_id)).headers["Allow"] == "GET"


def test_a_server_that_fails_says_so_without_its_stack(path: Path_, caplog: pytest.LogCaptureFixture) -> None:
    def fails(*_: Any) -> int:
        raise ZeroDivisionError("secret detail")

    answer = ask(Parts(total=fails), path)

    assert (answer.status_code, answer.json()["error_code"]) == (500, "MSS.00000004")
    assert "secret detail" not in answer.text
    assert "secret detail" in caplog.text
