"""Our errors against those of the vendor's SDK for the same responses: they tell at least as much.

Our code, message and request ID equal the SDK's if it found them in the response. Its substitutes (the status as the
code, the whole text as the message) need no equal, but the text is in our `body`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ServiceResponseException
from huaweicloudsdkmetastudio.v1 import List2dModelTrainingJobRequest, MetaStudioClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from loopback import CannedResponse, serve
from metastudio.errors import ApiError, ResponseFormatError
from metastudio.http.retry import RetryPolicy
from session_calls import call

if TYPE_CHECKING:
    from collections.abc import Iterator

ONCE = RetryPolicy(max_retries=0)


class ClientPair:
    """Both clients, with one server whose response is `response`."""

    def __init__(self, url: str) -> None:
        self.response = CannedResponse()
        self.url = url
        keys = BasicCredentials("AKEXAMPLE", "SKEXAMPLE", "p")
        builder: Any = MetaStudioClient.new_builder()
        self._vendor: Any = builder.with_credentials(keys).with_endpoint(url).build()

    def ask(self, response: CannedResponse) -> tuple[Any, ApiError]:
        """Return the vendor's error (None if it reports success) and ours."""
        self.response = response
        error = call("sync", self.url, retry=ONCE).error
        assert isinstance(error, ApiError), repr(error)
        try:
            self._vendor.list2d_model_training_job(List2dModelTrainingJobRequest())
        except ServiceResponseException as theirs:
            return theirs, error
        return None, error


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientPair]:
    with pytest.MonkeyPatch.context() as patch, serve(lambda _: pairs[0].response) as server:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))  # the SDK writes a file there
        patch.setenv("NO_PROXY", "*")
        pairs = [ClientPair(server.url)]
        yield pairs[0]


def same(theirs: Any, ours: str | None) -> bool:
    """Return whether our text equals their value of any JSON type."""
    if ours is None:
        return False
    return ours == theirs if isinstance(theirs, str) else json.loads(ours) == theirs


def assert_at_least_as_much(pair: ClientPair, status: int, body: bytes, headers: dict[str, str]) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8", **headers}
    theirs, ours = pair.ask(CannedResponse(status, body, headers))
    assert theirs is not None
    assert theirs.status_code == ours.status_code == status
    text = body.decode()
    assert ours.body == text
    if theirs.request_id:
        assert ours.request_id == theirs.request_id
    if theirs.encoded_auth_msg and isinstance(theirs.encoded_auth_msg, str):  # it may be a whole container
        assert same(theirs.encoded_auth_msg, ours.encoded_authorization_message)
    if status == 429:  # the SDK drops the body
        assert theirs.error_code == "429"
        return
    if theirs.error_code != str(status):
        assert same(theirs.error_code, ours.error_code)
    if theirs.error_msg != text:
        assert same(theirs.error_msg, ours.error_msg)


KNOWN: list[Any] = [
    {"error_code": "MSS.00000003", "error_msg": "Invalid parameter"},
    {"error_msg": "Incorrect IAM authentication information", "error_code": "APIGW.0301", "request_id": "0f" * 16},
    {"errorCode": "APIG.0308", "errorMsg": "throttled"},
    {"code": "C", "message": "m"},
    {"error": {"message": "Authentication failed", "code": 401, "title": "Unauthorized"}},
    {"error_code": "C", "error_msg": "m", "encoded_authorization_message": "XYZ"},
    {"encoded_authorization_message": "XYZ", "detail": {"errorCode": "C", "errorMsg": "m"}},
    {"a": {"code": "C", "message": "m"}, "b": {"code": "D", "message": "n"}},
    {"a": {"b": {"code": "D", "message": "n"}}, "c": {"message": "m"}},
    {"error_code": "C", "error_msg": "m", "b": {"code": "D", "message": "n"}},
    {"error_code": None, "error_msg": "m"},
    {"error_code": "C"},
    {"error_code": {"x": 1}, "error_msg": ["y"]},
    [{"error_code": "C", "error_msg": "m"}],
    "text",
    None,
    {},
]
STATUSES = [400, 401, 403, 404, 405, 409, 413, 429, 494, 499, 500, 502, 503, 504, 520]


@pytest.mark.parametrize("headers", [{}, {"X-Request-Id": "from-the-header"}], ids=["", "request id"])
@pytest.mark.parametrize("status", [400, 401, 429, 499, 503])
def test_known_bodies(pair: ClientPair, status: int, headers: dict[str, str]) -> None:
    for body in KNOWN:
        assert_at_least_as_much(pair, status, json.dumps(body).encode(), headers)
    for text in (b"", b"<html>502 Bad Gateway</html>", b'{"error_code": "C", "err', "nicht verfügbar".encode()):
        assert_at_least_as_much(pair, status, text, headers)


said = st.text("abcXYZ 019.é中", min_size=1, max_size=6) | st.integers(1, 999)
code_and_message = st.sampled_from(
    [("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message")]
).flatmap(lambda names: st.fixed_dictionaries(dict.fromkeys(names, said)))
names = st.sampled_from(["error", "data", "detail", "request_id", "encoded_authorization_message"])
bodies = st.recursive(
    code_and_message | said | st.none(),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.builds(
            lambda pair, rest: rest | pair, code_and_message | st.just({}), st.dictionaries(names, inner, max_size=4)
        )
    ),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None)
@given(body=bodies, status=st.sampled_from(STATUSES))
@example(body={"encoded_authorization_message": "A", "data": {"encoded_authorization_message": "B"}}, status=403)
def test_invented_bodies(pair: ClientPair, body: Any, status: int) -> None:
    assert_at_least_as_much(pair, status, json.dumps(body, ensure_ascii=False).encode(), {})


@pytest.mark.parametrize("status", [301, 302, 304, 307, 308])
def test_redirects_that_the_vendor_reports_as_success(pair: ClientPair, status: int) -> None:
    theirs, ours = pair.ask(CannedResponse(status, b"", {"Location": "https://elsewhere.example.com/"}))
    assert theirs is None
    assert ours.status_code == status


@pytest.mark.parametrize("body", [b"<html>log in</html>", b"", b"{}", b'{"jobs": {}}', b'{"count": 1, "jobs": [null]}'])
def test_invalid_successes(pair: ClientPair, body: bytes) -> None:
    pair.response = CannedResponse(200, body, {"X-Request-Id": "r"})
    error = call("sync", pair.url).error
    assert isinstance(error, ResponseFormatError)
    assert error.request_id == "r"


def test_throttled_responses_keep_what_the_vendor_drops(pair: ClientPair) -> None:
    body = b'{"error_code":"APIGW.0308","error_msg":"policy user over ratelimit,limit:200,time:1 minute"}'
    theirs, ours = pair.ask(CannedResponse(429, body, {"X-Request-Id": "req-1", "Retry-After": "7"}))
    assert (theirs.error_code, theirs.request_id) == ("429", "")
    assert (ours.error_code, ours.request_id, ours.retry_after) == ("APIGW.0308", "req-1", 7.0)
    assert ours.error_msg == "policy user over ratelimit,limit:200,time:1 minute"
