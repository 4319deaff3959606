"""The cases of the authentication matrix, for each security requirement of the contract."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from metastudio.contract.operation import Parameter
from metastudio.tester import curl
from metastudio.tester.access import PROJECT, SIGNATURE, Login, Scheme, SchemeKind
from metastudio.tester.caller import Caller
from metastudio.tester.forgeries import FORGERIES, fake_like
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.shapes import probing_query

MISSING = {
    SchemeKind.SIGNATURE: "no key pair was given",
    SchemeKind.TOKEN: "no token was given",
    SchemeKind.BASIC: "no user and password were given",
}
NO_OTHER = "needs a second caller (METASTUDIO_OTHER_PROJECT_ID)"
_NAMES = {SchemeKind.SIGNATURE: "signature", SchemeKind.TOKEN: "token", SchemeKind.BASIC: "user name and password"}
_ANY_TOKEN, _MALFORMED = "a1b2" * 8, "{no,token:%%}"
_EXPIRED = base64.b64encode(b'{"token":{"expires_at":"2020-01-01T00:00:00.000000Z","methods":["password"]}}').decode()
_EXPIRED_JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE1Nzc4MzY4MDB9.{'A' * 43}"
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
        forgery: name of the forged signature; None for a valid one.
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
    forgery: str | None = None
    query: Sequence[tuple[str, str]] = ()
    headers: Sequence[tuple[str, str]] = ()
    also_accepted: tuple[int, ...] = ()
    impossible: str = ""

    @property
    def may_lock_key(self) -> bool:
        """Whether the request counts as a failure of the caller's key."""
        return self.forgery is not None and FORGERIES[self.forgery].may_lock_key


def auth_cases(
    tested: OperationUnderTest, caller: Caller, other: Caller | None, expired_token: str | None
) -> Iterator[AuthCase]:
    """Yield the cases of an operation, also those that are impossible with these credentials.

    Cases that would send the right request are left out, such as a foreign path in a contract without projects.

    Args:
        tested: the operation.
        caller: the caller.
        other: a second caller, for the tenant isolation check.
        expired_token: a token that is no longer valid.
    """
    project = caller.project_id
    nobody = replace(caller, schemes=())
    yield AuthCase("none", "A request without credentials is refused.", nobody, project)
    for scheme in tested.security.schemes:
        sender = caller.with_schemes([scheme])
        missing = MISSING[scheme.kind] if sender.scheme is None else ""
        sentence = f"A valid {_NAMES[scheme.kind]} is accepted."
        tokens = [each for each in tested.security.schemes if each.kind is SchemeKind.TOKEN]
        is_other = scheme in tokens[1:]  # METASTUDIO_TOKEN may be for the first one only
        cases = [
            AuthCase(
                f"{scheme.id}.right", sentence, sender, project, accepted=True,
                impossible="METASTUDIO_TOKEN may be of another scheme" if is_other else "",
            )
        ]  # fmt: skip
        match scheme.kind:
            case SchemeKind.SIGNATURE:
                cases += _signed(tested, sender)
            case SchemeKind.TOKEN:
                cases += _changed_token(sender)
            case SchemeKind.BASIC:
                cases += _changed_login(sender)
        cases += _foreign(tested, sender, other)
        for each in cases:
            if _is_apt(each, caller, tested):
                yield replace(each, impossible=missing or each.impossible)
        yield from _made_up(sender, scheme, expired_token)


def _is_apt(case: AuthCase, caller: Caller, tested: OperationUnderTest) -> bool:
    """Return whether a case sends the intended request: one that must be refused differs from the valid one."""
    is_own_path = case.project == caller.project_id or "{project_id}" not in tested.operation.path
    scheme = case.caller.scheme
    is_own = scheme is not None and case.caller.credential(scheme) == caller.credential(scheme)
    return case.accepted or not (is_own_path and is_own and case.forgery is None)


def _changed_token(caller: Caller) -> Iterator[AuthCase]:
    token = caller.token or "none"
    middle = len(token) // 2  # the last character of a base64 text may have bits without meaning
    other = "A" if token[middle] != "A" else "B"
    shown = f"${{METASTUDIO_TOKEN:0:{middle}}}{other}${{METASTUDIO_TOKEN:{middle + 1}}}"
    changed = replace(caller, token=f"{token[:middle]}{other}{token[middle + 1 :]}", shown_token=shown)
    id_ = f"{caller.schemes[0].id}.changed"
    yield AuthCase(id_, "A token with one character changed is refused.", changed, caller.project_id)


