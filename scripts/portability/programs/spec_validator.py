"""openapi-spec-validator, and its sister openapi-schema-validator for the answers."""

from checks import DOCUMENT, attempt, attempt_answers
from openapi_schema_validator import OAS30ReadValidator, oas30_format_checker
from openapi_spec_validator import validate

SCHEMA = {"$ref": "#/components/schemas/ListTrainingJobsResponse", "components": DOCUMENT["components"]}


def answer(name: str, value: object) -> None:
    OAS30ReadValidator(SCHEMA, format_checker=oas30_format_checker).validate(value)


attempt("works", lambda: validate(DOCUMENT))
attempt_answers(answer)
