"""openapi-core: parses requests, validates and parses responses."""

import json

from checks import DOCUMENT, STATES, check, check_responses
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

API = OpenAPI.from_dict(DOCUMENT)
PATH = "/v1/page/digital-human-training-manage/user/jobs"
HOST = "https://metastudio.cn-north-4.myhuaweicloud.com"


def request(state: str) -> MockRequest:
    return MockRequest(HOST, "get", PATH, args={"state": state, "limit": "10"}, headers={"X-Auth-Token": "t"})


def reads() -> str:
    state = API.unmarshal_request(request(",".join(STATES))).parameters.query["state"]
    assert state == STATES, state
    return "parses the joined value as a list"


def response(name: str, value: object) -> None:
    body = json.dumps(value).encode()
    response = MockResponse(body, status_code=200, headers={"X-Request-Id": "1"})
    API.validate_response(request("TRAINING"), response)
    API.unmarshal_response(request("TRAINING"), response)


check("works", lambda: API.validate_request(request("TRAINING")))
check("joined", reads)
check_responses(response)
