"""The cases of the authentication matrix, for each security requirement of the contract."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from metastudio.contract.operation import Parameter
from metastudio.tester.caller import PROJECT, UNTAMPERED, Caller, Tampering
from metastudio.tester.forgeries import FORGERIES, fake_like
from metastudio.tester.operation_under_test import OperationUnderTest

_ANY_TEXT = "a b+c*d~e/f,g&h=%41 ü"


@dataclass(frozen=True)
class AuthCase:
    """One request of the matrix.

    Args:
        id: property ID.
        sentence: the requirement in words.
        caller: whose credentials the request carries.
        path: path with its parameters filled in.
        accepted: whether the server must accept the request.
        tampering: changes that make the signature invalid.
        may_lock_key: whether the request counts as a failure of the caller's key.
        forgery: name of the forged signature.
        query: query to send instead of the default one.
        headers: further headers.
        also_accepted: further conforming statuses.
        impossible: why this contract does not allow the case; empty if it does.
    """

    id: str
    sentence: str
    caller: Caller
    path: str
    accepted: bool = False
    tampering: Tampering | Callable[[Caller, str], Tampering] = UNTAMPERED
    may_lock_key: bool = False
    forgery: str | None = None
    query: Sequence[tuple[str, str]] = ()
    headers: Sequence[tuple[str, str]] = ()
    also_accepted: tuple[int, ...] = ()
    impossible: str = ""


@dataclass(frozen=True)
class AuthCases:
    """The cases of one operation.

    Args:
        tested: the operation.
        caller: the caller.
        path_for: returns the path for a project ID.
        has_query: whether requests carry a query.
        other: a second caller, for the tenant isolation check.
        expired_token: a token that is no longer valid.
    """

    tested: OperationUnderTest
    caller: Caller
    path_for: Callable[[str], str]
    has_query: bool
    other: Caller | None = None
    expired_token: str | None = None

    def __iter__(self) -> Iterator[AuthCase]:
        return (case for case in self._every() if case.accepted or not self._is_right(case))

    def _is_right(self, case: AuthCase) -> bool:
        """Whether a request that must be refused is one that must be accepted, as in a contract without projects."""
        mine, sent = self.caller, case.caller
        own_key = sent.keys is not None and sent.keys == mine.keys
        own_token = sent.keys is None and sent.token is not None and sent.token == mine.token
        untampered = case.tampering is UNTAMPERED and case.path == self.path_for(mine.project_id)
        return untampered and (own_key or own_token)

    def _every(self) -> Iterator[AuthCase]:
        caller, path = self.caller, self.path_for(self.caller.project_id)
        yield AuthCase("none", "A request without credentials is refused.", Caller(caller.project_id), path)
        requirements = [{name.lower() for name in requirement} for requirement in self.tested.security_requirements]
        for requirement in requirements:
            if "authorization" in requirement and len(requirement) > 1:
                yield from self._signed(caller, path)
            elif len(requirement) == 1:
                yield from self._token(caller, path)

    def _token(self, caller: Caller, path: str) -> Iterator[AuthCase]:
        bearer = replace(caller, keys=None)
        if caller.token is not None:
            yield AuthCase("token.right", "A valid token is accepted.", bearer, path, accepted=True)
            changed = caller.token[:-1] + ("A" if caller.token[-1] != "A" else "B")
            changed_one = replace(bearer, token=changed, shown_token=f"${{METASTUDIO_TOKEN%?}}{changed[-1]}")
            yield AuthCase("token.changed", "A token with one character changed is refused.", changed_one, path)
            yield from self._foreign("token", bearer)
        yield AuthCase(
            "token.made-up",
            "A made-up token is refused.",
            _bearing(bearer, fake_like(caller.token or "a1b2" * 8)),
            path,
        )
        claim = base64.b64encode(
            b'{"token":{"expires_at":"2020-01-01T00:00:00.000000Z","methods":["password"]}}'
        ).decode()
        expired = self.expired_token or claim
        sentence = (
            "An expired token is refused."
            if self.expired_token
            else "A token with an expiry date in the past is refused."
        )
        bearer_of_expired = _bearing(bearer, expired, "$METASTUDIO_EXPIRED_TOKEN" if self.expired_token else None)
        yield AuthCase("token.expired", sentence, bearer_of_expired, path)
        yield AuthCase(
            "token.empty",
            "An empty token is refused.",
            Caller(caller.project_id),
            path,
            headers=[(caller.token_header, "")],
        )

    def _signed(self, caller: Caller, path: str) -> Iterator[AuthCase]:
        if caller.keys is None:
            return
        signer = caller.with_key_only()
        text = next((n for n, each in self.tested.operation.parameters.items() if self._takes_any_text(each)), None)
        yield AuthCase("signature.right", "A valid signature is accepted.", signer, path, accepted=True)
        sentence = "A valid signature over a query with special characters is accepted, or the query is refused."
        yield AuthCase(
            "signature.any-query",
            sentence,
            signer,
            path,
            accepted=True,
            query=[(text, _ANY_TEXT)] if text else (),
            also_accepted=(400,),
            impossible="" if text else "needs a text parameter whose effect the contract states",
        )
        for name, forgery in FORGERIES.items():
            if name.startswith("query-") and not self.has_query:
                continue
            sentence = f"A request {forgery.sentence} is refused."
            yield AuthCase(
                f"signature.{name}", sentence, signer, path, False, forgery.tampering, forgery.may_lock_key, name
            )
        yield from self._foreign("signature", signer)

    def _takes_any_text(self, parameter: Parameter) -> bool:
        text = parameter.location == "query" and parameter.schema.get("type") == "string"
        return text and not parameter.values and not parameter.is_time and parameter.name not in self.tested.unstated

    def _foreign(self, scheme: str, caller: Caller) -> Iterator[AuthCase]:
        """Cases of tenant isolation: each caller with the project of the other. None if the path names no project."""
        other = self.other or Caller(fake_like(caller.project_id))
        whose = "the project of the second caller" if self.other else "a project that is not the caller's"
        path, own = self.path_for(other.project_id), self.path_for(caller.project_id)
        if path == own:
            return
        yield AuthCase(f"{scheme}.foreign-path", f"A request to {whose} is refused.", caller, path)
        if scheme == "signature":
            sentence = f"A request to {whose} is refused, also with its ID in {PROJECT}."
            yield AuthCase(f"{scheme}.foreign-project", sentence, caller.with_project_header(other.project_id), path)
        if self.other is not None and (self.other.keys if scheme == "signature" else self.other.token):
            stranger = self.other.with_key_only() if scheme == "signature" else self.other.with_token_only()
            yield AuthCase(
                f"{scheme}.other-caller",
                "The second caller is accepted in its own project.",
                stranger,
                path,
                accepted=True,
                impossible="the path names an item of the first caller" if self._names_item() else "",
            )
            yield AuthCase(f"{scheme}.visitor", "The second caller is refused in the caller's project.", stranger, own)
            if scheme == "signature":
                sentence = f"The second caller is refused in the caller's project, also with its ID in {PROJECT}."
                yield AuthCase(
                    f"{scheme}.visitor-project", sentence, stranger.with_project_header(caller.project_id), own
                )

    def _names_item(self) -> bool:
        """Whether the path has an ID besides the project's, which belongs to the first caller."""
        parameters = self.tested.operation.parameters.values()
        return any(p.location == "path" and p.name != "project_id" and not p.values for p in parameters)


def _bearing(caller: Caller, token: str, shown: str | None = None) -> Caller:
    """The caller with another token. `shown` is the variable that holds it; without one the token is no secret."""
    return replace(caller, token=token, shown_token=shown or re.sub(r'([$`"\\])', r"\\\1", token))
