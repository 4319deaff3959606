"""aiopenapi3: builds a client from the document at run time, and calls."""

import httpx2
from aiopenapi3 import OpenAPI
from checks import DOCUMENT, SERVER, STATES, check, check_responses, equal

api = OpenAPI(SERVER, DOCUMENT | {"servers": [{"url": SERVER}]}, session_factory=httpx2.Client)
api.authenticate(AuthToken="t")


def response(name: str, value: object) -> None:
    page = api._.training_jobs.list_training_jobs(parameters={"project_id": name, "state": STATES, "limit": 10})
    equal(page.model_dump(mode="json", by_alias=True, exclude_unset=True), value)


check("works", lambda: None)
check_responses(response)