def _changed_login(caller: Caller) -> Iterator[AuthCase]:
    user, password = caller.login or Login("user", "password")
    wrong, unknown = "contract-test-wrong-password", "contract-test-unknown-user"
    sender = replace(caller, login=Login(user, wrong), shown_login=f"$METASTUDIO_USER:{wrong}")
    yield AuthCase("basic.wrong-password", "A wrong password is refused.", sender, caller.project_id)
    sender = replace(caller, login=Login(unknown, password), shown_login=f"{unknown}:$METASTUDIO_PASSWORD")
    yield AuthCase("basic.unknown-user", "An unknown user is refused.", sender, caller.project_id)


def _made_up(caller: Caller, scheme: Scheme, expired_token: str | None) -> Iterator[AuthCase]:
    """Yield the cases that need no credentials: made-up, malformed, expired and empty ones."""
    project, id_ = caller.project_id, scheme.id
    if scheme.kind is SchemeKind.SIGNATURE:
        return
    # Any value can be sent as if it were a token.
    raw = caller.with_schemes([replace(scheme, kind=SchemeKind.TOKEN)])

    def case(name: str, sentence: str, token: str, shown: str | None = None) -> AuthCase:
        sender = replace(raw, token=token, shown_token=shown or curl.escaped(token))
        return AuthCase(f"{id_}.{name}", sentence, sender, project)

    if scheme.kind is SchemeKind.TOKEN:
        yield case("made-up", "A made-up token is refused.", fake_like(caller.token or _ANY_TOKEN))
        yield case("malformed", "A malformed token is refused.", _MALFORMED)
        if expired_token:
            yield case("expired", "An expired token is refused.", expired_token, "$METASTUDIO_EXPIRED_TOKEN")
        else:
            sentence = "A token with an expiry date in the past is refused."
            yield case("expired", sentence, _EXPIRED_JWT if scheme.word else _EXPIRED)
    else:
        yield case("malformed", "Malformed credentials are refused.", _MALFORMED)
        yield case("made-up", "Made-up credentials are refused.", Login("nobody", "nothing").encoded)
    sentence = f"An empty {_NAMES[scheme.kind]} is refused."
    if scheme.location == "header" and not scheme.word:
        nobody = replace(caller, schemes=())
        yield AuthCase(f"{id_}.empty", sentence, nobody, project, headers=[(scheme.name, "")])
    else:
        yield case("empty", sentence, "")


def _signed(tested: OperationUnderTest, caller: Caller) -> Iterator[AuthCase]:
    project, parameters = caller.project_id, tested.operation.parameters.values()
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
        impossible = "needs a query parameter" if name.startswith("query-") and not probing_query(tested) else ""
        yield AuthCase(f"signature.{name}", sentence, caller, project, forgery=name, impossible=impossible)


def _takes_any_text(tested: OperationUnderTest, parameter: Parameter) -> bool:
    text = parameter.location == "query" and parameter.schema.get("type") == "string"
    return text and not parameter.values and not parameter.is_time and parameter.name not in tested.unstated


def _foreign(tested: OperationUnderTest, caller: Caller, other: Caller | None) -> Iterator[AuthCase]:
    """Yield the cases of tenant isolation: each caller with the project of the other."""
    scheme = caller.schemes[0]
    own, is_signed, has_project = caller.project_id, scheme == SIGNATURE, "{project_id}" in tested.operation.path
    foreign = other.project_id if other else fake_like(own)
    stranger = replace(other, schemes=caller.schemes) if other else Caller(foreign, schemes=())
    missing = (
        NO_OTHER if other is None else "" if stranger.scheme else f"the second caller has no {_NAMES[scheme.kind]}"
    )
    parameters = tested.operation.parameters.values()
    names_item = any(p.location == "path" and p.name != "project_id" and not p.values for p in parameters)
    not_own = "the path names an item of the first caller" if names_item else ""

    def case(id_: str, sentence: str, sender: Caller, project: str, **more: Any) -> AuthCase:
        return AuthCase(f"{scheme.id}.{id_}", sentence, sender, project, **more)

    if other is not None or has_project:
        sentence = f"The second caller is accepted{' in its own project' if has_project else ''}."
        yield case("other-caller", sentence, stranger, foreign, accepted=True, impossible=missing or not_own)
    if not has_project or foreign == own:
        return
    whose = "the project of the second caller" if other else "a project that is not the caller's"
    yield case("foreign-path", f"A request to {whose} is refused.", caller, foreign)
    sentence = "The second caller is refused in the caller's project"
    yield case("visitor", f"{sentence}.", stranger, own, impossible=missing)
    if is_signed:
        visitor, visited = stranger.with_project_header(own), caller.with_project_header(foreign)
        yield case("visitor-project", f"{sentence}, also with its ID in {PROJECT}.", visitor, own, impossible=missing)
        sentence = f"A request to {whose} is refused, also with its ID in {PROJECT}."
        yield case("foreign-project", sentence, visited, foreign)
