"""Operations on an item of a list: IDs come from the list, the item is shown as it is listed, an unknown ID is 404."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from list_app import SPEC, ListApp, Thing, assert_not_blamed, outcome, things
from metastudio.sandbox import CONFORMING, SandboxSettings
from metastudio.sandbox.http import SandboxRequest, SandboxResponse
from metastudio.tester import Verdict, prove
from metastudio.tester.http_client import TimeLimitError
from metastudio.tester.relations.writes import LifeCycle
from repository import ROOT
from tester_runs import credentials_of, proven, serving
from variants import Variant
from write_variants import ITEMS, conforming

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


def test_empty_list_has_no_item_to_show(spec: Path) -> None:
    report = outcome(ShowApp([]), "start", "show*", spec=spec)
    assert report.exit_code in (0, 3)
    assert report["show_thing/shapes/start"].verdict is Verdict.NOT_EXERCISED
    assert report["show_thing/shapes/start"].note == "list_things has no item"


def test_first_look_is_selected_like_everything_else(spec: Path) -> None:
    app = ShowApp(things(3))
    report = outcome(app, "list_things/meaning/total", spec=spec)
    assert {each.property.operation for each in report.results} == {"list_things"}


WRITES = ("create.*", "update.*", "delete.*", "command.*")


def test_contract_with_every_kind_of_operation() -> None:
    """Each operation gets a first look, also those whose example does not exist on this server."""
    server = Variant("tasks", settings=SandboxSettings(spec=TASKS))
    report = proven(server, writes=False, only=("start", "show.*"))
    assert report.exit_code == 0, report.failure
    assert {each.verdict for each in report.results} == {Verdict.PASS}


@pytest.mark.parametrize("spec", [ITEMS, TASKS], ids=lambda spec: spec.stem)
def test_an_item_lives_and_nothing_is_left(spec: Path) -> None:
    with serving(Variant("items", settings=SandboxSettings(spec=spec, jobs=5))) as sandbox:
        before = {name: store.items() for name, store in sandbox.stores.items()}
        report = prove(sandbox.url, spec=spec, writes=True, only=WRITES, **credentials_of(sandbox))
        assert {name: store.items() for name, store in sandbox.stores.items()} == before
    without_create = ("list_voice_training_jobs", "delete_voice_training_job", "delete_asset")
    tested = {each.property.id: each for each in report.results if each.property.operation not in without_create}
    assert {each.verdict for each in tested.values()} == {Verdict.PASS}
    assert tested.keys() >= {
        "create.refused", "create.listed", "create.shown", "update.refused", "update.listed", "update.shown",
        "command.refused", "delete.listed", "delete.shown", "delete.again",
    }  # fmt: skip
    assert (report.exit_code, report.notes) == (0, ())


def test_an_operation_on_items_is_not_exercised_without_one_of_its_own() -> None:
    """It would change an item of somebody else. `--path` names one that may be changed."""
    server = Variant("tasks", settings=SandboxSettings(spec=TASKS, jobs=3))
    report = proven(server, only=("delete_asset",))
    assert {each.verdict for each in report.results if each.property.operation == "delete_asset"} == {
        Verdict.NOT_EXERCISED
    }
    assert "no operation that creates" in report["delete_asset/meaning/delete.listed"].note
    assert "--path asset_id=ID" in report["delete_asset/shapes/body"].note
    given = proven(server, only=("delete_asset/shapes/body",), path_values={"asset_id": "asset-1"}, max_examples=1)
    assert given["delete_asset/shapes/body"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("writing: create has a response without the ID", "items that this run created could not be deleted: the resp"),
        ("writing: items cannot be deleted yet", "could not be deleted (status 409): "),
    ],
)
def test_what_cannot_be_deleted_is_said(name: str, note: str) -> None:
    report = proven(next(each for each in conforming() if each.name == name), only=("start", "create.listed"))
    assert note in " ".join(report.notes)
    assert report.exit_code == 0


@pytest.mark.parametrize("ended_by", [TimeLimitError, KeyboardInterrupt, ZeroDivisionError])
def test_items_are_deleted_when_the_run_ends_early(
    ended_by: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ended_by

    monkeypatch.setattr(LifeCycle, "_updated", fail)  # the item exists by then
    with serving(Variant("items", settings=SandboxSettings(spec=ITEMS, jobs=3))) as sandbox:
        before = sandbox.stores["list_cards"].items()
        with suppress(KeyboardInterrupt):
            report = prove(sandbox.url, spec=ITEMS, writes=True, only=WRITES[:2], **credentials_of(sandbox))
            assert report.exit_code == (2 if ended_by is ZeroDivisionError else 0)
        assert sandbox.stores["list_cards"].items() == before


def test_generated_requests_change_only_items_of_the_run() -> None:
    """Each body of schemathesis may create an item, and undeclared methods are not sent to items of the list."""
    with serving(Variant("items", settings=SandboxSettings(spec=ITEMS, jobs=3))) as sandbox:
        before = sandbox.stores["list_cards"].items()
        report = prove(
            sandbox.url, spec=ITEMS, writes=True, only=("status",), max_examples=2, **credentials_of(sandbox)
        )
        assert sandbox.stores["list_cards"].items() == before
    assert {each.verdict for each in report.results if each.property.id == "status"} == {Verdict.PASS}
    assert report.exercised["generated successes"] > 20


def test_an_item_that_existed_before_is_never_changed() -> None:
    """A create operation may answer with an item that exists already."""
    existing: list[str] = []

    def answers(answer: SandboxResponse, request: SandboxRequest) -> SandboxResponse:
        is_created = request.method == "POST" and answer.status == 201
        return replace(answer, body={**answer.body, "id": existing[0]}) if is_created else answer

    server = Variant("existing", replace(CONFORMING, finish=answers), SandboxSettings(spec=ITEMS, jobs=3))
    with serving(server) as sandbox:
        store = sandbox.stores["list_cards"]
        before = store.items()
        existing.append(before[0]["id"])
        report = prove(sandbox.url, spec=ITEMS, writes=True, only=WRITES[:3], **credentials_of(sandbox))
        assert [each for each in store.items() if each in before] == before
    assert not report.breaches
    assert "existed before" in report["meaning/update.listed"].note


def test_an_example_is_no_id_that_may_be_changed() -> None:
    server = Variant("tasks", settings=SandboxSettings(spec=TASKS, jobs=3))
    report = proven(server, only=("stop_live_job",))
    tested = [each for each in report.results if each.property.operation == "stop_live_job"]
    assert {each.verdict for each in tested} == {Verdict.NOT_EXERCISED}
    assert any("give --path room_id=ID" in each.note for each in tested)


@pytest.mark.slow
@pytest.mark.parametrize("writes", [False, True])
def test_whole_contract_with_every_kind_of_operation(writes: bool) -> None:
    """Slow: 2,000 requests. The samples are the tests before."""
    report = proven(Variant("tasks", settings=SandboxSettings(spec=TASKS)), writes=writes, max_examples=5)
    assert_not_blamed(report)
    assert report.exit_code == 0, report.failure
