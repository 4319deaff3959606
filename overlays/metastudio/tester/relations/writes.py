"""The life of an item that the tester creates: it is listed and shown, changed, deleted, and gone.

Only items that the tester created are changed or deleted, and each one is deleted at the end. A server may apply a
write later, or refuse it for reasons that the contract does not contain; neither is a breach.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from metastudio.errors import ConfigurationError
from metastudio.tester.http_client import CannotRunError, HttpResponse, NoResponseError, TimeLimitError
from metastudio.tester.operation_under_test import OperationUnderTest
from metastudio.tester.relations import bodies
from metastudio.tester.relations.judge import RelationCheck, StoppedCheckError, meaning, result_of
from metastudio.tester.relations.list_client import ListClient, UnexpectedResponseError, object_with
from metastudio.tester.values import parse_instant, query_text, values_at
from metastudio.tester.verdicts import Property, PropertyResult, Stopwatch, Verdict, judgement_failed

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

Address = Callable[[OperationUnderTest, str], tuple[str, Sequence[tuple[str, str]]]]
"""Returns path and query of an operation for the ID of an item."""


def order_of_life(tested: OperationUnderTest) -> int:
    """Return the position of an operation in the life of an item, in which operations are tested."""
    kind = tested.operation.kind
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def properties(tested: OperationUnderTest, its_list: OperationUnderTest) -> Iterator[Property]:
    """Yield the properties of an operation that changes items of a list; none of another one."""
    kind, name, show = tested.operation.kind, tested.name, its_list.show
    effect, sentences = _EFFECTS.get(kind), dict[str, str]()
    if kind in _ORDER and tested.operation.body is not None:
        sentences["refused"] = f"{name} refuses wrong bodies with a declared status 4xx."
    if effect:
        sentences["listed"] = effect.format(name, "the list")
    if effect and show is not None:
        sentences["shown"] = effect.format(name, show.name)
    if kind == "delete" and tested.document.at(f"{tested.pointer}/responses/404") is not None:
        sentences["again"] = f"{name} answers 404 to a second delete of an item."
    for step, sentence in sentences.items():
        yield meaning(tested, f"{kind}.{step}", sentence, tested.location("/responses"))


class Write(NamedTuple):
    """A request that created, changed or deleted an item, and the members whose values the item must have."""

    identity: str
    response: HttpResponse
    sent: Mapping[str, Any] = {}


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
        self._operations = {each.operation.kind: each for each in reversed(client.tested.item_operations)}
        self._writes: dict[str, Write | StoppedCheckError] = {}
        """The first write of each operation, or why there is none."""
        self._left: dict[str, None] = {}
        """IDs of the items that the tester created and has not deleted, in order."""
        self._without_id = 0
        self._no_id = f"the response of the create operation has no {self._identity}"
        try:
            self._before = frozenset(query_text(json.loads(each)) for each in client.fetch_all({}).identities)
        except UnexpectedResponseError:
            self._before = frozenset[str]()
        """IDs of the items that existed before the first write, which are never changed."""

    def judge(self, tested: OperationUnderTest, property_: Property) -> PropertyResult:
        """Test a property of an operation. Earlier steps of an item's life are taken if they were not."""
        check, step = RelationCheck(), property_.id.rpartition(".")[2]
        try:
            if step == "refused":
                self._refused(tested, check)
            elif step == "again":
                self._again(tested, check)
            else:
                self._effect(tested, step, check)
        except StoppedCheckError as error:
            check.skipped += error.args
        except UnexpectedResponseError as error:
            check.skipped.append(f"the list is unreadable: {error.what}")
        except NoResponseError as error:
            if error.slow or tested.operation.method == "POST":  # which is not sent again to make sure
                return result_of(property_, check, Verdict.UNDECIDED, str(error))
            check.holds(False, "a response", str(error), error)
        except (CannotRunError, ConfigurationError, TimeLimitError):
            raise
        except Exception as error:  # noqa: BLE001 - a hostile response may break any comparison
            return PropertyResult(property_, Verdict.UNDECIDED, note=judgement_failed(error), tester_failed=True)
        return result_of(property_, check)

    def new_item(self) -> tuple[str, str]:
        """Create an item for other tests. Return its ID, and why there is none."""
        try:
            return self._created().identity, ""
        except StoppedCheckError as error:
            return "", f"needs an item of its own: {error}"

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
        delete, reason = self._operations.get("delete"), "the contract has no operation that deletes one"
        self._http = copy(self._http)
        self._http.stopwatch = Stopwatch(None)
        for identity in list(self._left) if delete else ():
            try:
                assert delete is not None
                response = self._send(delete, identity)
                if _is_done(response):
                    del self._left[identity]
                else:
                    reason = f"status {response.status}"
            except CannotRunError as error:  # the server does not respond any more
                reason = str(error)
                break
            except Exception as error:  # noqa: BLE001 - the other items are deleted whatever becomes of this one
                reason = str(error)
        if self._left:
            names, more = list(self._left)[:MAX_NAMED_ITEMS], len(self._left) - MAX_NAMED_ITEMS
            named = ", ".join([*names, *([f"and {more} more"] if more > 0 else [])])
            yield f"{len(self._left)} items that this run created could not be deleted ({reason}): {named}"
        if self._without_id:
            yield f"{self._without_id} items that this run created could not be deleted: {self._no_id}"

    def _effect(self, tested: OperationUnderTest, place: str, check: RelationCheck) -> None:
        """Check that a write shows in the list or in the response of the show operation."""
        write = self._write(tested)
        identity, status = self._item.identity, write.response.status
        item, response = self._look(place, identity)
        for wait in WAITS[1:]:
            if _missing(tested, write, item):
                time.sleep(wait)
                item, response = self._look(place, identity)
        missing = _missing(tested, write, item)
        check.need(status != 404 or item is not None, "the item is gone")
        is_late = missing and status == 202
        check.need(not is_late, f"accepted with status 202, and not done within {sum(WAITS):.0f} seconds")
        has_sent = item is None or not write.sent or write.sent.keys() & _present(item)
        check.need(has_sent, "the response has none of the members that were sent")
        check.holds(not missing, _EXPECTED[tested.operation.kind], missing, write.response, response)

    def _again(self, tested: OperationUnderTest, check: RelationCheck) -> None:
        write = self._write(tested)
        check.need(write.response.status != 404, "the first delete was 404")
        for place in ("listed", "shown") if self.client.tested.show else ("listed",):
            check.need(self._look(place, write.identity)[0] is None, "the deleted item is still there")
        response = self._send(tested, write.identity)
        expected, seen = "status 404, as the item is deleted", f"status {response.status}"
        check.holds(response.status == 404, expected, seen, write.response, response)

    def _refused(self, tested: OperationUnderTest, check: RelationCheck) -> None:
        body = bodies.right_body(tested)
        identity = self._item.identity if tested.operation.item_parameter else ""
        for wrong in bodies.wrong_bodies(tested, body):
            response = self._send(tested, identity, wrong.content)
            if tested.operation.kind == "create":
                self.record(response)
            declared = 400 <= response.status < 500 and tested.response(response.status) is not None
            seen = f"status {response.status}"
            if not wrong.stated:
                check.observed.append(f"{wrong.what}: {seen}")
            elif response.status >= 500 or response.status in (401, 403):
                check.skipped.append(f"{wrong.what}: {seen}")
            else:
                check.holds(declared, f"a declared status 4xx for {wrong.what}", seen, response)

    @property
    def _item(self) -> Write:
        """The creation of the item whose life is tested."""
        return self._once("", self._created)

    def _write(self, tested: OperationUnderTest) -> Write:
        """Send the write of an operation to the item, the first time."""
        if tested.operation.kind == "create":
            return self._item
        change = self._updated if tested.operation.kind == "update" else self._deleted
        return self._once(tested.name, partial(change, tested, self._item.identity))

    def _once(self, name: str, send: Callable[[], Write]) -> Write:
        if name not in self._writes:
            try:
                self._writes[name] = send()
            except StoppedCheckError as error:
                self._writes[name] = error
        found = self._writes[name]
        if isinstance(found, StoppedCheckError):
            raise found
        return found

    def _created(self) -> Write:
        create = self._operations.get("create")
        if create is None:
            raise StoppedCheckError("the contract has no operation that creates an item")
        body = bodies.right_body(create) if create.operation.body else {}
        try:
            response = self._send(create, "", json.dumps(body).encode() if create.operation.body else b"")
        except NoResponseError as error:
            self._without_id += 1  # it may have been created
            raise StoppedCheckError(f"{create.name}: {error}") from None
        self.record(response)
        if not 200 <= response.status < 300:
            hint = "give the contract an example of a body that is accepted"
            raise StoppedCheckError(f"{create.name} answered with status {response.status}; {hint}")
        identity = self._identity_in(response)
        if identity is None:
            raise StoppedCheckError(f"{create.name}: {self._no_id}")
        if identity in self._before:
            raise StoppedCheckError(f"{create.name} answered with an item that existed before")
        return Write(identity, response, bodies.comparable(create, body, self._identity))

    def _updated(self, tested: OperationUnderTest, identity: str) -> Write:
        item, _ = self._look("shown" if self.client.tested.show else "listed", identity)
        if item is None:
            raise StoppedCheckError("the item that was created cannot be read")
        body, member = bodies.changing_body(tested, item, self._identity)
        response = self._done(tested, identity, json.dumps(body).encode())
        return Write(identity, response, {member: body[member]})

    def _deleted(self, tested: OperationUnderTest, identity: str) -> Write:
        response = self._done(tested, identity)
        if response.status != 404:
            self._left.pop(identity, None)
        return Write(identity, response)

    def _look(self, place: str, identity: str) -> tuple[Mapping[str, Any] | None, HttpResponse]:
        """Return the item as it is listed or shown, None if there is none. Raise StoppedCheckError if nobody knows."""
        show = self.client.tested.show
        if place == "shown" and show is not None:
            response = self._send(show, identity)
            item = object_with(response, self._identity)
            is_item = response.status in show.operation.success and isinstance(item, dict)
            if not is_item and response.status != 404:
                raise StoppedCheckError(f"{show.name}: status {response.status}")
            return (item if is_item else None), response
        listing = self.client.fetch_all({})
        if not listing.complete:
            filters = self.client.rules.filters.values()
            name = next((each.parameter for each in filters if each.property == self._identity and each.op == "eq"), "")
            if not name:
                raise StoppedCheckError("the list is too long, and has no filter on the identity")
            listing = self.client.fetch_all({name: identity})
        found = next((each.raw for each in listing.items if query_text(json.loads(each.identity)) == identity), None)
        return found, listing.responses[-1]

    def _done(self, tested: OperationUnderTest, identity: str, content: bytes = b"") -> HttpResponse:
        """Send a write that must succeed, unless there is no such item."""
        response = self._send(tested, identity, content)
        if not _is_done(response):
            raise StoppedCheckError(f"{tested.name} answered with status {response.status}")
        return response

    def _send(self, tested: OperationUnderTest, identity: str, content: bytes = b"") -> HttpResponse:
        """Send a request. A POST is never repeated, as it may have been executed."""
        (path, query), method = self._address(tested, identity), tested.operation.method
        return self._http.send(path, query, method=method, body=content, retry=method != "POST")

    def _identity_in(self, response: HttpResponse) -> str | None:
        """Return the ID in the response of a create operation: in its body, or at the end of its Location."""
        found = values_at(object_with(response, self._identity), self._identity)
        if found and isinstance(found[0], str | int) and not isinstance(found[0], bool):
            return _usable(query_text(found[0]))
        above, _, last = urlsplit(response.headers.get("Location", "")).path.rstrip("/").rpartition("/")
        return _usable(unquote(last)) if above.endswith(self.client.path.rstrip("/")) else None


def _usable(identity: str) -> str | None:
    """Return an ID that can be a segment of a path, and names one item there."""
    is_usable = identity.isprintable() and 0 < len(identity) <= MAX_ID_LENGTH and identity.strip(".")
    return identity if is_usable else None


def _is_done(response: HttpResponse) -> bool:
    """Whether a write succeeded, or there is no such item."""
    return 200 <= response.status < 300 or response.status == 404


def _missing(tested: OperationUnderTest, write: Write, item: Mapping[str, Any] | None) -> str:
    """Return what is not as it should be after a write."""
    if write.response.status == 404:
        return f"status 404 from {tested.name}, and the item"
    if tested.operation.kind == "delete":
        return "" if item is None else "the item is still there"
    if item is None:
        return "no such item"
    both = sorted(write.sent.keys() & _present(item))
    other = [name for name in both if not _same(write.sent[name], item[name])]
    return f"another value of {', '.join(other)}" if other else ""


def _present(item: Mapping[str, Any]) -> set[str]:
    return {name for name, value in item.items() if value is not None}


def _same(sent: Any, seen: Any) -> bool:
    instants = parse_instant(sent), parse_instant(seen)
    return sent == seen or (instants[0] is not None and instants[0] == instants[1])
