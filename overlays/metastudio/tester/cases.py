"""The cases of the authentication matrix, for each security requirement of the contract."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from metastudio.contract.operation import Parameter
from metastudio.tester.caller import PROJECT, UNTAMPERED, Caller, Tampering
from metastudio.tester.forgeries import FORGERIES, fake_like
from metastudio.tester.operation_under_test import OperationUnderTest

NO_KEYS, NO_TOKEN = "no key pair was given", "no token was given"
NO_OTHER = "needs a second caller (METASTUDIO_OTHER_PROJECT_ID)"
_ANY_TOKEN = "a1b2" * 8
_EXPIRED = base64.b64encode(b'{"token":{"expires_at":"2020-01-01T00:00:00.000000Z","methods":["password"]}}').decode()
_ANY_TEXT = "a b+c*d~e/f,g&h=%41 ü"


@dataclass(frozen=True)
class AuthCase:
    """One request of the matrix.

    Args:
        id: property ID.
        sentence: the requirement in words.
        caller: whose credentials the request carries.
        project: the project ID in the path.
        accepted: whether the server must accept the request.
        tampering: changes that make the signature invalid.
        may_lock_key: whether the request counts as a failure of the caller's key.
        forgery: name of the forged signature.
        query: query to send instead of the default one.
        headers: further headers.
        also_accepted: further conforming statuses.
        impossible: why the contract or the credentials do not allow the case; empty if they do.
    """

    id: str
    sentence: str
    caller: Caller
    project: str
    accepted: bool = False
    tampering: Tampering | Callable[[Caller, str], Tampering] = UNTAMPERED
    may_lock_key: bool = False
    forgery: str | None = None
    query: Sequence[tuple[str, str]] = ()
    headers: Sequence[tuple[str, str]] = ()
    also_accepted: tuple[int, ...] = ()
    impossible: str = ""


def auth_cases(
    tested: OperationUnderTest,
    caller: Caller,
    other: Caller | None,
    expired_token: str | None,
    query: Sequence[tuple[str, str]],
) -> Iterator[AuthCase]:
    """Yield the cases of an operation, also those that are impossible with these credentials.

    Cases that would send the right request are left out, such as a foreign path in a contract without projects.

    Args:
        tested: the operation.
        caller: the caller.
        other: a second caller, for the tenant isolation check.
        expired_token: a token that is no longer valid.
        query: the query of requests that do not bring their own.
    """
    has_project = "{project_id}" in tested.operation.path
    for case in _every_case(tested, caller, other, expired_token, query):
        is_own_path = case.project == caller.project_id or not has_project
        is_right = is_own_path and case.tampering is UNTAMPERED and _is_same(case.caller, caller)
        if case.accepted or not is_right:
            yield case


def _is_same(sender: Caller, caller: Caller) -> bool:
    """Whether a request carries the caller's own credentials."""
    if sender.keys is not None:
        return sender.keys == caller.keys
    return sender.token is not None and sender.token == caller.token


def _every_case(
    tested: OperationUnderTest,
    caller: Caller,
    other: Caller | None,
    expired_token: str | None,
    query: Sequence[tuple[str, str]],
) -> Iterator[AuthCase]:
    yield AuthCase("none", "A request without credentials is refused.", Caller(caller.project_id), caller.project_id)
    for requirement in tested.security_requirements:
        if "authorization" in (name.lower() for name in requirement) and len(requirement) > 1:
            impossible = "" if caller.keys else NO_KEYS
            for case in _signed(tested, caller.with_key_only(), other, query):
                yield replace(case, impossible=impossible or case.impossible)
        elif len(requirement) == 1:
            yield from _token(tested, caller.with_token_only(), other, expired_token)


