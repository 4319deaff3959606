"""datamodel-code-generator: the pydantic models parse and serialize the responses."""

from checks import check, check_responses, equal
from models import ListTrainingJobsResponse


def response(name: str, value: object) -> None:
    page = ListTrainingJobsResponse.model_validate(value)
    equal(page.model_dump(mode="json", exclude_unset=True), value)


check("works", lambda: None)
check_responses(response)
