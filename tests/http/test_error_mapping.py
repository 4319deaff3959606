"""API errors: classes, attributes, body formats, hints, pickling, redaction and bounds on hostile responses."""

from __future__ import annotations

import copy
import json
import pickle
import time
from typing import Any

import httpx
import pytest
from metastudio import errors, redaction
from metastudio.http.error_mapping import api_error
from metastudio_client.models import TrainingJobBasicInfo

URL = "https://metastudio.cn-north-4.myhuaweicloud.com/v1/p/digital-human-training-manage/user/jobs"
SIGNED = {
    "Authorization": "SDK-HMAC-SHA256 Access=AKEXAMPLE, SignedHeaders=host;x-sdk-date, Signature=" + "ab" * 32,
    "X-Sdk-Date": "20240704T080000Z",
}
NOW = "Thu, 04 Jul 2024 08:00:10 GMT"


def error_for(
    status: int,
    body: str | bytes | dict[str, Any] = b"",
    *,
    headers: dict[str, str] | None = None,
    sent: dict[str, str] | None = None,
    url: str = URL,
) -> errors.ApiError:
    content = json.dumps(body).encode() if isinstance(body, dict) else body
    request = httpx.Request("GET", url, headers=SIGNED if sent is None else sent)
    return api_error(httpx.Response(status, headers=headers, content=content, request=request))


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (300, errors.ApiError),
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (402, errors.ApiError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (429, errors.RateLimitError),
        (499, errors.ApiError),
        (500, errors.ServerError),
        (520, errors.ServerError),
        (599, errors.ServerError),
        (600, errors.ApiError),
    ],
)
def test_the_class_depends_only_on_the_status(status: int, cls: type[errors.ApiError]) -> None:
    for code in ("APIGW.0201", "MSS.00000004", "401", ""):
        assert type(error_for(status, {"error_code": code, "error_msg": "x"})) is cls


def test_class_hierarchy() -> None:
    for cls in (errors.CredentialsError, errors.ConfigurationError, errors.ApiConnectionError, errors.ApiError):
        assert issubclass(cls, errors.MetaStudioError)
    assert issubclass(errors.ApiTimeoutError, errors.ApiConnectionError)
    assert not issubclass(errors.ResponseFormatError, errors.ApiError)


@pytest.mark.parametrize(
    ("body", "code", "message", "request_id"),
    [
        ({"error_code": "MSS.00000003", "error_msg": "Invalid parameter"}, "MSS.00000003", "Invalid parameter", None),
        ({"error_msg": "m", "error_code": "APIGW.0301", "request_id": "ab12"}, "APIGW.0301", "m", "ab12"),
        ({"errorCode": "C", "errorMsg": "m"}, "C", "m", None),
        ({"code": "C", "message": "m"}, "C", "m", None),
        (
            {"error": {"message": "Authentication failed", "code": 401, "title": "x"}},
            "401",
            "Authentication failed",
            None,
        ),
        ({"a": {"b": {"code": "C", "message": "m"}}, "request_id": "r"}, "C", "m", "r"),
        ({"errors": [{"error_code": "C", "error_msg": "m", "request_id": "r"}]}, "C", "m", "r"),
        # An outer pair hides an inner one, and the last of two siblings wins, as in the vendor's SDK.
        ({"error_code": "C", "error_msg": "m", "cause": {"code": "D", "message": "n"}}, "C", "m", None),
        ({"a": {"code": "C", "message": "m"}, "b": {"code": "D", "message": "n"}}, "D", "n", None),
        # A code or a message alone is kept.
        ({"error_code": "C"}, "C", '{"error_code": "C"}', None),
        ({"message": "m"}, None, "m", None),
        ({"error_code": None, "error_msg": "", "message": "m"}, None, "m", None),
        ({"error_code": {"n": 1}, "error_msg": ["é"]}, '{"n": 1}', '["é"]', None),
        ({}, None, "{}", None),
    ],
)
def test_body_formats(body: dict[str, Any], code: str | None, message: str, request_id: str | None) -> None:
    error = error_for(400, body)
    assert (error.error_code, error.error_msg, error.request_id) == (code, message, request_id)
    assert json.loads(error.body) == body


