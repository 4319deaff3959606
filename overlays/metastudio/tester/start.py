"""The first look: whether there is anything to test, said before hundreds of requests go out."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from metastudio import redaction
from metastudio.tester.catalogue import start
from metastudio.tester.http_client import Answer, CannotRunError, NoAnswerError, Probe
from metastudio.tester.operation_under_test import Subject
from metastudio.tester.relations.list_client import Bench, UnexpectedError
from metastudio.tester.verdicts import Evidence, Result, Verdict

_ABOUT_CREDENTIALS = re.compile(r"token|auth|credential|signature|tenant|\bak\b|access key", re.IGNORECASE)
_CLOCK_OFF = 300


def look(
    subject: Subject, probe: Probe, path: str, query: list[tuple[str, str]], bench: Bench | None, notes: list[str]
) -> Result:
    """Send one plain request. Return the verdict on it.

    Raises CannotRunError where the server cannot be reached, or does not let the caller in.
    """
    property_ = start(subject)
    if subject.operation.method != "GET":
        return Result(property_, Verdict.NOT_EXERCISED, note=f"{subject.operation.method} is left to schemathesis")
    try:
        answer = probe.send(path, query)
        if answer.status in (401, 403) and _learn_clock(answer, probe):
            notes.append("this machine's clock is wrong: signed by the date of the server's answer")
            answer = probe.send(path, query)
    except NoAnswerError as error:
        raise CannotRunError(f"{probe.base_url}: {error}") from None
    _stop_if_hopeless(answer, probe)
    wrong = _wrong(subject, answer, bench)
    if wrong is None:
        return Result(property_, Verdict.PASS, 1)
    return Result(property_, Verdict.BREACH, 1, evidence=(Evidence("a declared success", wrong, (answer.command,)),))


def _wrong(subject: Subject, answer: Answer, bench: Bench | None) -> str | None:
    if answer.status not in subject.operation.success:
        to = " to another address" if 300 <= answer.status < 400 else ""
        return f"status {answer.status}{to}"
    if bench is not None:
        try:
            bench.read(answer)
        except UnexpectedError as error:
            return error.what
    elif subject.operation.success[answer.status] is not None and not answer.is_json:
        return f"status {answer.status} with a body that is not JSON"
    return None


def _stop_if_hopeless(answer: Answer, probe: Probe) -> None:
    said = _said(answer)
    who = (
        "the key pair" if probe.access.keys else "the token" if probe.access.token else "a request without credentials"
    )
    if answer.status in (401, 403) or (answer.status == 400 and _ABOUT_CREDENTIALS.search(said)):
        raise CannotRunError(
            f"the server does not accept {who}: status {answer.status}{said}. Check the credentials, and that they "
            f"are for the project {probe.access.project_id}; nothing else was sent"
        )
    if answer.status == 400 and b"HTTPS port" in answer.body:
        raise CannotRunError(f"{probe.base_url} speaks https: write https:// for http://")
    if answer.status == 407:
        raise CannotRunError(
            "a proxy in between wants credentials of its own: status 407. See HTTPS_PROXY and NO_PROXY"
        )
    if answer.status == 404:
        raise CannotRunError(f"there is nothing at {answer.url}: status 404{said}. Check the URL and the project")
    if answer.status == 429:
        raise CannotRunError(f"the server has no time: status 429{said}. Try later, or with --rate-limit")
    if answer.status in (502, 503, 504):
        raise CannotRunError(f"the service behind the gateway does not answer: status {answer.status}{said}")


def _said(answer: Answer) -> str:
    if not answer.is_json or not isinstance(answer.json, dict):
        return ""
    body = answer.json
    words = [
        str(body[name]) for name in ("error_code", "errorCode", "error_msg", "errorMsg", "message") if body.get(name)
    ]
    return f" ({redaction.mask(', '.join(words))[:200]})" if words else ""


def _learn_clock(answer: Answer, probe: Probe) -> bool:
    """Set the clock by the server's `Date` where this machine's is far off, and say whether it was."""
    if probe.access.keys is None:
        return False
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        return False
    if abs((theirs - probe.access.clock.now()).total_seconds()) < _CLOCK_OFF:
        return False
    probe.access.clock.set_to(theirs)
    return True
