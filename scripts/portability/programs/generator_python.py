"""openapi-generator's Python client: calls; what it read goes back to the same JSON."""

import json

from checks import SERVER, STATES, attempt, attempt_answers, equal, without_nulls
from generated_client import ApiClient, Configuration, TrainingJobsApi
from generated_client.models import ListTrainingJobsStateParameterInner

STATE = [ListTrainingJobsStateParameterInner.from_dict(state) for state in STATES]


def answer(name: str, value: object) -> None:
    with ApiClient(Configuration(host=SERVER)) as client:
        page = TrainingJobsApi(client).list_training_jobs(name, state=STATE, limit=10)
    equal(without_nulls(json.loads(page.to_json())), without_nulls(value))


attempt("works", lambda: "null and absent are one to it when it writes back")
attempt_answers(answer)