def test_the_request_id_header_wins_over_the_body() -> None:
    error = error_for(500, {"request_id": "body"}, headers={"X-Request-Id": "header"})
    assert error.request_id == "header"
    assert "request id header" in str(error)


def test_the_encoded_authorization_message_is_kept() -> None:
    error = error_for(403, {"error_code": "C", "error_msg": "m", "encoded_authorization_message": "XYZ"})
    assert error.encoded_authorization_message == "XYZ"


def test_str_is_one_line_of_bounded_length() -> None:
    error = error_for(502, "<html>\r\n\x1b[31m" + "x" * 10_000 + "</html>")
    assert len(str(error)) < 600
    assert str(error).isprintable()
    assert len(error.body) > 10_000


def test_lone_surrogates_can_be_printed() -> None:
    error = error_for(400, b'{"error_code": "\\ud800", "error_msg": "\\udfff!"}')
    assert error.error_msg == "\\udfff!"
    str(error).encode()
    str(errors.MetaStudioError("a\ud800b")).encode()


@pytest.mark.parametrize(
    ("status", "code", "message", "headers", "says"),
    [
        (401, "APIGW.0301", "x", {"Date": "Thu, 04 Jul 2024 08:32:00 GMT"}, "32 minutes behind"),
        (401, "APIGW.0303", "x", {"Date": "Thu, 04 Jul 2024 05:00:00 GMT"}, "3.0 hours ahead of"),
        (401, "APIGW.0301", "x", {"Date": "Fri, 04 Jul 2025 05:00:00 GMT"}, "364.9 days behind"),
        (401, "APIGW.0301", "verify aksk signature fail, x", {"Date": NOW}, "The secret key does not belong"),
        (401, "APIGW.0301", "calc ak sk signature fail:signature expired", {}, "date is too old"),
        (401, "APIG.0301", "Get secretKey failed,ak:X,err:ak not exist", {"Date": NOW}, "access key does not exist"),
        (401, "APIGW.0301", "AK access failed to reach the limit,forbidden.", {"Date": NOW}, "locked"),
        (403, "APIGW.0306", "AK access failed to reach the limit,forbidden.", {"Date": NOW}, "five minutes"),
        (401, "APIGW.0307", "The token must be updated", {}, "token is expired"),
        (401, "APIG.0307", "The token must be updated", {}, "token is expired"),
        (400, "MSS.00010008", "Invalid token in the header.", {}, "token is expired"),
        (400, "MSS.00010009", "urlTenantId is not equal tokenTenantId", {}, "project id"),
        (403, "APIGW.0302", "not allowed", {}, "permission"),
        (404, "APIGW.0101", "API does not exist", {}, "region"),
        (403, "APIG.0802", "user not in region", {}, "region"),
    ],
)
def test_hints(status: int, code: str, message: str, headers: dict[str, str], says: str) -> None:
    error = error_for(status, {"error_code": code, "error_msg": message}, headers=headers)
    assert error.hint is not None
    assert says in error.hint
    assert str(error).endswith(error.hint)


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Thu, 99 Jul 2024 08:00:00 GMT",
        NOW,
        "Thu, 04 Jul 2030 05:00:00 GMT",  # beyond a year: the server's date is wrong
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        f"Thu, 04 Jul 2024 08:00:00 +{10**18}",
        f"Thu, 04 Jul 2024 08:00:00 -{10**18}",
        f"Thu, 04 Jul {10**18} 08:00:00 GMT",
    ],
)
def test_no_clock_hint_without_a_plausible_offset(date: str) -> None:
    assert error_for(401, {"error_code": "APIGW.0301", "error_msg": "x"}, headers={"Date": date}).hint is None
    assert error_for(500, b"signature", headers={"Date": "Thu, 04 Jul 2030 05:00:00 GMT"}).hint is None


def test_a_refused_token_has_a_hint() -> None:
    error = error_for(401, {"error_msg": "x-auth-token not found"}, sent={"X-Auth-Token": "MIIToken"})
    assert error.hint
    assert "token" in error.hint


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://login.example.com:8443/in?ticket=abc", "to https://login.example.com:8443."),
        ("/elsewhere?ticket=abc", "redirects."),
        ("http://host:port", "redirects."),
        ("https://xn--/", "to https://xn--."),
        (None, "redirects."),
    ],
)
def test_a_redirect_names_the_target_origin(location: str | None, shown: str) -> None:
    error = error_for(307, b"", headers={"Location": location} if location else {})
    assert shown in str(error)
    assert "ticket" not in str(error)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_kept(status: int) -> None:
    assert error_for(status, b"", headers={"Retry-After": "90"}).retry_after == 90
    assert error_for(status, b"").retry_after is None


