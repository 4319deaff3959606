"""openapi.yaml contains everything in the vendor's API reference, and marks what it adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import reference_page
from metastudio.contract import Document, check, compile_contract, load
from metastudio.contract.compiler import parameters
from metastudio.contract.operation import Operation

ROOT = Path(__file__).parents[2]
OPERATION = "/paths/~1v1~1{project_id}~1digital-human-training-manage~1user~1jobs/get"


@pytest.fixture(scope="module")
def document() -> Document:
    return load(ROOT / "openapi.yaml")


@pytest.fixture(scope="module")
def operation(document: Document) -> Operation:
    (operation,) = compile_contract(document).operations.values()
    return operation


def test_the_contract_has_no_findings(document: Document) -> None:
    check(document)  # runs openapi-spec-validator too


def test_method_and_path(operation: Operation) -> None:
    assert f"\n{operation.method} {operation.path}\n" in reference_page.text()


@pytest.mark.parametrize(
    ("title", "location", "count"),
    [("Table 1 Path Parameters", "path", 1), ("Table 2 Query Parameters", "query", 13)],
)
def test_parameters(operation: Operation, title: str, location: str, count: int) -> None:
    rows = reference_page.table(title)
    assert len(rows) == count
    assert [row.name for row in rows] == [p.name for p in operation.parameters.values() if p.location == location]
    for row in rows:
        ours = operation.parameters[row.name]
        assert ours.required == (row.mandatory == "Yes")
        assert ours.description
        assert (ours.schema.get("type") == "integer") == (row.type == "Integer")


def test_request_headers(document: Document, operation: Operation) -> None:
    headers = {row.name for row in reference_page.table("Table 3 Request header parameters")}
    schemes: dict[str, Any] = document.at("/components/securitySchemes")
    secured = {scheme["name"] for scheme in schemes.values()}
    given = {p.name for p in operation.parameters.values() if p.location == "header"}
    assert secured | given == headers
    assert given == {"X-App-UserId"}
    requirements = [{schemes[name]["name"] for name in each} for each in document.data["security"]]
    assert requirements == [{"X-Auth-Token"}, {"Authorization", "X-Sdk-Date", "X-Project-Id"}]


def test_fields(document: Document, operation: Operation) -> None:
    rows = reference_page.table("Table 6 TrainingJobBasicInfo")
    assert [row.name for row in rows] == list(operation.fields)
    assert len(rows) == 15
    for row in rows:
        assert operation.fields[row.name]["description"]
        assert (operation.fields[row.name]["type"] == "array") == row.type.startswith("Array")
    response = {
        row.name: row.type.split()[0].lower() for row in reference_page.table("Table 5 Response body parameters")
    }
    properties: dict[str, Any] = document.at("/components/schemas/ListTrainingJobsResponse/properties")
    assert {name: schema["type"] for name, schema in properties.items()} == response


def test_every_state_has_a_meaning(document: Document, operation: Operation) -> None:
    (row,) = (row for row in reference_page.table("Table 6 TrainingJobBasicInfo") if row.name == "state")
    listed = reference_page.options(row)
    assert len(listed) == 20
    assert list(operation.parameters["state"].values) == listed
    assert list(operation.states) == listed
    for state in listed:
        assert f"- {state}: " in document.at("/components/schemas/TrainingJobState/description")


@pytest.mark.parametrize("field", ["model_version", "matting_type", "model_resolution"])
def test_known_values_of_a_field(operation: Operation, field: str) -> None:
    (row,) = (row for row in reference_page.table("Table 6 TrainingJobBasicInfo") if row.name == field)
    assert set(reference_page.options(row)) <= set(operation.fields[field]["values"])


def test_examples(document: Document) -> None:
    jobs, invalid, internal = reference_page.examples()
    assert document.at("/components/examples/TrainingJobsPage/value") == jobs
    for status, example in (("400", invalid), ("500", internal)):
        (ours,) = document.at(f"{OPERATION}/responses/{status}/content/application~1json/examples").values()
        assert ours["value"] == example


def test_statuses_and_response_header(document: Document) -> None:
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


def test_only_the_sort_direction_is_a_closed_set(operation: Operation) -> None:
    closed = {p.name for p in operation.parameters.values() if p.closed}
    assert closed == {"sort_dir"}


def test_additions_to_the_reference_are_marked(document: Document) -> None:
    """The reference has no bounds, patterns or nullability, so each of them has an `x-source`."""
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
