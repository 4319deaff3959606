"""What the contract says of a request and of an answer: promised, forbidden or open; blamed or only observed."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metastudio.tester.http_client import Answer
from metastudio.tester.operation_under_test import subjects
from metastudio.tester.shapes.requests import Reading, judge
from metastudio.tester.shapes.responses import faults

[SUBJECT] = subjects()
ITEM = {"job_id": "1", "name": "n", "state": "TRAINING", "project_id": "p", "create_time": "2024-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("query", "reading"),
    [
        ({}, Reading.PROMISED),
        ({"limit": "1"}, Reading.PROMISED),
        ({"limit": "100"}, Reading.PROMISED),
        ({"limit": "101"}, Reading.OPEN),
        ({"limit": "0"}, Reading.FORBIDDEN),
        ({"limit": "-1"}, Reading.FORBIDDEN),
        ({"limit": "ten"}, Reading.FORBIDDEN),
        ({"limit": "1.5"}, Reading.FORBIDDEN),
        ({"limit": "12abc"}, Reading.FORBIDDEN),
        ({"limit": " 1 "}, Reading.OPEN),
        ({"limit": "+1"}, Reading.OPEN),
        ({"limit": "1_0"}, Reading.OPEN),
        ({"limit": "1.0"}, Reading.OPEN),
        ({"limit": ""}, Reading.OPEN),
        ({"offset": "0"}, Reading.PROMISED),
        ({"offset": "-1"}, Reading.FORBIDDEN),
        ({"offset": "2147483647"}, Reading.OPEN),
        ({"sort_key": "create_time"}, Reading.PROMISED),
        ({"sort_key": "update_time"}, Reading.OPEN),
        ({"sort_key": "create_time", "sort_dir": "desc"}, Reading.PROMISED),
        ({"sort_key": "create_time", "sort_dir": "sideways"}, Reading.FORBIDDEN),
        ({"sort_key": "create_time", "sort_dir": "DESC"}, Reading.OPEN),
        ({"sort_dir": "sideways"}, Reading.OPEN),
        ({"create_since": "2023-12-01T00:00:00Z"}, Reading.PROMISED),
        ({"create_since": "2023-12-01T08:00:00+08:00"}, Reading.OPEN),
        ({"create_since": "2023-12-01T00:00:00.5Z"}, Reading.OPEN),
        ({"create_since": "2023-12-01"}, Reading.OPEN),
        ({"create_since": "1701388800"}, Reading.OPEN),
        ({"create_since": "yesterday"}, Reading.FORBIDDEN),
        ({"create_since": "2023-13-01T00:00:00Z"}, Reading.FORBIDDEN),
        ({"create_since": "2023-12-02T00:00:00Z", "create_until": "2023-12-01T00:00:00Z"}, Reading.OPEN),
        ({"state": "TRAINING"}, Reading.PROMISED),
        ({"state": "TRAINING,JOB_FINISH"}, Reading.PROMISED),
        ({"state": "CREATING,PUBLISHED"}, Reading.OPEN),
        ({"state": "training"}, Reading.OPEN),
        ({"name": "Name-1"}, Reading.PROMISED),
        ({"name": "Name 1"}, Reading.OPEN),
        ({"name": "数字人"}, Reading.OPEN),
        ({"name": "x" * 40}, Reading.OPEN),
        ({"name": ""}, Reading.OPEN),
        ({"name": "a\x00b"}, Reading.OPEN),
        ({"model_resolution": "4K"}, Reading.PROMISED),
        ({"model_resolution": "8K"}, Reading.OPEN),
        ({"unknown": "1"}, Reading.OPEN),
    ],
)
def test_reading_of_requests(query: dict[str, str], reading: Reading) -> None:
    assert judge(SUBJECT, query.items()).reading is reading


def test_a_parameter_sent_twice_is_open() -> None:
    assert judge(SUBJECT, [("limit", "0"), ("limit", "10")]).reading is Reading.OPEN


@given(st.lists(st.tuples(st.sampled_from([*SUBJECT.operation.parameters]), st.text(max_size=40)), max_size=5))
@settings(deadline=None, max_examples=300)
def test_every_request_can_be_read(pairs: list[tuple[str, str]]) -> None:
    assert judge(SUBJECT, pairs).reading in Reading


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    known = {"Content-Type": "application/json", "X-Request-Id": "1", **(headers or {})}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    shown = httpx.Headers({name: value for name, value in known.items() if value})
    return Answer("GET", "http://127.0.0.1/v1/p/jobs", status, shown, content, 0.0)


def item(**changes: Any) -> dict[str, Any]:
    changed = {name: value for name, value in {**ITEM, **changes}.items() if value is not ...}
    return {"count": 1, "jobs": [changed]}


@pytest.mark.parametrize(
    "right",
    [
        answer(item()),
        answer(item(state="SOME_NEW_STATE")),
        answer(item(tags=None, contact=None, batch_name=None, model_resolution=None, last_update_time=None)),
        answer(item(added_later={"a": 1})),
        answer(item(create_time="2024-01-01T08:00:00.123456+08:00")),
        answer({"error_code": "MSS.00000003", "error_msg": "x"}, 400),
        answer({"error_code": "MSS.00000003", "error_msg": "x", "request_id": "y"}, 400, headers={"X-Request-Id": ""}),
    ],
)
def test_right_answers_have_no_fault(right: Answer) -> None:
    assert not list(faults(SUBJECT, right))


@pytest.mark.parametrize(
    ("wrong", "kind", "what"),
    [
        (answer(item(state="training")), "body", "state"),
        (answer(item(name=...)), "body", "no name"),
        (answer(item(name=None)), "body", "null"),
        (answer(item(name=7)), "body", "integer, not string"),
        (answer(item(model_version=7)), "body", "integer, not string"),
        (answer(item(create_time="2024-01-01 00:00:00")), "body", "RFC 3339"),
        (answer(item(tags="a,b")), "body", "string, not array"),
        (answer({"jobs": []}), "body", "no count"),
        (answer({"count": "1", "jobs": []}), "body", "string, not integer"),
        (answer(b"<html>"), "content", "not JSON"),
        (answer(item(), headers={"Content-Type": "text/html"}), "content", "text/html"),
        (answer(item(), headers={"X-Request-Id": ""}), "header", "X-Request-Id"),
        (answer({}, 422), "status", "422"),
        (answer(b"", 302), "status", "302"),
        (answer({"error_code": "a", "error_msg": "b"}, 500), "failure", "500"),
        (answer({"error_msg": "x"}, 400), "body", "no error_code"),
        (answer({"error_code": "a", "error_msg": 'File "/srv/a.py", line 3, in f'}, 400), "leak", "trace"),
        (answer({"error_code": "a", "error_msg": "x\n\tat com.a.B.c(B.java:42)"}, 401), "leak", "trace"),
    ],
)
def test_wrong_answers_are_blamed(wrong: Answer, kind: str, what: str) -> None:
    blamed = [each for each in faults(SUBJECT, wrong) if each.blamed]
    assert [each for each in blamed if each.kind == kind and what in each.what], blamed


@pytest.mark.parametrize(
    "ours",
    [
        answer(item(cover_download_url="no uri at all")),
        answer({"count": -1, "jobs": []}),
        answer({"detail": "who are you?"}, 401),
        answer(b"<html>who are you?</html>", 403, headers={"Content-Type": "text/html"}),
    ],
)
def test_what_we_decided_is_observed_and_not_blamed(ours: Answer) -> None:
    found = list(faults(SUBJECT, ours))
    assert found
    assert not [each for each in found if each.blamed]
