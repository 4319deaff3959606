"""openapi.yaml says everything that the vendor's page says, and what it adds is marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import reference_page as page
from metastudio.contract import Document, check, compile_contract, load
from metastudio.contract.compiler import parameters
from metastudio.contract.operation import Operation, read

ROOT = Path(__file__).parents[2]
OPERATION = "/paths/~1v1~1{project_id}~1digital-human-training-manage~1user~1jobs/get"


@pytest.fixture(scope="module")
def document() -> Document:
    return load(ROOT / "openapi.yaml")


@pytest.fixture(scope="module")
def operation(document: Document) -> Operation:
    (found,) = read(compile_contract(document)["operations"]).values()
    return found


def test_the_contract_has_no_findings(document: Document) -> None:
    check(document)  # runs openapi-spec-validator too


def test_uri(operation: Operation) -> None:
    assert f"\n{operation.method} {operation.path}\n" in page.text()


@pytest.mark.parametrize(
    ("title", "location", "count"),
    [("Table 1 Path Parameters", "path", 1), ("Table 2 Query Parameters", "query", 13)],
)
def test_every_parameter_of_the_page(operation: Operation, title: str, location: str, count: int) -> None:
    rows = page.table(title)
    assert len(rows) == count
    assert [row.name for row in rows] == [p.name for p in operation.parameters.values() if p.location == location]
    for row in rows:
        ours = operation.parameters[row.name]
        assert ours.required == (row.mandatory == "Yes")
        assert ours.description
        assert (ours.schema.get("type") == "integer") == (row.type == "Integer")


def test_every_request_header_of_the_page(document: Document, operation: Operation) -> None:
    headers = {row.name for row in page.table("Table 3 Request header parameters")}
    schemes: dict[str, Any] = document.at("/components/securitySchemes")
    secured = {scheme["name"] for scheme in schemes.values()}
    given = {p.name for p in operation.parameters.values() if p.location == "header"}
    assert secured | given == headers
    assert given == {"X-App-UserId"}
    ways_in = [{schemes[name]["name"] for name in way} for way in document.data["security"]]
    assert ways_in == [{"X-Auth-Token"}, {"Authorization", "X-Sdk-Date", "X-Project-Id"}]


def test_every_field_of_the_page(document: Document, operation: Operation) -> None:
    rows = page.table("Table 6 TrainingJobBasicInfo")
    assert [row.name for row in rows] == list(operation.fields)
    assert len(rows) == 15
    for row in rows:
        assert operation.fields[row.name]["description"]
        assert (operation.fields[row.name]["type"] == "array") == row.type.startswith("Array")
    answer = {row.name: row.type.split()[0].lower() for row in page.table("Table 5 Response body parameters")}
    properties: dict[str, Any] = document.at("/components/schemas/ListTrainingJobsResponse/properties")
    assert {name: schema["type"] for name, schema in properties.items()} == answer


def test_every_state_of_the_page_with_its_meaning(document: Document, operation: Operation) -> None:
    (row,) = (row for row in page.table("Table 6 TrainingJobBasicInfo") if row.name == "state")
    listed = page.options(row)
    assert len(listed) == 20
    assert list(operation.parameters["state"].values) == listed
    assert list(operation.states) == listed
    for state in listed:
        assert f"- {state}: " in document.at("/components/schemas/TrainingJobState/description")


@pytest.mark.parametrize("field", ["model_version", "matting_type", "model_resolution"])
def test_every_option_of_the_page(operation: Operation, field: str) -> None:
    (row,) = (row for row in page.table("Table 6 TrainingJobBasicInfo") if row.name == field)
    assert set(page.options(row)) <= set(operation.fields[field]["values"])


def test_the_examples_of_the_page(document: Document) -> None:
    jobs, invalid, internal = page.examples()
    assert document.at("/components/examples/TrainingJobsPage/value") == jobs
    for status, example in (("400", invalid), ("500", internal)):
        (ours,) = document.at(f"{OPERATION}/responses/{status}/content/application~1json/examples").values()
        assert ours["value"] == example


def test_statuses_and_the_header_of_success(document: Document) -> None:
    responses: dict[str, Any] = document.at(f"{OPERATION}/responses")
    assert set(responses) == {"200", "400", "401", "403", "404", "429", "500"}
    header, _ = document.resolve(responses["200"]["headers"]["X-Request-Id"], "")
    assert header["required"] is True
    for status in ("401", "403", "404", "429"):
        schema: dict[str, Any] = responses[status]["content"]["application/json"]["schema"]
        error, _ = document.resolve(schema, "")
        assert "request_id" in error["properties"]
        assert "request_id" not in error["required"]


def test_state_is_one_comma_joined_value(document: Document, operation: Operation) -> None:
    assert operation.parameters["state"].joined
    raw = next(raw for _, raw in parameters(document, OPERATION) if raw["name"] == "state")
    assert (raw["style"], raw["explode"]) == ("form", False)


def test_open_sets_are_open_and_closed_ones_closed(operation: Operation) -> None:
    closed = {p.name for p in operation.parameters.values() if p.closed}
    assert closed == {"sort_dir"}


def test_what_the_page_does_not_say_is_marked(document: Document) -> None:
    """Bounds, patterns and nullability are ours: none of them may pose as the page's word."""
    ours = {"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "nullable"}
    unmarked: list[str] = []

    def visit(node: Any, pointer: str) -> None:
        if isinstance(node, dict):
            source = node.get("x-source", {})
            for key in ours & node.keys():
                if source != "decision" and (not isinstance(source, dict) or source.get(key) != "decision"):
                    unmarked.append(f"{pointer}/{key}")
            for key, value in node.items():
                if key != "x-source":
                    visit(value, f"{pointer}/{key}")
        elif isinstance(node, list):
            for index, value in enumerate(node):
                visit(value, f"{pointer}/{index}")

    visit(document.at("/components"), "/components")
    visit(document.at(OPERATION), OPERATION)
    assert unmarked == []
