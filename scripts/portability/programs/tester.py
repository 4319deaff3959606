"""schemathesis: generates requests from the contract, and validates responses against it."""

import schemathesis
from checks import CONTRACT, SERVER, STATES, check, check_responses
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

SCHEMA = schemathesis.openapi.from_path(CONTRACT, config=schemathesis.Config())
OPERATION = next(each.ok() for each in SCHEMA.get_all_operations())
# Not ignored_auth: the server has no authentication.
CHECKS = [
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
made: list[schemathesis.Case] = []


def generates() -> str:
    quiet = list(HealthCheck)

    @settings(max_examples=50, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=quiet)
    @given(OPERATION.as_strategy())
    def call(case: schemathesis.Case) -> None:
        assert case.call(base_url=SERVER).status_code in (200, 404)
        made.append(case)

    call()
    return f"sent {len(made)} generated requests"


def joins() -> None:
    states = [case.query["state"] for case in made if "state" in case.query]
    assert any("," in state for state in states), states
    assert all(isinstance(state, str) for state in states), states


def response(name: str, value: object) -> None:
    case = OPERATION.Case(path_parameters={"project_id": name}, query={"state": ",".join(STATES), "limit": 10})
    case.validate_response(case.call(base_url=SERVER), checks=CHECKS)


check("works", generates)
check("joined", joins)
check_responses(response)
