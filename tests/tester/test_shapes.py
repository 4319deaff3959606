"""Assessment of requests (valid, invalid, unspecified) and of responses (breach or observation)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metastudio.contract import load
from metastudio.tester.http_client import HttpResponse
from metastudio.tester.operation_under_test import operations_under_test
from metastudio.tester.schema_validator import SchemaResolver
from metastudio.tester.shapes.request_validity import Validity, assess
from metastudio.tester.shapes.responses import faults, violations

[TESTED] = operations_under_test()
ITEM = {"job_id": "1", "name": "n", "state": "TRAINING", "project_id": "p", "create_time": "2024-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("query", "validity"),
    [
        ({}, Validity.VALID),
        ({"limit": "1"}, Validity.VALID),
        ({"limit": "100"}, Validity.VALID),
        ({"limit": "101"}, Validity.UNSPECIFIED),
        ({"limit": "0"}, Validity.INVALID),
        ({"limit": "-1"}, Validity.INVALID),
        ({"limit": "ten"}, Validity.INVALID),
        ({"limit": "1.5"}, Validity.INVALID),
        ({"limit": "12abc"}, Validity.INVALID),
        ({"limit": " 1 "}, Validity.UNSPECIFIED),
        ({"limit": "+1"}, Validity.UNSPECIFIED),
        ({"limit": "1_0"}, Validity.UNSPECIFIED),
        ({"limit": "1.0"}, Validity.UNSPECIFIED),
        ({"limit": ""}, Validity.UNSPECIFIED),
        ({"offset": "0"}, Validity.VALID),
        ({"offset": "-1"}, Validity.INVALID),
        ({"offset": "2147483647"}, Validity.UNSPECIFIED),
        ({"sort_key": "create_time"}, Validity.VALID),
        ({"sort_key": "update_time"}, Validity.UNSPECIFIED),
        ({"sort_key": "create_time", "sort_dir": "desc"}, Validity.VALID),
        ({"sort_key": "create_time", "sort_dir": "sideways"}, Validity.INVALID),
        ({"sort_key": "create_time", "sort_dir": "DESC"}, Validity.UNSPECIFIED),
        ({"sort_dir": "sideways"}, Validity.UNSPECIFIED),
        ({"create_since": "2023-12-01T00:00:00Z"}, Validity.VALID),
        ({"create_since": "2023-12-01T08:00:00+08:00"}, Validity.UNSPECIFIED),
        ({"create_since": "2023-12-01T00:00:00.5Z"}, Validity.UNSPECIFIED),
        ({"create_since": "2023-12-01"}, Validity.UNSPECIFIED),
        ({"create_since": "1701388800"}, Validity.UNSPECIFIED),
        ({"create_since": "yesterday"}, Validity.INVALID),
        ({"create_since": "2023-13-01T00:00:00Z"}, Validity.INVALID),
        ({"create_since": "2023-12-02T00:00:00Z", "create_until": "2023-12-01T00:00:00Z"}, Validity.UNSPECIFIED),
        ({"state": "TRAINING"}, Validity.VALID),
        ({"state": "TRAINING,JOB_FINISH"}, Validity.VALID),
        ({"state": "CREATING,PUBLISHED"}, Validity.UNSPECIFIED),
        ({"state": "training"}, Validity.UNSPECIFIED),
        ({"batch_name": "Batch-1"}, Validity.VALID),
        ({"name": "Name-1"}, Validity.UNSPECIFIED),
        ({"batch_name": "Name 1"}, Validity.UNSPECIFIED),
        ({"batch_name": "数字人"}, Validity.UNSPECIFIED),
        ({"batch_name": "x" * 40}, Validity.UNSPECIFIED),
        ({"batch_name": ""}, Validity.UNSPECIFIED),
        ({"batch_name": "a\x00b"}, Validity.UNSPECIFIED),
        ({"model_resolution": "4K"}, Validity.VALID),
        ({"model_resolution": "8K"}, Validity.UNSPECIFIED),
        ({"unknown": "1"}, Validity.UNSPECIFIED),
    ],
)
def test_validity_of_requests(query: dict[str, str], validity: Validity) -> None:
    assert assess(TESTED, query.items()).validity is validity


def test_repeated_parameter_is_unspecified() -> None:
    assert assess(TESTED, [("limit", "0"), ("limit", "10")]).validity is Validity.UNSPECIFIED


@given(st.lists(st.tuples(st.sampled_from([*TESTED.operation.parameters]), st.text(max_size=40)), max_size=5))
@settings(deadline=None, max_examples=300)
def test_every_request_can_be_assessed(pairs: list[tuple[str, str]]) -> None:
    assert assess(TESTED, pairs).validity in Validity


def response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    known = {"Content-Type": "application/json", "X-Request-Id": "1", **(headers or {})}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    shown = httpx.Headers({name: value for name, value in known.items() if value})
    return HttpResponse("GET", "http://127.0.0.1/v1/p/jobs", status, shown, content)


def item(**changes: Any) -> dict[str, Any]:
    changed = {name: value for name, value in {**ITEM, **changes}.items() if value is not ...}
    return {"count": 1, "jobs": [changed]}


@pytest.mark.parametrize(
    "conforming",
    [
        response(item()),
        response(item(state="SOME_NEW_STATE")),
        response(item(tags=None, contact=None, batch_name=None, model_resolution=None, last_update_time=None)),
        response(item(added_later={"a": 1})),
        response(item(create_time="2024-01-01T08:00:00.123456+08:00")),
        response({"error_code": "MSS.00000003", "error_msg": "x"}, 400),
        response(
            {"error_code": "MSS.00000003", "error_msg": "x", "request_id": "y"}, 400, headers={"X-Request-Id": ""}
        ),
    ],
)
def test_conforming_response_has_no_fault(conforming: HttpResponse) -> None:
    assert not list(faults(TESTED, conforming))


@pytest.mark.parametrize(
    ("faulty", "kind", "what"),
    [
        (response(item(state="training")), "body", "state"),
        (response(item(name=...)), "body", "no name"),
        (response(item(name=None)), "body", "null"),
        (response(item(name=7)), "body", "integer, not string"),
        (response(item(model_version=7)), "body", "integer, not string"),
        (response(item(create_time="2024-01-01 00:00:00")), "body", "not a date-time"),
        (response(item(tags="a,b")), "body", "string, not array"),
        (response({"jobs": []}), "body", "no count"),
        (response({"count": "1", "jobs": []}), "body", "string, not integer"),
        (response(b"<html>"), "content", "not JSON"),
        (response(item(), headers={"Content-Type": "text/html"}), "content", "text/html"),
        (response(item(), headers={"X-Request-Id": ""}), "header", "X-Request-Id"),
        (response({}, 422), "status", "422"),
        (response(b"", 302), "status", "302"),
        (response({"error_code": "a", "error_msg": "b"}, 500), "failure", "500"),
        (response({"error_msg": "x"}, 400), "body", "no error_code"),
        (response({"error_code": "a", "error_msg": 'File "/srv/a.py", line 3, in f'}, 400), "leak", "trace"),
        (response({"error_code": "a", "error_msg": "x\n\tat com.a.B.c(B.java:42)"}, 401), "leak", "trace"),
    ],
)
def test_faulty_response_is_a_breach(faulty: HttpResponse, kind: str, what: str) -> None:
    blamed = [each for each in faults(TESTED, faulty) if each.blamed]
    assert [each for each in blamed if each.kind == kind and what in each.what], blamed


@pytest.mark.parametrize(
    "unstated",
    [
        response(item(cover_download_url="not a URI")),
        response({"count": -1, "jobs": []}),
        response({"detail": "who are you?"}, 401),
        response(b"<html>who are you?</html>", 403, headers={"Content-Type": "text/html"}),
    ],
)
def test_restriction_of_this_contract_is_only_observed(unstated: HttpResponse) -> None:
    found = list(faults(TESTED, unstated))
    assert found
    assert not [each for each in found if each.blamed]


SCHEMAS = """
openapi: 3.0.3
components:
  schemas:
    Text: {type: string, maxLength: 3, x-source: {maxLength: decision}}
    Thing:
      type: object
      required: [size]
      additionalProperties: false
      properties:
        size: {type: integer, maximum: 10, exclusiveMaximum: true, multipleOf: 2}
        words: {type: array, uniqueItems: true, items: {$ref: '#/components/schemas/Text'}}
        either: {nullable: true, anyOf: [{type: integer}, {$ref: '#/components/schemas/Text'}]}
        both: {nullable: true, allOf: [{$ref: '#/components/schemas/Text'}]}
        listed: {type: string, nullable: true, enum: [a]}
        code: {type: string, pattern: '^[A-Z]+$'}
