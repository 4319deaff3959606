"""The cases of the authentication matrix: each way in that the contract declares, from every side."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from metastudio.contract.operation import Parameter
from metastudio.tester.access import PROJECT, RIGHT, Access, Tamper
from metastudio.tester.forgeries import FORGERIES, made_up
from metastudio.tester.operation_under_test import Subject

_ANY_TEXT = "a b+c*d~e/f,g&h=%41 ü"


@dataclass(frozen=True)
class Case:
    """One request of the matrix. `let_in` says whether it must be; `own_key` whether it may lock the caller's key.

    `or_else` are other statuses that are as right.
    """

    id: str
    sentence: str
    access: Access
    path: str
    let_in: bool = False
    tamper: Tamper | Callable[[Access, str], Tamper] = RIGHT
    own_key: bool = False
    forgery: str | None = None
    query: Sequence[tuple[str, str]] = ()
    headers: Sequence[tuple[str, str]] = ()
    or_else: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cases:
    """All cases of one operation, for a caller and perhaps another one. `path_for` gives its path for a project."""

    subject: Subject
    caller: Access
    path_for: Callable[[str], str]
    has_query: bool
    other: Access | None = None
    expired_token: str | None = None

    def __iter__(self) -> Iterator[Case]:
        caller, path = self.caller, self.path_for(self.caller.project_id)
        yield Case("none", "A request without credentials is refused.", Access(caller.project_id), path)
        ways = [{name.lower() for name in way} for way in self.subject.ways_in]
        for way in ways:
            if "authorization" in way and len(way) > 1:
                yield from self._signed(caller, path)
            elif len(way) == 1:
                yield from self._token(caller, path)

    def _token(self, caller: Access, path: str) -> Iterator[Case]:
        bearer = replace(caller, keys=None)
        if caller.token is not None:
            yield Case("token.right", "A right token is let in.", bearer, path, let_in=True)
            changed = caller.token[:-1] + ("A" if caller.token[-1] != "A" else "B")
            changed_one = replace(bearer, token=changed, shown_token=f"${{METASTUDIO_TOKEN%?}}{changed[-1]}")
            yield Case("token.changed", "A token with one character changed is refused.", changed_one, path)
            yield from self._foreign("token", bearer)
        yield Case(
            "token.made-up",
            "A made-up token is refused.",
            _bearing(bearer, made_up(caller.token or "a1b2" * 8)),
            path,
        )
        claim = base64.b64encode(
            b'{"token":{"expires_at":"2020-01-01T00:00:00.000000Z","methods":["password"]}}'
        ).decode()
        expired = self.expired_token or claim
        sentence = (
            "An expired token is refused."
            if self.expired_token
            else "A token that says of itself that it is expired is refused."
        )
        bearer_of_expired = _bearing(bearer, expired, "$METASTUDIO_EXPIRED_TOKEN" if self.expired_token else None)
        yield Case("token.expired", sentence, bearer_of_expired, path)
        yield Case(
            "token.empty",
            "An empty token is refused.",
            Access(caller.project_id),
            path,
            headers=[(caller.token_header, "")],
        )

    def _signed(self, caller: Access, path: str) -> Iterator[Case]:
        if caller.keys is None:
            return
        signer = caller.as_key()
        text = next((each.name for each in self.subject.operation.parameters.values() if _takes_any_text(each)), None)
        yield Case("signature.right", "A right signature is let in.", signer, path, let_in=True)
        if text is not None:
            sentence = "A right signature over a query with any characters is let in, or the query itself refused."
            yield Case(
                "signature.any-query",
                sentence,
                signer,
                path,
                let_in=True,
                query=[(text, _ANY_TEXT)],
                or_else=(400,),
            )
        for name, forgery in FORGERIES.items():
            if name.startswith("query-") and not self.has_query:
                continue
            sentence = f"A request {forgery.sentence} is refused."
            yield Case(f"signature.{name}", sentence, signer, path, False, forgery.tamper, forgery.own_key, name)
        yield from self._foreign("signature", signer)

    def _foreign(self, way: str, caller: Access) -> Iterator[Case]:
        """The path of another project, with the caller's credentials, and the other way round."""
        other = self.other or Access(made_up(caller.project_id))
        whose = "another caller's project" if self.other else "a project that is not the caller's"
        path = self.path_for(other.project_id)
        yield Case(f"{way}.foreign-path", f"The path of {whose} is refused.", caller, path)
        if way == "signature":
            sentence = f"The path of {whose} is refused, when {PROJECT} names it too."
            yield Case(f"{way}.foreign-project", sentence, caller.naming(other.project_id), path)
        if self.other is not None and (self.other.keys if way == "signature" else self.other.token):
            visitor = self.other.as_key() if way == "signature" else self.other.as_token()
            own = self.path_for(caller.project_id)
            yield Case(
                f"{way}.other-caller", "Another caller is let into that one's own project.", visitor, path, let_in=True
            )
            yield Case(f"{way}.visitor", "Another caller is refused the caller's project.", visitor, own)
            if way == "signature":
                sentence = f"Another caller is refused the caller's project, when {PROJECT} names it too."
                yield Case(f"{way}.visitor-project", sentence, visitor.naming(caller.project_id), own)


def _bearing(caller: Access, token: str, shown: str | None = None) -> Access:
    """The caller with another token, which is no secret unless a variable stands for it."""
    return replace(caller, token=token, shown_token=shown or re.sub(r'([$`"\\])', r"\\\1", token))


def _takes_any_text(parameter: Parameter) -> bool:
    text = parameter.location == "query" and parameter.schema.get("type") == "string"
    return text and not parameter.values and not parameter.is_time
