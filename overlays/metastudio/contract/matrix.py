"""The authentication matrix: who must be let in, and who must not, for each way in that the contract declares.

More than five wrong signatures in a row lock a key for five minutes (facts, section 2.2). So never more than three go
out with the caller's key before a right one, and a right one that is refused ends the matrix.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from metastudio.contract.access import PROJECT, RIGHT, Access, Tamper, in_path
from metastudio.contract.forgeries import FORGERIES, made_up
from metastudio.contract.probe import TIME_IS_UP, NoAnswerError, Probe, TimeIsUpError
from metastudio.contract.shapes.answers import faults
from metastudio.contract.subject import Subject
from metastudio.contract.verdicts import Evidence, Property, Result, Suite, Verdict
from metastudio.operations import Parameter
from metastudio.signing import canonical_query

REFUSED = (400, 401, 403, 404)
"""Statuses of a refusal: this service answers 400 to a bad token (facts, section 4.3)."""
MOST_IN_A_ROW = 3
_LOCKED = re.compile(r"reach the limit|locked|too many (failed|wrong)", re.IGNORECASE)
_ANY_TEXT = "a b+c*d~e/f,g&h=%41 ü"


class KeyRefusedError(Exception):
    """A right signature was refused in the middle of the matrix."""


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


class Matrix:
    """The matrix for one operation. `path_for` gives its path for a project, `query` is a right one to send."""

    def __init__(
        self,
        subject: Subject,
        probe: Probe,
        path_for: Callable[[str], str],
        query: Sequence[tuple[str, str]],
        *,
        other: Access | None = None,
        expired_token: str | None = None,
    ) -> None:
        self.subject = subject
        self.probe = probe
        self.query = query
        self._path_for = path_for
        self._other = other
        self._expired = expired_token
        self._in_a_row = 0
        self._text = next((each.name for each in subject.operation.parameters.values() if _takes_any_text(each)), None)

    def run(self) -> Iterator[Result]:
        """Yield the verdict on each case."""
        stopped = ""
        for case in self._cases():
            if stopped:
                yield Result(self._property(case), Verdict.NOT_EXERCISED, note=stopped)
                continue
            try:
                yield self._judge(case)
            except (KeyRefusedError, TimeIsUpError) as error:
                stopped = str(error) or TIME_IS_UP
                yield Result(self._property(case), Verdict.NOT_EXERCISED, note=stopped)

    def properties(self) -> Iterator[Property]:
        """Yield what would be looked at."""
        yield from (self._property(case) for case in self._cases())

    def _judge(self, case: Case) -> Result:
        property_ = self._property(case)
        if case.own_key and self._in_a_row >= MOST_IN_A_ROW:
            self._reassure()
        url = f"{self.probe.base_url}{case.path}"
        query = case.query or self.query
        tamper = case.tamper(case.access, _with(url, query)) if callable(case.tamper) else case.tamper
        try:
            answer = self.probe.send(
                case.path, query, access=case.access, tamper=tamper, case=case.forgery, headers=case.headers
            )
        except NoAnswerError as error:
            evidence = Evidence("a refusal" if not case.let_in else "an answer", str(error), (error.command,))
            verdict = Verdict.UNDECIDED if error.slow else Verdict.BREACH
            return Result(property_, verdict, 1, evidence=(evidence,))
        refused = answer.status in REFUSED
        if case.own_key:
            self._in_a_row = self._in_a_row + 1 if refused else 0
        if refused and case.own_key and _LOCKED.search(answer.body.decode("utf-8", "replace")):
            raise KeyRefusedError("the server says that the key is locked: the matrix stops here")
        leaks = [fault for fault in faults(self.subject, answer) if fault.kind == "leak"]
        if answer.status == 429:
            return Result(property_, Verdict.UNDECIDED, 1, "too many requests")
        if answer.status in case.or_else and not leaks:
            return Result(property_, Verdict.PASS, 1)
        if refused is not case.let_in and not leaks and (refused or 200 <= answer.status < 300):
            return Result(property_, Verdict.PASS, 1)
        expected = "a success" if case.let_in else "a refusal: 400, 401, 403 or 404"
        seen = leaks[0].what if leaks else f"status {answer.status}"
        return Result(property_, Verdict.BREACH, 1, evidence=(Evidence(expected, seen, (answer.command,)),))

    def _reassure(self) -> None:
        """Send a right request with the caller's key, so that wrong ones do not add up."""
        answer = self.probe.send(
            self._path_for(self.probe.access.project_id), self.query, access=self.probe.access.as_key()
        )
        if answer.status in REFUSED:
            raise KeyRefusedError(f"a right signature was refused with {answer.status}: the matrix stops here")
        self._in_a_row = 0

    def _property(self, case: Case) -> Property:
        return Property(self.subject.name, Suite.AUTH, case.id, case.sentence, self.subject.security_place)

    def _cases(self) -> Iterator[Case]:
        caller, path = self.probe.access, self._path_for(self.probe.access.project_id)
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
        expired = self._expired or claim
        sentence = (
            "An expired token is refused."
            if self._expired
            else "A token that says of itself that it is expired is refused."
        )
        bearer_of_expired = _bearing(bearer, expired, "$METASTUDIO_EXPIRED_TOKEN" if self._expired else None)
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
        yield Case("signature.right", "A right signature is let in.", signer, path, let_in=True)
        if self._text is not None:
            sentence = "A right signature over a query with any characters is let in, or the query itself refused."
            yield Case(
                "signature.any-query",
                sentence,
                signer,
                path,
                let_in=True,
                query=[(self._text, _ANY_TEXT)],
                or_else=(400,),
            )
        for name, forgery in FORGERIES.items():
            if name.startswith("query-") and not self.query:
                continue
            sentence = f"A request {forgery.sentence} is refused."
            yield Case(f"signature.{name}", sentence, signer, path, False, forgery.tamper, forgery.own_key, name)
        yield from self._foreign("signature", signer)

    def _foreign(self, way: str, caller: Access) -> Iterator[Case]:
        """The path of another project, with the caller's credentials, and the other way round."""
        other = self._other or Access(made_up(caller.project_id))
        whose = "another caller's project" if self._other else "a project that is not the caller's"
        path = self._path_for(other.project_id)
        yield Case(f"{way}.foreign-path", f"The path of {whose} is refused.", caller, path)
        if way == "signature":
            sentence = f"The path of {whose} is refused, when {PROJECT} names it too."
            yield Case(f"{way}.foreign-project", sentence, caller.naming(other.project_id), path)
        if self._other is not None and (self._other.keys if way == "signature" else self._other.token):
            visitor = self._other.as_key() if way == "signature" else self._other.as_token()
            own = self._path_for(caller.project_id)
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


def open_operation(subject: Subject) -> bool:
    """Whether the contract lets everybody in."""
    return not subject.ways_in or any(not way for way in subject.ways_in)


def is_public(subject: Subject, host: str) -> bool:
    """Whether a host is one of the contract's own servers, or of the same domain: the vendor's, where people work."""
    for server in subject.document.data.get("servers", []):
        name = (
            re.sub(r"\{[^}]+\}", "x", str(server.get("url", "")))
            .partition("://")[2]
            .partition("/")[0]
            .partition(":")[0]
        )
        domain = ".".join(name.split(".")[-2:])
        if "." in domain and (host == domain or host.endswith(f".{domain}")):
            return True
    return False


def _with(url: str, query: Sequence[tuple[str, str]]) -> str:
    return f"{url}?{canonical_query(query)}"


def path_of(subject: Subject, values: dict[str, str]) -> str:
    """Return the path of an operation with its parameters filled in."""
    return re.sub(r"\{([^/]+?)\}", lambda found: in_path(values[found[1]]), subject.operation.path)
