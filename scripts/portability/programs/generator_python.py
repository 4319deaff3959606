"""openapi-generator's Python client: calls, and converts the model back to the same JSON."""

import json

from checks import SERVER, STATES, check, check_responses, equal, without_nulls
from generated_client import ApiClient, Configuration, TrainingJobsApi
from generated_client.models import ListTrainingJobsStateParameterInner

STATE = [ListTrainingJobsStateParameterInner.from_dict(state) for state in STATES]


def response(name: str, value: object) -> None:
    with ApiClient(Configuration(host=SERVER)) as client:
        page = TrainingJobsApi(client).list_training_jobs(name, state=STATE, limit=10)
    equal(without_nulls(json.loads(page.to_json())), without_nulls(value))


check("works", lambda: "serializes null as absent")
check_responses(response)