JOB = TrainingJobBasicInfo.from_dict(
    {
        "job_id": "j1",
        "name": "Name",
        "state": "TRAINING",
        "project_id": "p",
        "create_time": "2023-12-08T08:30:56Z",
        "contact": "13800138000",
        "cover_download_url": "https://x.com/cover?sig=planted",
        "app_user_id": "planted-user",
        "is_flexus": True,
    }
)
ALL = [
    errors.MetaStudioError("m"),
    errors.CredentialsError("m"),
    errors.ConfigurationError("m"),
    errors.ApiConnectionError("m", request=errors.RequestSummary("GET", URL), retries=2),
    errors.ApiTimeoutError("m", retries=1),
    errors.ResponseFormatError(
        "m", status_code=200, request_id="r", content_type="text/html", place="/jobs", retries=1
    ),
    errors.JobNotFoundError("j1"),
    errors.WaitTimeoutError("m", job={"job_id": "j1"}),
    errors.ListChangedError("m"),
    errors.ApiError(418, "C", "m", "r", "body", errors.RequestSummary("GET", URL), 1, hint="h"),
    *(error_for(status, {"error_code": "C", "error_msg": "m"}) for status in (302, 400, 401, 403, 404, 429, 500, 520)),
]


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
def test_copies_and_pickles_are_equal(error: errors.MetaStudioError) -> None:
    error.add_note("a note")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        same(error, pickle.loads(pickle.dumps(error, protocol)))
    same(error, copy.copy(error))
    same(error, copy.deepcopy(error))


def same(error: errors.MetaStudioError, other: Any) -> None:
    assert type(other) is type(error)
    assert (str(other), repr(other), other.args) == (str(error), repr(error), error.args)
    assert vars(other) == vars(error)


def test_a_subclass_with_another_constructor_pickles() -> None:
    error = SubclassedError("text", 7)
    same(error, pickle.loads(pickle.dumps(error)))


class SubclassedError(errors.MetaStudioError):
    def __init__(self, text: str, number: int) -> None:
        super().__init__(f"{text} {number}")
        self.number = number


def test_a_pickled_job_has_no_personal_fields() -> None:
    error = errors.WaitTimeoutError("still running", job=JOB)
    assert error.job is JOB
    data = pickle.dumps(error)
    for planted in (b"13800138000", b"planted", b"planted-user"):
        assert planted not in data
    restored = pickle.loads(data).job
    assert (restored.job_id, restored.state, restored["is_flexus"]) == ("j1", "TRAINING", True)
    assert "contact" not in restored.to_dict()
    assert JOB.contact == "13800138000"


PLANTED = {
    "access key": "AKEXAMPLE",
    "signature": "ab" * 32,
    "another signature": "CD" * 32,
    "token": "MIIPlantedToken",
    "another token": "gQanother+Token=",
    "security token": "gQplantedSecurityToken",
    "user": "planted-user",
    "contact": "13800138000",
    "mail": "planted@example.com",
    "cover": "param1=XXX",
    "password": "pa55word!",
}
ECHOES = [
    '{"error_code":"APIGW.0301","error_msg":"verify aksk signature fail AKEXAMPLE expected %(signature)s"}',
    '{"error_msg":"canonicalRequest:GET|/||host:h|x-auth-token:%(token)s|x-security-token:%(security token)s|"}',
    '{"error_msg":"Get secretKey failed,ak:%(access key)s,err:ak not exist","error_code":"APIGW.0301"}',
    '{"jobs":[{"contact":"%(contact)s","cover_download_url":"https://x.com/a_cover?%(cover)s&param2=Y"}]}',
    '{"error_msg":"{\\"contact\\":\\"%(mail)s\\",\\"cover\\":\\"https:\\/\\/x.com\\/a?%(cover)s\\"}","error_code":"C"}',
    '{"contact": "%(contact)s"',
    '{"contact": %(contact)s}',
    "<p>%(mail)s, +86 %(contact)s, <a href='https://x.com/a_cover?%(cover)s'>%(user)s</a> %(another signature)s</p>",
    '{"auth":{"password":{"user":{"password":"%(password)s"}}},"secret":"%(password)s","sk" : "%(password)s"}',
    "Authorization: SDK-HMAC-SHA256 Access=%(access key)s, SignedHeaders=a, Signature=%(signature)s",
    "authorization: Bearer %(token)s",
    "array('password'=>%(password)s, 'token' => '%(another token)s')",
]


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("status", [302, 400, 401, 403, 500])
def test_no_secret_is_shown(echo: str, status: int) -> None:
    sent = SIGNED | {
        "X-Auth-Token": PLANTED["token"],
        "X-Security-Token": PLANTED["security token"],
        "X-App-UserId": PLANTED["user"],
    }
    error = error_for(status, echo % PLANTED, sent=sent, url=f"{URL}?token={PLANTED['token']}&limit=1#x")
    shown = [str(error), repr(error), error.body, str(vars(error)), pickle.dumps(error, 0).decode("latin-1")]
    for text in shown:
        for planted in PLANTED.values():
            assert planted not in text
    assert error.request == ("GET", f"{URL}?token=***&limit=1")


