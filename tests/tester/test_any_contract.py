"""Testing asks less of a contract than generating: any OpenAPI 3.0 or 3.1, and what cannot be tested is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from list_app import assert_not_blamed, broken
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio.contract import ContractError
from metastudio.errors import ConfigurationError
from metastudio.tester import Report, Verdict, prove

MEDIA_TYPE = "application/vnd.api+json"
CONTRACT = """\
openapi: 3.1.0
info: {title: Things, version: "1"}
paths:
  /things:
    get:
      parameters:
        - {name: offset, in: query, schema: {type: integer, minimum: 0}}
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 10}}
        - {name: kind, in: query, schema: {anyOf: [{$ref: '#/components/schemas/Kind'}, {type: 'null'}]}}
        - {name: step, in: query, schema: {type: integer, exclusiveMinimum: 0, multipleOf: 10}}
        - {name: level, in: query, schema: {allOf: [{$ref: '#/components/schemas/Level'}]}}
        - {name: tenant, in: cookie, required: true, schema: {type: string}, example: blue}
        - {name: X-Version, in: header, required: true, schema: {type: integer, const: 7}, example: 7}
        - {name: Authorization, in: header, required: true, schema: {type: string}}
        - {name: filter, in: query, style: deepObject, schema: {type: object}}
      x-list:
        items: /things
        total: /total
        identity: /id
        page: {style: offset, offset: offset, limit: limit}
        filters: {kind: {op: eq, property: /kind}}
      responses:
        '200':
          description: Things.
          content:
            application/vnd.api+json:
              schema:
                type: object
                required: [things, total]
                properties:
                  total: {type: integer}
                  things:
                    type: array
                    items:
                      type: object
                      required: [id, name, kind]
                      properties:
                        id: {type: [integer, string]}
                        name: {type: [string, 'null'], minLength: 1}
                        kind: {anyOf: [{$ref: '#/components/schemas/Kind'}, {type: 'null'}]}
                        parent: {oneOf: [{type: 'null'}, {type: object, required: [id]}]}
        '400': {description: Refused.}
        default: {description: Other.}
components:
  schemas:
    Kind: {type: string, enum: [a, b]}
    Level: {type: integer, enum: [1, 2]}
