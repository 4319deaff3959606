"""datamodel-code-generator: the pydantic models take the answers, and give them back."""

from checks import attempt, attempt_answers, equal
from models import ListTrainingJobsResponse


def answer(name: str, value: object) -> None:
    page = ListTrainingJobsResponse.model_validate(value)
    equal(page.model_dump(mode="json", exclude_unset=True), value)


attempt("works", lambda: None)
attempt_answers(answer)