@pytest.mark.parametrize(
    "text",
    [
        "The throttling threshold has been reached: policy user over ratelimit,limit:200,time:5 minute",
        "decrypt token fail",
        "token expires, expires_at: 2024-07-04",
        "urlTenantId is not equal tokenTenantId",
        "see https://support.huaweicloud.com/api/faq.html",
        "request 2f96ddd4fdda40af977c1b1d3b6adca8 at 1720080550123",
        '{"count": 101, "job_id": "2f96ddd4fdda40af977c1b1d3b6adca8"}',
    ],
)
def test_ordinary_text_is_not_masked(text: str) -> None:
    assert redaction.mask(text, ["", "the"]) == text


def test_masking_time_is_bounded() -> None:
    """Each piece would take minutes if a pattern backtracked over the repeated text."""
    for piece in ("a", '"', "http://", '"contact":"', "\\", "ak:", "-", "1", "@", '"sk', "'userid"):
        redaction.mask(piece * (200_000 // len(piece)))


TOKEN = "MIIPlanted/Token+with=signs"


@pytest.mark.parametrize(
    "escaped",
    [
        TOKEN.replace("/", "\\/"),
        TOKEN.replace("=", "\\u003d").replace("+", "\\u002B"),
        "".join(f"\\u{ord(each):04x}" for each in TOKEN),
        TOKEN.replace("/", "\\\\/").replace("=", "\\\\u003d"),  # JSON in a JSON string
    ],
)
def test_a_token_echoed_with_json_escapes_is_masked(escaped: str) -> None:
    error = error_for(401, f'{{"error_code": "C", "detail": "got {escaped}. \\ud800"}}', sent={"X-Auth-Token": TOKEN})
    for text in (error.body, str(error)):
        assert escaped not in text
        text.encode()
        assert "Planted" not in text
        assert "got ***." in text


@pytest.mark.parametrize(
    "body",
    [
        b'{"code":' * 990 + b'"' + b"x" * 2000,
        b'{"code":' * 900 + b'"' + b"x" * 2000 + b'"' + b"}" * 900,
        b'"sk' * 3300,
        b'{"a":"token' * 900,
        b"'userid" * 1400,
        b"\\u0041" * 1600,
        b"a@b.c" * 2000,
        b"x" * 10_000_000,
        b'{"jobs": [' + b'{"name": "x", "contact": "13800138000"}, ' * 250_000 + b"{}]}",
    ],
    ids=lambda body: f"{body[:10]!r}, {len(body) // 1000} KB",
)
def test_a_hostile_body_is_mapped_in_bounded_time(body: bytes) -> None:
    def seconds() -> float:
        started = time.thread_time()
        str(error_for(401, body))
        return time.thread_time() - started

    bound = 0.05 if len(body) < 20_000 else 0.5
    assert min(seconds() for _ in range(5)) < bound


def test_a_slow_charset_is_not_used() -> None:
    started = time.thread_time()
    error_for(401, b"\x00-" + b"b9" * 50_000 + b"b", headers={"Content-Type": "text/plain; charset=punycode"})
    assert time.thread_time() - started < 0.3


@pytest.mark.parametrize("charset", ["idna", "punycode", "unicode_escape", "undefined", "rot13", "zip", "x\x00"])
def test_an_unsuitable_charset_is_ignored(charset: str) -> None:
    error = error_for(401, b"caf\xe9\x00", headers={"Content-Type": f"text/plain; charset={charset}"})
    assert error.body.startswith("caf")


def test_a_long_body_is_cut_before_it_is_masked() -> None:
    sent = {"X-Auth-Token": TOKEN * 50}
    for shift in range(0, 1500, 50):  # the token is anywhere across the cut
        text = "." * (redaction.TEXT_LIMIT - shift) + TOKEN * 50 + " 13800138000" * 100
        error = error_for(500, text, sent=sent)
        assert redaction.TEXT_LIMIT - 3000 < len(error.body) < redaction.TEXT_LIMIT + 100
        assert error.body.endswith(f"... [cut: {len(text)} characters]")
        assert "Planted" not in error.body
        assert "138001" not in error.body
        assert error.error_msg == error.body


@pytest.mark.parametrize("depth", [10, 200, 400, 600, 800, 900, 930, 960, 990, 1100, 5000, 30_000])
def test_deep_json_is_an_ordinary_error(depth: int) -> None:
    for opening, closing in (("[", "]"), ('{"code":', "}"), ('{"error":', "}")):
        nested = (opening * depth + "1" + closing * depth)[:60_000]
        for body in (nested, f'{{"code": {nested}, "message": "m"}}'):
            error = error_for(400, body.encode())
            assert type(error) is errors.BadRequestError
            assert len(str(error)) < 1000


CONTROLS = {
    "line break": "a\r\nHint: run b",
    "line separators": "a\u2028Hint: run\u2029b\x85c",
    "colour": "a\x1b[31;1mb\x1b[0m",
    "title": "a\x1b]0;title\x07b\x1b]2;title\x1b\\c",
    "link": "a\x1b]8;;https://evil.example\x1b\\b",
    "eight-bit": "a\x9b31mb\x9d0;title\x9cc",
    "unfinished": "a\x1b]0;title",
    "direction": "a\u202eb\u2066c\u200fd\u061ce\u2069",
    "bell and backspace": "a\x07\x08\x7fb",
    "surrogate": "a\ud800b",
}


@pytest.mark.parametrize("text", CONTROLS.values(), ids=CONTROLS)
def test_a_server_cannot_control_the_terminal_or_forge_lines(text: str) -> None:
    body = {"error_code": text, "error_msg": text, "request_id": text}
    shown = [
        str(error_for(400, body)),
        str(error_for(400, {"error_code": text})),
        str(errors.ApiError(400, text, text, text, hint=text)),
        str(errors.ResponseFormatError(text, status_code=200, request_id=text)),
        str(errors.ApiConnectionError(text)),
        str(errors.WaitTimeoutError(text)),
        redaction.printable(text),
    ]
    for each in shown:
        assert each.isprintable(), ascii(each)
        assert each.startswith(("a", "HTTP 400"))
    assert all(len(each) < 200 for each in shown)


def test_the_code_is_shown_within_bounds() -> None:
    assert len(str(error_for(400, {"error_code": "C" * 5000, "error_msg": "m"}))) < 200


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred\x1b[0m b", "ared b"),
        ("two\r\nlines\t", "two lines"),
        ("a\u202eb", "ab"),
        ("\x1b]0;title\x07text", "text"),
        ("参数无效：\u3000é 🙂 👩\u200d🔬", "参数无效：\u3000é 🙂 👩\u200d🔬"),
        ("مرحبا", "مرحبا"),
        ("a\ud800b", "a\ufffdb"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert redaction.printable(text) == shown


@pytest.mark.parametrize("length", [1, 1000, 100_000])
def test_printable_time_is_bounded(length: int) -> None:
    started = time.thread_time()
    for piece in ("\x1b[", "\x1b[0", "\x1b]", "\x9d", "\x1b", "\n ", "\u202e"):
        redaction.printable(piece * (length // len(piece)))
        redaction.printable(piece[0] + piece[-1] * length)
    assert time.thread_time() - started < 2
