"""Faulty and conforming servers of items.yaml, a list whose items are created, shown, changed and deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from metastudio.sandbox import CONFORMING, MAIN, Overrides, SandboxSettings
from metastudio.sandbox.http import RefusedError, SandboxRequest, SandboxResponse
from variants import Change, Variant

ITEMS = Path(__file__).with_name("items.yaml")
LIST = f"/v1/{MAIN.project_id}/cards".encode()
Item = dict[str, Any]
Answer = Callable[[SandboxResponse], SandboxResponse]


def faulty() -> Iterator[Variant]:
    """Yield the faulty servers."""
    yield _variant("show has another value", _answers("GET", (200,), _renamed, shown=True))
    yield _variant("show has another item", _answers("GET", (200,), _other_item, shown=True))
    yield _variant("show does not find a listed item", _answers("GET", (200,), _status(404), shown=True))
    yield _variant("show has an empty success for an unknown item", _answers("GET", (404,), _status(200), shown=True))
    yield _variant("show has 400 for an unknown item", _answers("GET", (404,), _status(400), shown=True))
    yield _variant("a created item is lost", mutate=_new_items(lambda store, item: store.remove(item["id"])))
    yield _variant("a created item has another name", mutate=_new_items(_rename))
    yield _variant("a created item cannot be shown", _answers("GET", (200,), _hide_created, shown=True))
    for method, what in (("POST", "create accepts"), ("PUT", "update accepts")):
        yield _variant(f"{what} wrong bodies", _answers(method, (400,), _status(201 if method == "POST" else 200)))
    yield _variant("create refuses wrong bodies with 422", _answers("POST", (400,), _status(422)))
    yield _variant("a command accepts wrong bodies", _answers("POST", (400,), _status(200), shown=True))
    yield _variant("an update is lost", mutate=_unchanged())
    yield _variant("an update does not find the item", _answers("PUT", (200,), _status(404)))
    yield _variant("a deleted item stays", mutate=_undeleted())
    yield _variant("a deleted item is still shown", _still_shown())
    yield _variant("a second delete succeeds", _answers("DELETE", (404,), _status(204)))


def conforming() -> Iterator[Variant]:
    """Yield the conforming servers."""
    yield _variant("conforming")
    yield _variant("create has a response without the ID", _answers("POST", (201,), lambda a: replace(a, body={})))
    yield _variant("create has no body", _answers("POST", (201,), _empty(204)))
    yield _variant("create has the ID in Location", _answers("POST", (201,), _located))
    yield _variant("create refuses every name", _refuses("create", "invalid_parameter"))
    yield _variant("create is accepted and never done", _answers("POST", (201,), _status(202)),
                   mutate=_new_items(lambda store, item: store.remove(item["id"])))  # fmt: skip
    yield _variant("created items appear later", mutate=_delayed())
    yield _variant("updates and deletes have no body", _answers("PUT", (200,), _empty(204)))
    yield _variant("deletes are accepted and never done", _answers("DELETE", (200,), _empty(202)), mutate=_undeleted())
    yield _variant("items cannot be changed yet", _refuses("update", "conflict"))
    yield _variant("items cannot be deleted yet", _refuses("delete", "conflict"))


def _variant(name: str, overrides: Overrides = CONFORMING, mutate: Change | None = None) -> Variant:
    return Variant(f"writing: {name}", overrides, SandboxSettings(spec=ITEMS, jobs=5), mutate=mutate)


def _answers(method: str, statuses: tuple[int, ...], answer: Answer, *, shown: bool = False) -> Overrides:
    """Change responses with these statuses: on the path of the list, of an item, or below it (`shown`)."""

    def finish(response: SandboxResponse, request: SandboxRequest) -> SandboxResponse:
        is_ours = request.method == method and (not shown or request.path != LIST) and response.status in statuses
        below = request.path.count(b"/") - LIST.count(b"/")
        return answer(response) if is_ours and (shown or below < 2) else response

    return replace(CONFORMING, finish=finish)


def _status(status: int) -> Answer:
    return lambda response: replace(response, status=status, body={})


def _empty(status: int) -> Answer:
    return lambda response: replace(response, status=status, body=b"")


def _located(response: SandboxResponse) -> SandboxResponse:
    place = f"{LIST.decode()}/{response.body['id']}"
    return replace(response, body={}, headers={**response.headers, "Location": place})


def _renamed(response: SandboxResponse) -> SandboxResponse:
    return replace(response, body={"card": {**response.body["card"], "project_id": "other"}})


def _other_item(response: SandboxResponse) -> SandboxResponse:
    return replace(response, body={"card": {**response.body["card"], "id": "other"}})


def _hide_created(response: SandboxResponse) -> SandboxResponse:
    created = response.body["card"]["name"].startswith("contract-test")
    return _status(404)(response) if created else response


def _still_shown() -> Overrides:
    created: set[bytes] = set()

    def finish(response: SandboxResponse, request: SandboxRequest) -> SandboxResponse:
        if request.method == "POST" and response.status == 201:
            created.add(response.body["id"].encode())
        identity = request.path.rpartition(b"/")[2]
        if request.method != "GET" or response.status != 404 or identity not in created:
            return response
        card = {"id": identity.decode(), "name": "ghost", "project_id": MAIN.project_id}
        return replace(response, status=200, body={"card": card})

    return replace(CONFORMING, finish=finish)


def _refuses(kind: str, reason: str) -> Overrides:
    def check_all(served: Any, _values: Mapping[str, Any], _unknown: Sequence[str]) -> None:
        if served.operation.kind == kind:
            raise RefusedError(reason, reason="by this variant")

    return replace(CONFORMING, check_all=check_all)


def _new_items(change: Callable[[Any, Item], None]) -> Change:
    """Change each new item once, before the next request."""
    known: set[str] = set()

    def mutate(store: Any, number: int) -> None:
        for item in store.items():
            if item["id"] not in known and number > 1:
                change(store, dict(item))
        known.update(item["id"] for item in store.items())

    return mutate


def _rename(store: Any, item: Item) -> None:
    store.replace(item["id"], {**item, "name": "other"})


def _unchanged() -> Change:
    first: dict[str, Item] = {}

    def mutate(store: Any, _number: int) -> None:
        for item in store.items():
            if first.setdefault(item["id"], dict(item)) != item:
                store.replace(item["id"], first[item["id"]])

    return mutate


def _undeleted() -> Change:
    seen: dict[str, Item] = {}

    def mutate(store: Any, _number: int) -> None:
        present = {item["id"]: item for item in store.items()}
        seen.update(present)
        store.add(*(item for identity, item in seen.items() if identity not in present))

    return mutate


def _delayed() -> Change:
    """Hide each new item for two requests."""
    waiting: dict[str, tuple[int, Item]] = {}

    def hide(store: Any, item: Item) -> None:
        if item["id"] not in waiting:
            store.remove(item["id"])
            waiting[item["id"]] = (0, item)

    new = _new_items(hide)

    def mutate(store: Any, number: int) -> None:
        new(store, number)
        for identity, (count, item) in waiting.items():
            waiting[identity] = (count + 1, item)
            if count == 2:
                store.add(item)

    return mutate
