"""The life of an item that the tester creates: it is listed and shown, changed, deleted, and gone.

Only items that the tester created are changed or deleted, and each one is deleted at the end. A server may apply a
write later, or refuse it for reasons that the contract does not contain; neither is a breach.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

from metastudio.errors import ConfigurationError
from metastudio.tester.http_client import CannotRunError, HttpClient, HttpResponse, NoResponseError, TimeLimitError
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations import bodies
from metastudio.tester.relations.judge import RelationCheck, result_of
from metastudio.tester.relations.list_client import ListClient, UnexpectedResponseError, object_with
from metastudio.tester.values import parse_instant, query_text, values_at
from metastudio.tester.verdicts import Property, PropertyResult, Stopwatch, Suite, Verdict, judgement_failed

WAITS = (0.0, 0.2, 0.5, 1.0, 2.0)
"""Seconds to wait before each look at the effect of a write."""
MAX_ID_LENGTH = 1000
MAX_NAMED_ITEMS = 10
"""How many items a note names."""
_ORDER = ("create", "update", "command", "delete")
_EFFECTS = {
    "create": "An item that {} created is in {}, with the values sent.",
    "update": "What {} changed shows in {}.",
    "delete": "An item that {} deleted is gone from {}.",
}
_EXPECTED = {
    "create": "the item that was created, with the values sent",
    "update": "the item with the changed value",
    "delete": "no such item, as it is deleted",
}
_PLACES = ("listed", "shown")

Address = Callable[[OperationUnderTest, str], tuple[str, Sequence[tuple[str, str]]]]
"""Returns path and query of an operation for the ID of an item."""


def order_of_life(tested: OperationUnderTest) -> int:
    """Return the position of an operation in the life of an item, in which operations are tested."""
    kind = tested.operation.kind
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def properties(tested: OperationUnderTest, its_list: OperationUnderTest) -> Iterator[Property]:
    """Yield the properties of an operation that changes items of a list; none of another one."""
    kind, name = tested.operation.kind, tested.name
    if kind in _ORDER and tested.operation.body is not None:
        yield _property(tested, "refused", f"{name} refuses wrong bodies with a declared status 4xx.")
    if kind in _EFFECTS:
        yield _property(tested, "listed", _EFFECTS[kind].format(name, "the list"))
        if its_list.show is not None:
            yield _property(tested, "shown", _EFFECTS[kind].format(name, its_list.show.name))
    if kind == "delete" and tested.document.at(f"{tested.pointer}/responses/404") is not None:
        yield _property(tested, "again", f"{name} answers 404 to a second delete of an item.")


def _property(tested: OperationUnderTest, step: str, sentence: str) -> Property:
    id_ = f"{tested.operation.kind}.{step}"
    return Property(tested.name, Suite.MEANING, id_, sentence, tested.location("/responses"))


@dataclass(frozen=True)
class Write:
    """A request that creates, changes or deletes an item.

    Args:
        problem: why its effect cannot be tested; empty if it can.
        response: its response; None if it was not sent.
        sent: the members whose values the item must have.
    """

    problem: str = ""
    response: HttpResponse | None = None
    sent: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Sight:
    """An item as the server returns it: None if it has none with this ID, or if `unclear` says why nobody knows."""

    item: Mapping[str, Any] | None
    response: HttpResponse
    unclear: str = ""


class LifeCycle:
    """Creates items of a list, changes and deletes them, and deletes what is left.

    Args:
        client: the list.
        address: returns where an operation is.
    """

    def __init__(self, client: ListClient, address: Address) -> None:
        self.client = client
        self._http = client.http
        self._address = address
        self._identity = client.rules.identity or ""
        self._operations = client.tested.item_operations
        self._writes: dict[str, Write] = {}
        self._left: dict[str, None] = {}
        """IDs of the items that the tester created and has not deleted, in order."""
        self._without_id = 0
        try:
            self._before = frozenset(query_text(json.loads(each)) for each in client.fetch_all({}).identities)
        except UnexpectedResponseError:
            self._before = frozenset[str]()
        """IDs of the items that existed before the first write, which are never changed."""

    def judge(self, tested: OperationUnderTest, property_: Property) -> PropertyResult:
        """Test a property of an operation. Earlier steps of an item's life are taken if they were not."""
        check = RelationCheck()
        try:
            self._verify(tested, property_.id.rpartition(".")[2], check)
        except UnexpectedResponseError as error:
            check.skip(f"the list is unreadable: {error.what}")
        except NoResponseError as error:
            if error.slow or tested.operation.method == "POST":  # which is not sent again to make sure
                return result_of(property_, check, Verdict.UNDECIDED, str(error))
            check.holds(False, "a response", str(error), error)
        except (CannotRunError, ConfigurationError, TimeLimitError):
            raise
        except Exception as error:  # noqa: BLE001 - a hostile response may break any comparison
            return PropertyResult(property_, Verdict.UNDECIDED, note=judgement_failed(error), tester_failed=True)
        verdict = Verdict.PASS if check.exercised else Verdict.NOT_EXERCISED
        return result_of(property_, check, Verdict.BREACH if check.violations else verdict)

    def new_item(self) -> tuple[str, str]:
        """Create an item for other tests. Return its ID, and why there is none."""
        create = self._create
        write = Write("the contract has no operation that creates one") if create is None else self._created(create)
        return ("", f"needs an item of its own: {write.problem}") if write.problem else (self._id_of(write), "")

    def record(self, response: HttpResponse) -> None:
        """Remember an item that a create operation made, to delete it at the end."""
        if 200 <= response.status < 300:
            identity = self._identity_in(response)
            if identity is None:
                self._without_id += 1
            elif identity not in self._before:
                self._left[identity] = None

    def clean_up(self) -> Iterator[str]:
        """Delete the items that are left, whatever the time limit. Yield a note on those that cannot be deleted."""
        delete = next((each for each in self._operations if each.operation.kind == "delete"), None)
        http, reason = copy(self._http), "" if delete else "the contract has no operation that deletes one"
        http.stopwatch = Stopwatch(None)
        for identity in list(self._left) if delete else ():
            try:
                response = self._send(delete, identity, http=http) if delete else None
            except CannotRunError as error:  # the server does not respond any more
                reason = str(error)
                break
            except Exception as error:  # noqa: BLE001 - the other items are deleted whatever becomes of this one
                reason = str(error)
                continue
            if response and _is_done(response):
                del self._left[identity]
            elif response:
                reason = f"status {response.status}"
        if self._left:
            names, more = list(self._left)[:MAX_NAMED_ITEMS], len(self._left) - MAX_NAMED_ITEMS
            named = ", ".join([*names, *([f"and {more} more"] if more > 0 else [])])
            yield f"{len(self._left)} items that this run created could not be deleted ({reason}): {named}"
        if self._without_id:
            yield f"{self._without_id} items that this run created could not be deleted: {self._no_id}"

    def _verify(self, tested: OperationUnderTest, step: str, check: RelationCheck) -> None:
        if step == "refused":
            self._refused(tested, check)
        elif step == "again":
            self._again(tested, check)
        else:
            self._effect(tested, step, check)

    def _effect(self, tested: OperationUnderTest, place: str, check: RelationCheck) -> None:
        """Check that a write shows in the list or in the response of the show operation."""
        write, identity = self._write(tested), self._id_of(self._item)
        if write.problem or write.response is None:
            return check.skip(write.problem)
        sight = self._look(place, identity)
        for wait in WAITS[1:]:
            if sight.unclear or not self._missing(tested, write, sight):
                break
            time.sleep(wait)
            sight = self._look(place, identity)
        missing, status = self._missing(tested, write, sight), write.response.status
        if sight.unclear or (status == 404 and sight.item is None):
            return check.skip(sight.unclear or "the item is gone")
        if missing and status == 202:
            return check.skip(f"accepted with status 202, and not done within {sum(WAITS):.0f} seconds")
        if write.sent and sight.item is not None and not write.sent.keys() & _present(sight.item):
            return check.skip("the response has none of the members that were sent")
        check.holds(not missing, _EXPECTED[tested.operation.kind], missing, write.response, sight.response)
        return None

    def _missing(self, tested: OperationUnderTest, write: Write, sight: Sight) -> str:
        """Return what is not as it should be after a write."""
        assert write.response is not None
        if write.response.status == 404:
            return f"status 404 from {tested.name}, and the item"
        if tested.operation.kind == "delete":
            return "" if sight.item is None else "the item is still there"
        if sight.item is None:
            return "no such item"
        other = [name for name in sorted(write.sent.keys() & _present(sight.item))
                 if not _same(write.sent[name], sight.item[name])]  # fmt: skip
        return f"another value of {', '.join(other)}" if other else ""

    def _again(self, tested: OperationUnderTest, check: RelationCheck) -> None:
        write = self._write(tested)
        if write.problem or write.response is None or write.response.status == 404:
            return check.skip(write.problem or "the first delete was 404")
        identity = self._id_of(self._item)
        places = _PLACES if self.client.tested.show else _PLACES[:1]
        if any(sight.unclear or sight.item is not None for sight in (self._look(each, identity) for each in places)):
            return check.skip("the deleted item is still there")
        response = self._send(tested, identity)
        check.holds(response.status == 404, "status 404, as the item is deleted", f"status {response.status}",
                    write.response, response)  # fmt: skip
        return None

    def _refused(self, tested: OperationUnderTest, check: RelationCheck) -> None:
        identity, body = "", bodies.right_body(tested)
        if body is None:
            return check.skip(_no_body(tested))
        if tested.operation.item_parameter:
            if self._item.problem:
                return check.skip(self._item.problem)
            identity = self._id_of(self._item)
        for wrong in bodies.wrong_bodies(tested, body):
            response = self._send(tested, identity, wrong.content)
            if tested.operation.kind == "create":
                self.record(response)
            declared = 400 <= response.status < 500 and tested.response(response.status) is not None
            if not wrong.stated:
                check.observe(f"{wrong.what}: status {response.status}")
            elif response.status >= 500 or response.status in (401, 403):
                check.skip(f"{wrong.what}: status {response.status}")
            else:
                expected = f"a declared status 4xx for {wrong.what}"
                check.holds(declared, expected, f"status {response.status}", response)
        return None

    @property
    def _create(self) -> OperationUnderTest | None:
        return next((each for each in self._operations if each.operation.kind == "create"), None)

    @cached_property
    def _item(self) -> Write:
        """The creation of the item whose life is tested."""
        create = self._create
        return Write("the contract has no operation that creates an item") if create is None else self._created(create)

    def _write(self, tested: OperationUnderTest) -> Write:
        """Send the write of an operation to the item, the first time."""
        if tested.operation.kind == "create":
            return self._item
        if tested.name not in self._writes:
            if self._item.problem:
                return self._item
            change = self._updated if tested.operation.kind == "update" else self._deleted
            self._writes[tested.name] = change(tested, self._id_of(self._item))
        return self._writes[tested.name]

    def _created(self, tested: OperationUnderTest) -> Write:
        body = bodies.right_body(tested) if tested.operation.body else {}
        if body is None:
            return Write(_no_body(tested))
        try:
            response = self._send(tested, "", _content(tested, body))
        except NoResponseError as error:
            self._without_id += 1  # it may have been created
            return Write(f"{tested.name}: {error}")
        self.record(response)
        if not 200 <= response.status < 300:
            return Write(f"{_refusal(tested, response)}; give the contract an example of a body that is accepted")
        identity = self._identity_in(response)
        if identity is None:
            return Write(f"{tested.name}: {self._no_id}")
        if identity in self._before:
            return Write(f"{tested.name} answered with an item that existed before")
        return Write("", response, bodies.comparable(tested, body, self._identity))

    def _updated(self, tested: OperationUnderTest, identity: str) -> Write:
        sight = self._look("shown" if self.client.tested.show else "listed", identity)
        if sight.item is None:
            return Write(sight.unclear or "the item that was created cannot be read")
        body, member = dict[str, Any](), ""
        if tested.operation.body:
            found = bodies.changing_body(tested, sight.item, self._identity)
            if found is None:
                return Write(_no_body(tested))
            body, member = found
        if not member:
            return Write(f"the body of {tested.name} has no member whose change would show in an item")
        response = self._send(tested, identity, _content(tested, body))
        problem = "" if _is_done(response) else _refusal(tested, response)
        return Write(problem, response, {member: body[member]})

    def _deleted(self, tested: OperationUnderTest, identity: str) -> Write:
        response = self._send(tested, identity)
        if not _is_done(response):
            return Write(_refusal(tested, response), response)
        if response.status != 404:
            self._left.pop(identity, None)
        return Write("", response)

    def _look(self, place: str, identity: str) -> Sight:
        """Return the item as it is listed or shown."""
        show = self.client.tested.show
        if place == "shown" and show is not None:
            response = self._send(show, identity)
            item = object_with(response.json, self._identity) if response.is_json else None
            if response.status in show.operation.success and isinstance(item, dict):
                return Sight(item, response)
            return Sight(None, response, "" if response.status == 404 else f"{show.name}: status {response.status}")
        listing = self.client.fetch_all({})
        if not listing.complete:
            filters = self.client.rules.filters.values()
            by_id = [each.parameter for each in filters if each.property == self._identity and each.op == "eq"]
            name = next(iter(by_id), None)
            if name is None:
                return Sight(None, listing.responses[-1], "the list is too long, and has no filter on the identity")
            listing = self.client.fetch_all({name: identity})
        found = next((each.raw for each in listing.items if query_text(json.loads(each.identity)) == identity), None)
        return Sight(found, listing.responses[-1])

    def _send(
        self, tested: OperationUnderTest, identity: str, content: bytes = b"", http: HttpClient | None = None
    ) -> HttpResponse:
        """Send a request. A POST is never repeated, as it may have been executed."""
        (path, query), method = self._address(tested, identity), tested.operation.method
        return (http or self._http).send(path, query, method=method, body=content, retry=method != "POST")

    def _id_of(self, write: Write) -> str:
        return (self._identity_in(write.response) if write.response else None) or ""

    def _identity_in(self, response: HttpResponse) -> str | None:
        """Return the ID in the response of a create operation: in its body, or at the end of its Location."""
        found = values_at(object_with(response.json, self._identity), self._identity) if response.is_json else []
        if found and isinstance(found[0], str | int) and not isinstance(found[0], bool):
            return _usable(query_text(found[0]))
        above, _, last = urlsplit(response.headers.get("Location", "")).path.rstrip("/").rpartition("/")
        return _usable(unquote(last)) if above.endswith(self.client.path.rstrip("/")) else None

    @property
    def _no_id(self) -> str:
        return f"the response of the create operation has no {self._identity}"


def _usable(identity: str) -> str | None:
    """Return an ID that can be a segment of a path, and names one item there."""
    is_usable = identity.isprintable() and 0 < len(identity) <= MAX_ID_LENGTH and identity.strip(".")
    return identity if is_usable else None


def _content(tested: OperationUnderTest, body: Mapping[str, Any]) -> bytes:
    return json.dumps(body).encode() if tested.operation.body else b""


def _is_done(response: HttpResponse) -> bool:
    """Whether a write succeeded, or there is no such item."""
    return 200 <= response.status < 300 or response.status == 404


def _refusal(tested: OperationUnderTest, response: HttpResponse) -> str:
    return f"{tested.name} answered with status {response.status}"


def _no_body(tested: OperationUnderTest) -> str:
    return f"no body of {tested.name} could be made; give the contract an example of one"


def _present(item: Mapping[str, Any]) -> set[str]:
    return {name for name, value in item.items() if value is not None}


def _same(sent: Any, seen: Any) -> bool:
    instants = parse_instant(sent), parse_instant(seen)
    return sent == seen or (instants[0] is not None and instants[0] == instants[1])