"""


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory) -> SchemaResolver:
    spec: Path = tmp_path_factory.mktemp("schemas") / "schemas.yaml"
    spec.write_text(SCHEMAS)
    return SchemaResolver(load(spec))


@pytest.mark.parametrize(
    ("value", "pointer", "blamed"),
    [
        ({"size": 10}, "/Thing/properties/size/maximum", True),
        ({"size": 3}, "/Thing/properties/size/multipleOf", True),
        ({"size": "2"}, "/Thing/properties/size/type", True),
        ({"size": 2, "other": 1}, "/Thing/additionalProperties", True),
        ({}, "/Thing/required", True),
        ({"size": 2, "words": ["a", "a"]}, "/Thing/properties/words/uniqueItems", True),
        ({"size": 2, "words": ["abcd"]}, "/Text/maxLength", False),
        ({"size": 2, "words": [None]}, "/Text/type", True),
        ({"size": 2, "either": "abcd"}, "/Text/maxLength", False),
        ({"size": 2, "both": 1}, "/Text/type", True),
        ({"size": 2, "listed": "b"}, "/Thing/properties/listed/enum", True),
        ({"size": 2, "code": "A\n"}, "/Thing/properties/code/pattern", True),
        ({"size": 2, "code": "\ud800"}, "/Thing/properties/code/pattern", True),
    ],
)
def test_fault_names_the_broken_rule(resolver: SchemaResolver, value: Any, pointer: str, blamed: bool) -> None:
    [fault] = [each for each in violations(resolver, "/components/schemas/Thing", value) if each.blamed == blamed]
    assert fault.pointer == f"/components/schemas{pointer}"


@pytest.mark.parametrize(
    "value",
    [
        {"size": 2.0},
        {"size": 2, "either": None, "both": None, "listed": None},
        {"size": 2, "either": 1, "both": "abc", "listed": "a", "words": ["a", "b"]},
    ],
)
def test_conforming_value_has_no_fault(resolver: SchemaResolver, value: Any) -> None:
    assert not list(violations(resolver, "/components/schemas/Thing", value))
