"""Show, create, update, delete and command on the items of a list, and the file that keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metastudio.contract.json_pointer import values_at
from metastudio.sandbox import OTHER, DataFileError, Sandbox, serve
from metastudio.sandbox.fixtures import ItemGenerator
from metastudio.sandbox.listing import read_contract

SPEC = Path(__file__).with_name("things.yaml")
TASKS = Path(__file__).parents[1] / "contract" / "tasks.yaml"
Send = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(spec=SPEC, jobs=20) as running:
        yield running


@pytest.fixture(scope="module")
def send(sandbox: Sandbox, http: httpx.Client) -> Send:
    """Requests a path below the list of devices."""
    return sender(sandbox, http)


def sender(sandbox: Sandbox, http: httpx.Client) -> Send:
    def send(method: str, rest: Any = "", *, site: str = "berlin", **others: Any) -> httpx.Response:
        url = f"{sandbox.url}/v1/{sandbox.project_id}/sites/{site}/devices"
        below = f"/{rest}" if rest != "" and not str(rest).startswith("?") else rest
        return http.request(method, f"{url}{below}", headers={"X-Auth-Token": sandbox.token}, **others)

    return send


def listed(send: Send) -> list[dict[str, Any]]:
    devices: list[dict[str, Any]] = send("GET", "?limit=50").json()["devices"]
    return devices


def created(send: Send, **body: Any) -> int:
    response = send("POST", json={"label": "door", **body})
    assert response.status_code == 201, response.headers
    identity: int = response.json()["id"]
    return identity


def test_show_equals_the_listed_item(send: Send) -> None:
    for item in listed(send)[:5]:
        assert send("GET", item["id"]).json()["device"].items() >= item.items()


def test_a_created_item_is_new_and_listed(send: Send, sandbox: Sandbox) -> None:
    before = len(listed(send))
    response = send("POST", json={"label": "door", "notes": "front"})
    assert (response.status_code, set(response.json())) == (201, {"id"})
    identity = response.json()["id"]

    shown = send("GET", identity).json()["device"]
    assert shown["notes"] == "front"
    item = next(each for each in listed(send) if each["id"] == identity)
    assert len(listed(send)) == before + 1
    assert item == {name: value for name, value in shown.items() if name != "notes"}
    assert (item["label"], item["state"], item["site"]) == ("door", "NEW", "berlin")
    assert item["project"] == sandbox.project_id
    assert abs(datetime.fromisoformat(item["created"]).timestamp() - sandbox.settings.now()) < 60


def test_an_update_shows_everywhere_and_keeps_the_rest(send: Send) -> None:
    identity = created(send, notes="front")
    before = send("GET", identity).json()["device"]

    response = send("PUT", identity, json={"label": "gate", "site": "paris", "id": 1})

    assert response.json()["device"] == {**before, "label": "gate"}
    assert send("GET", identity).json()["device"] == {**before, "label": "gate"}
    assert identity in [each["id"] for each in send("GET", "?label=gate").json()["devices"]]


def test_a_deleted_item_is_gone(send: Send) -> None:
    identity = created(send)

    response = send("DELETE", identity)

    assert (response.status_code, response.content) == (204, b"")
    assert identity not in [each["id"] for each in listed(send)]
    again = [send("DELETE", identity), send("GET", identity), send("PUT", identity, json={})]
    assert [each.status_code for each in again] == [404, 404, 404]
    assert again[1].json() == {"code": "UNKNOWN"}


def test_a_command_moves_an_item_to_the_state_of_the_contract(send: Send) -> None:
    identity = created(send)
    states = []
    for action in ("blink", "start", "retire"):
        response = send("POST", f"{identity}/actions", json={"action": action})
        assert (response.status_code, response.json()) == (202, {"id": identity})
        states.append(send("GET", identity).json()["device"]["state"])
    assert states == ["NEW", "STARTING", "RETIRED"]


def test_a_conflict_is_refused_as_the_contract_says(send: Send) -> None:
    identity = created(send, id=7_000)
    assert identity == 7_000
    assert send("POST", f"{identity}/actions", json={"action": "retire"}).status_code == 202
    for response in [
        send("POST", json={"label": "twin", "id": identity}),
        send("PUT", identity, json={"label": "late"}),
        send("POST", f"{identity}/actions", json={"action": "start"}),
    ]:
        assert (response.status_code, response.json()) == (409, {"code": "CONFLICT"})
    assert send("GET", identity).json()["device"]["label"] == "door"


def test_every_parameter_of_the_scope_selects_items(send: Send, sandbox: Sandbox, http: httpx.Client) -> None:
    assert len(listed(send)) >= 20
    identity = send("POST", site="rome", json={"label": "door"}).json()["id"]
    assert [each["id"] for each in send("GET", site="rome").json()["devices"]] == [identity]
    assert send("GET", identity).status_code == 404
    url = f"{sandbox.url}/v1/{OTHER.project_id}/sites/rome/devices/{identity}"
    assert http.get(url, headers={"X-Auth-Token": OTHER.token}).status_code == 404
    assert http.delete(url, headers={"X-Auth-Token": sandbox.token}).status_code == 403


@pytest.mark.parametrize(
    ("method", "rest", "content"),
    [
        ("POST", "", b""),
        ("POST", "", b"{"),
        ("POST", "", b"[]"),
        ("POST", "", b"{}"),
        ("POST", "", b'{"label": ""}'),
        ("POST", "", b'{"label": "x", "colour": "red"}'),
        ("POST", "", b'{"label": "\\ud800"}'),
        ("POST", "", b'{"label": "x", "id": 1e999}'),
        ("POST", "", b"[" * 200_000),
        ("PUT", "1", b'{"label": 1}'),
        ("POST", "1/actions", b'{"action": "jump"}'),
        ("GET", "one", b""),
    ],
)
def test_bad_requests_are_refused(send: Send, method: str, rest: str, content: bytes) -> None:
    before = listed(send)
    response = send(method, rest, content=content)

    assert response.status_code == 400
    assert response.headers["X-Sandbox-Reason"]
    assert listed(send) == before


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(VALUES, lambda each: st.lists(each) | st.dictionaries(st.text(), each), max_leaves=5)


@settings(max_examples=100, deadline=None)
@given(body=st.fixed_dictionaries({}, optional={"label": JSON, "notes": JSON, "id": JSON, "action": JSON}) | JSON)
def test_no_body_makes_the_server_fail(send: Send, body: Any) -> None:

    content = json.dumps(body).encode()
    for method, rest in (("POST", ""), ("PUT", "1"), ("POST", "1/actions")):
        assert send(method, rest, content=content).status_code in (200, 201, 202, 400, 404, 409)


def test_methods_of_a_path_are_those_of_its_operations(send: Send) -> None:
    assert send("PATCH").headers["Allow"] == "GET, HEAD, POST"
    assert send("POST", 1).headers["Allow"] == "GET, HEAD, PUT, DELETE"


def test_an_operation_of_no_list(sandbox: Sandbox, http: httpx.Client) -> None:
    assert http.get(f"{sandbox.url}/v1/about").json() == {"version": 1}


def test_a_file_keeps_the_items(http: httpx.Client, tmp_path: Path) -> None:
    file = tmp_path / "items.db"
    with serve(spec=SPEC, jobs=3, data=file) as first:
        identity = created(sender(first, http), notes="front")
        before = listed(sender(first, http))
    with serve(spec=SPEC, jobs=50, data=file) as second:
        send = sender(second, http)
        assert listed(send) == before
        assert send("GET", identity).json()["device"]["notes"] == "front"
        assert created(send) not in [each["id"] for each in before]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but long enough to be taken for one" * 40)
    for each in (file, tmp_path / "nowhere" / "items.db"):
        with pytest.raises(DataFileError, match="name another file"):
            serve(spec=SPEC, data=each)
    assert file.read_text().startswith("not a database")


def test_tasks_move_until_they_succeed(http: httpx.Client) -> None:
    with serve(spec=SPEC, jobs=20, progress=0.001) as sandbox:
        send = sender(sandbox, http)
        before = {each["id"]: each["state"] for each in listed(send)}
        while any(each["state"] in ("STARTING", "RUNNING") for each in listed(send)):
            pass
        for item in listed(send):
            was = before[item["id"]]
            assert item["state"] == (was if was in ("NEW", "BROKEN") else "RETIRED")


def test_recent_dates_end_within_the_last_day(http: httpx.Client) -> None:
    with serve(recent=True) as sandbox:
        (store,) = sandbox.stores.values()
        times = [each["last_update_time"] for each in store.items() if "last_update_time" in each]
        age = sandbox.settings.now() - datetime.fromisoformat(max(times)).timestamp()
        assert 0 <= age < 24 * 3600
        assert {each["create_time"][11:] for each in store.items()} >= {"08:30:56Z", "07:31:37Z"}


def test_every_operation_of_the_large_contract(http: httpx.Client) -> None:
    contract = read_contract(TASKS)
    identities = {each.operation.id: each.rules.identity or "" for each in contract.listings}
    with serve(spec=TASKS, jobs=12) as sandbox:
        for operation in (each.operation for each in contract.operations):
            given = {"project_id": sandbox.project_id}
            if operation.list_id and operation.item_parameter:
                item = sandbox.stores[operation.list_id].items()[3]
                given[operation.item_parameter] = values_at(item, identities[operation.list_id])[0]
            query: dict[str, Any] = {}
            for name, parameter in operation.parameters.items():
                if parameter.location == "path":
                    given.setdefault(name, (parameter.values or ("1",))[0])
                elif parameter.required:
                    query[name] = (parameter.values or ("1",))[0]
            body = ItemGenerator(None, Random(1)).value(operation.body.schema) if operation.body else None
            url = sandbox.url + operation.path.format_map(given)
            sent = http.request(operation.method, url, params=query, headers={"X-Auth-Token": sandbox.token}, json=body)
            expected = {*operation.success, *([409] if operation.allowed_in else [])}
            assert sent.status_code in expected, (operation.id, sent.status_code, sent.headers)
