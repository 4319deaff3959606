"""openapi-spec-validator for the file, openapi-schema-validator for the responses."""

from checks import DOCUMENT, check, check_responses
from openapi_schema_validator import OAS30ReadValidator, oas30_format_checker
from openapi_spec_validator import validate

SCHEMA = {"$ref": "#/components/schemas/ListTrainingJobsResponse", "components": DOCUMENT["components"]}


def response(name: str, value: object) -> None:
    OAS30ReadValidator(SCHEMA, format_checker=oas30_format_checker).validate(value)


check("works", lambda: validate(DOCUMENT))
check_responses(response)