def _token(
    tested: OperationUnderTest, caller: Caller, other: Caller | None, expired_token: str | None
) -> Iterator[AuthCase]:
    project, token, missing = caller.project_id, caller.token or _ANY_TOKEN, "" if caller.token else NO_TOKEN
    yield AuthCase("token.right", "A valid token is accepted.", caller, project, accepted=True, impossible=missing)
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    changed_one = replace(caller, token=changed, shown_token=f"${{METASTUDIO_TOKEN%?}}{changed[-1]}")
    sentence = "A token with one character changed is refused."
    yield AuthCase("token.changed", sentence, changed_one, project, impossible=missing)
    for case in _foreign(tested, "token", caller, other):
        yield replace(case, impossible=missing or case.impossible)
    yield AuthCase("token.made-up", "A made-up token is refused.", _bearing(caller, fake_like(token)), project)
    sentence = (
        "An expired token is refused." if expired_token else "A token with an expiry date in the past is refused."
    )
    expired = _bearing(caller, expired_token or _EXPIRED, "$METASTUDIO_EXPIRED_TOKEN" if expired_token else None)
    yield AuthCase("token.expired", sentence, expired, project)
    nobody, empty = Caller(project), [(caller.token_header, "")]
    yield AuthCase("token.empty", "An empty token is refused.", nobody, project, headers=empty)


def _signed(
    tested: OperationUnderTest, caller: Caller, other: Caller | None, query: Sequence[tuple[str, str]]
) -> Iterator[AuthCase]:
    project = caller.project_id
    yield AuthCase("signature.right", "A valid signature is accepted.", caller, project, accepted=True)
    parameters = tested.operation.parameters.values()
    text = next((each.name for each in parameters if _takes_any_text(tested, each)), None)
    yield AuthCase(
        "signature.any-query",
        "A valid signature over a query with special characters is accepted, or the query is refused.",
        caller,
        project,
        accepted=True,
        query=[(text, _ANY_TEXT)] if text else (),
        also_accepted=(400,),
        impossible="" if text else "needs a text parameter whose effect the contract states",
    )
    for name, forgery in FORGERIES.items():
        sentence = f"A request {forgery.sentence} is refused."
        impossible = "needs a query parameter" if name.startswith("query-") and not query else ""
        yield AuthCase(
            f"signature.{name}", sentence, caller, project, tampering=forgery.tampering,
            may_lock_key=forgery.may_lock_key, forgery=name, impossible=impossible,
        )  # fmt: skip
    yield from _foreign(tested, "signature", caller, other)


def _takes_any_text(tested: OperationUnderTest, parameter: Parameter) -> bool:
    text = parameter.location == "query" and parameter.schema.get("type") == "string"
    return text and not parameter.values and not parameter.is_time and parameter.name not in tested.unstated


def _foreign(tested: OperationUnderTest, scheme: str, caller: Caller, other: Caller | None) -> Iterator[AuthCase]:
    """Yield the cases of tenant isolation: each caller with the project of the other."""
    own, is_signed = caller.project_id, scheme == "signature"
    foreign = other.project_id if other else fake_like(own)
    whose = "the project of the second caller" if other else "a project that is not the caller's"

    def case(id_: str, sentence: str, sender: Caller, project: str, **more: Any) -> AuthCase:
        return AuthCase(f"{scheme}.{id_}", sentence, sender, project, **more)

    if "{project_id}" not in tested.operation.path or foreign == own:
        return
    yield case("foreign-path", f"A request to {whose} is refused.", caller, foreign)
    if is_signed:
        sentence = f"A request to {whose} is refused, also with its ID in {PROJECT}."
        yield case("foreign-project", sentence, caller.with_project_header(foreign), foreign)
    stranger, missing = other or Caller(foreign), "" if other else NO_OTHER
    stranger = stranger.with_key_only() if is_signed else stranger.with_token_only()
    missing = missing or ("" if stranger.keys or stranger.token else f"the second caller has no {scheme}")
    names_item = any(
        p.location == "path" and p.name != "project_id" and not p.values for p in tested.operation.parameters.values()
    )
    sentence = "The second caller is accepted in its own project."
    not_own = "the path names an item of the first caller" if names_item else ""
    yield case("other-caller", sentence, stranger, foreign, accepted=True, impossible=missing or not_own)
    sentence = "The second caller is refused in the caller's project"
    yield case("visitor", f"{sentence}.", stranger, own, impossible=missing)
    if is_signed:
        visitor = stranger.with_project_header(own)
        yield case("visitor-project", f"{sentence}, also with its ID in {PROJECT}.", visitor, own, impossible=missing)


def _bearing(caller: Caller, token: str, shown: str | None = None) -> Caller:
    """The caller with another token. `shown` is the variable that holds it; without one the token is no secret."""
    return replace(caller, token=token, shown_token=shown or re.sub(r'([$`"\\])', r"\\\1", token))