"""
THINGS: list[dict[str, Any]] = [
    {"id": 1, "name": None, "kind": "a", "parent": None},
    {"id": "x", "name": "n", "kind": "b", "parent": {"id": 1}},
    {"id": 3, "name": "m", "kind": None},
]
ALLOWED = {"kind": ("a", "b"), "step": ("10", "20"), "level": ("1", "2")}


def listed(request: ReceivedRequest) -> CannedResponse:
    """Answer as the contract says, and refuse whatever it does not promise to accept."""
    query = {name: values[-1] for name, values in parse_qs(urlsplit(request.target).query, True).items()}
    fine = (
        MEDIA_TYPE in (request.header("accept") or "")
        and "tenant=" in (request.header("cookie") or "")
        and request.header("x-version") == "7"
        and request.method == "GET"
        and not [name for name, values in ALLOWED.items() if query.get(name, values[0]) not in values]
        and "filter" not in str(query)
    )
    try:
        offset, limit = int(query.get("offset", "0")), int(query.get("limit", "10"))
    except ValueError:
        fine, offset, limit = False, 0, 1
    if not fine or offset < 0 or not 1 <= limit <= 10:
        return CannedResponse(400, b"")
    found = [each for each in THINGS if query.get("kind", each["kind"]) == each["kind"]]
    body = {"total": len(found), "things": found[offset : offset + limit]}
    return CannedResponse(200, json.dumps(body).encode(), {"Content-Type": MEDIA_TYPE})


def written(folder: Path, text: str = CONTRACT) -> Path:
    spec = folder / "things.yaml"
    spec.write_text(text)
    return spec


def proven(
    folder: Path, text: str = CONTRACT, answer: Callable[[ReceivedRequest], CannedResponse] = listed, **options: Any
) -> Report:
    with serve(answer) as server:
        report = prove(server.url, spec=written(folder, text), max_examples=20, **options)
    assert report.failure is None, report.failure
    return report


def test_conforming_server_of_another_kind_of_contract(tmp_path: Path) -> None:
    """OpenAPI 3.1 without names and tags: inline schemas, null as a type, a cookie, a header and a media type."""
    report = proven(tmp_path)
    assert_not_blamed(report)
    assert report["get_things/meaning/filter.kind"].verdict is Verdict.PASS
    assert report["get_things/meaning/page.joined"].verdict is Verdict.PASS
    assert report["get_things/shapes/body"].verdict is Verdict.PASS
    assert report["get_things/shapes/input.kind"].verdict is Verdict.PASS
    assert "get_things: the parameter filter is never sent, because style deepObject is not supported" in report.notes


def test_faults_against_such_a_contract_are_found(tmp_path: Path) -> None:
    def answering(change: Callable[[Any], Any], kind: str = MEDIA_TYPE) -> Callable[[ReceivedRequest], CannedResponse]:
        def answer(request: ReceivedRequest) -> CannedResponse:
            right = listed(request)
            if right.status != 200:
                return right
            return CannedResponse(200, json.dumps(change(json.loads(right.body))).encode(), {"Content-Type": kind})

        return answer

    def without_name(body: Any) -> Any:
        return {**body, "things": [{**each, "name": ""} for each in body["things"]]}

    def parent_of_nobody(body: Any) -> Any:
        return {**body, "things": [{**each, "parent": {}} for each in body["things"]]}

    for change in (without_name, parent_of_nobody):
        assert broken(proven(tmp_path, answer=answering(change), only=("body",))) == {"body"}
    plain = answering(lambda body: body, "application/json")
    assert broken(proven(tmp_path, answer=plain, only=("content",))) == {"content"}
    bare = answering(lambda body: body["things"])
    assert broken(proven(tmp_path, answer=bare)) == {"start"}, "a list where the contract says object"


OTHERS = """\
  /wide:
    get:
      operationId: things/get wide
      parameters: [{name: where, in: query, required: true, style: deepObject, schema: {type: object}}]
      responses: {'200': {description: Found.}}
  /far:
    get:
      responses: {'200': {$ref: 'other.yaml#/responses/Far'}}
  /vague:
    get:
      operationId: things/get wide
      responses: {2XX: {description: Found.}}
  /text:
    post:
      requestBody: {content: {text/csv: {schema: {type: string}}}}
      responses: {'200': {description: Found.}}
  /fine:
    get:
      responses: {'200': {description: Found.}}
components:
"""


def test_what_cannot_be_tested_is_left_out_and_said(tmp_path: Path) -> None:
    def answer(request: ReceivedRequest) -> CannedResponse:
        return CannedResponse(200, b"") if request.target.startswith("/fine") else listed(request)

    text = CONTRACT.replace("components:\n", OTHERS)
    report = proven(tmp_path, text, answer, only=("status",), writes=True)
    assert {each.property.operation for each in report.results} == {"get_things", "get_fine"}
    notes = "\n".join(report.notes)
    assert "things/get wide cannot be tested: its parameter where is required, but style deepObject" in notes
    assert "get_far cannot be tested: things.yaml:" in notes
    assert "only references within this file" in notes
    assert "things/get wide_3 cannot be tested: it declares no success by its number" in notes
    assert "post_text cannot be tested: its request body is not JSON" in notes
    nothing = CONTRACT.replace("/things:\n    get:", "/things:\n    put:")
    with pytest.raises(ConfigurationError, match="no GET operation that can be tested"):
        proven(tmp_path, nothing)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("openapi: 3.1.0", "openapi: 2.0.0", r"things.yaml:1:1: the contract tester reads OpenAPI 3.0 and 3.1"),
        ("paths:", "routes:", r"things.yaml:1:1: the contract has no mapping"),
        ("items: /things", "items: /stuff", r"things.yaml:17:9: /stuff is no array in the response"),
        ("property: /kind", "property: /sort", r"things.yaml:21:34: /sort is no property of an item"),
        ("limit: limit}", "limit: size}", r"things.yaml:20:47: size is no parameter of this operation"),
        ("limit: limit}", "limit: offset}", r"things.yaml:20:\d+: .*offset"),
        ("op: eq", "op: equal", r"things.yaml:21:\d+: "),
    ],
)
def test_mistakes_in_the_vocabulary_have_line_and_column(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in CONTRACT
    with pytest.raises(ContractError, match=said):
        proven(tmp_path, CONTRACT.replace(old, new))
