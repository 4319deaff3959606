"""Operations on an item of a list: IDs come from the list, the item is shown as it is listed, an unknown ID is 404."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from list_app import SPEC, ListApp, Thing, assert_not_blamed, broken, outcome, things
from metastudio.sandbox import SandboxSettings
from metastudio.tester import Verdict
from repository import ROOT
from tester_runs import proven
from variants import Variant

TASKS = ROOT / "tests" / "contract" / "tasks.yaml"
SHOW = """
  /v1/{project_id}/things/{id}:
    get:
      operationId: show_thing
      tags: [things]
      parameters:
        - {name: project_id, in: path, required: true, schema: {type: string}}
        - {name: id, in: path, required: true, schema: {type: string}, example: thing-1}
      responses:
        '200': {description: A thing., content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}}
        '404': {description: Not found., content: {application/json: {schema: {type: object}}}}
components:
"""


class ShowApp(ListApp):
    """Also shows one item."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        _, found, identity = scope.get("path", "").partition("/things/")
        if not found:
            await super().__call__(scope, receive, send)
            return
        status, body = self.show(identity)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    def show(self, identity: str) -> tuple[int, Thing]:
        """Return the status and the body for an ID."""
        item = next((each for each in self.items if each["id"] == identity), None)
        return (404, {}) if item is None else (200, item)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contract of `list_app` with an operation that shows an item."""
    file: Path = tmp_path_factory.mktemp("spec") / "shows.yaml"
    file.write_text(SPEC.read_text("utf-8").replace("\ncomponents:\n", SHOW), "utf-8")
    return file


def test_conforming_server_passes(spec: Path) -> None:
    report = outcome(ShowApp(things(12)), "start", "show*", "body", spec=spec)
    assert_not_blamed(report)
    assert report["list_things/meaning/show.same"].verdict is Verdict.PASS
    assert report["list_things/meaning/show.unknown"].verdict is Verdict.PASS
    assert report["show_thing/shapes/body"].verdict is Verdict.PASS


def other_label(app: ShowApp, identity: str) -> tuple[int, Thing]:
    status, item = ShowApp.show(app, identity)
    return status, {**item, "label": "other"} if item else item


def refused_if_unknown(app: ShowApp, identity: str) -> tuple[int, Thing]:
    status, item = ShowApp.show(app, identity)
    return (400 if status == 404 else status), item


FAULTS: dict[str, tuple[str, Callable[[ShowApp, str], tuple[int, Thing]]]] = {
    "another value": ("show.same", other_label),
    "another item": ("show.same", lambda app, _: (200, app.items[0])),
    "an item of the list is unknown": ("show.same", lambda *_: (404, {})),
    "an unknown ID is an empty success": ("show.unknown", lambda app, identity: (200, ShowApp.show(app, identity)[1])),
    "an unknown ID is a wrong request": ("show.unknown", refused_if_unknown),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_server_is_found(fault: str, spec: Path) -> None:
    property_, show = FAULTS[fault]

    class Faulty(ShowApp):
        def show(self, identity: str) -> tuple[int, Thing]:
            return show(self, identity)

    assert property_ in broken(outcome(Faulty(things(12)), "show.*", spec=spec))


def test_empty_list_has_no_item_to_show(spec: Path) -> None:
    report = outcome(ShowApp([]), "start", "show*", spec=spec)
    assert report.exit_code in (0, 3)
    assert report["show_thing/shapes/start"].verdict is Verdict.NOT_EXERCISED
    assert report["show_thing/shapes/start"].note == "list_things has no item"


def test_first_look_is_selected_like_everything_else(spec: Path) -> None:
    app = ShowApp(things(3))
    report = outcome(app, "list_things/meaning/total", spec=spec)
    assert {each.property.operation for each in report.results} == {"list_things"}


def test_contract_with_every_kind_of_operation() -> None:
    """Each operation gets a first look, also those whose example does not exist on this server."""
    server = Variant("tasks", settings=SandboxSettings(spec=TASKS))
    report = proven(server, spec=TASKS, only=("start", "show.*"))
    assert report.exit_code == 0, report.failure
    assert {each.verdict for each in report.results} == {Verdict.PASS}


@pytest.mark.slow
def test_whole_contract_with_every_kind_of_operation() -> None:
    """Slow: 2,000 requests. The sample is the test before."""
    report = proven(Variant("tasks", settings=SandboxSettings(spec=TASKS)), spec=TASKS, max_examples=5)
    assert_not_blamed(report)
    assert report.exit_code == 0, report.failure
