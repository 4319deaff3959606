"""A parameter, a field and a second list added to the contract appear in the command without code changes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import CommandOfCopy, PseudoTerminal
from loopback import CannedResponse, LoopbackServer, ReceivedRequest, serve
from metastudio.cli.root import commands
from metastudio.contract.naming import COMMANDS, command_words
from metastudio.contract.operation import Operation
from metastudio_client.contract import OPERATIONS
from repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator

PARAMETER = """\
        - name: is_flexus
          in: query
          description: Keep tasks of the light edition, or the others.
          schema: {type: boolean}
"""
FIELD = """\
        training_hours:
          description: Hours of training so far.
          type: integer
          nullable: true
"""
OPERATION = """\
  /v2/{project_id}/studios/{studio}/voices:
    get:
      operationId: list_voices
      tags: [voices]
      summary: List voices
      parameters:
        - $ref: '#/components/parameters/ProjectId'
        - {name: studio, in: path, required: true, description: The studio., schema: {type: string, pattern: '^m'}}
        - {name: start, in: query, description: Skipped., schema: {type: integer, minimum: 0}}
        - {name: page_size, in: query, description: On a page., schema: {type: integer, minimum: 1, maximum: 50}}
        - {name: output, in: query, description: Kind of output., schema: {type: string, enum: [wav, mp3]}}
        - {name: region, in: query, description: Where it is spoken., schema: {type: string}}
        - {name: name, in: query, description: Its name., schema: {type: string}}
        - {name: min_size, in: query, description: Lowest size., schema: {type: integer, minimum: 1}}
        - {name: score, in: query, description: Lowest score., schema: {type: number}}
        - {name: before, in: query, description: Born before., schema: {type: string, format: date-time}}
        - {name: owner, in: query, description: Of any of these., schema: {type: array, items: {type: string}}}
        - {name: id, in: query, description: The one., schema: {type: string}}
        - {name: X-Kind, in: header, description: Kind., schema: {type: string}}
      responses:
        '200':
          description: A page of voices.
          content:
            application/json:
              schema:
                $ref: '#/components/schemas/VoicePage'
      x-list:
        items: /data/voices
        total: /data/total
        identity: /meta/id
        page: {style: offset, offset: start, limit: page_size}
        filters:
          before: {property: /born, op: lt}
          id: {property: /meta/id, op: eq}
          owner: {property: /owners/*, op: eq}
"""
SCHEMAS = """\
    VoicePage:
      type: object
      required: [data]
      properties:
        data:
          $ref: '#/components/schemas/VoiceData'
    VoiceData:
      type: object
      required: [total, voices]
      properties:
        total: {type: integer}
        voices:
          type: array
          items:
            $ref: '#/components/schemas/Voice'
    Voice:
      type: object
      required: [meta, phase]
      properties:
        meta:
          $ref: '#/components/schemas/VoiceMeta'
        phase:
          $ref: '#/components/schemas/VoicePhase'
        born: {type: string, format: date-time, nullable: true}
        owners: {type: array, items: {type: string}}
    VoiceMeta:
      type: object
      required: [id]
      properties:
        id: {type: string}
    VoicePhase:
      description: Where it stands.
      anyOf:
        - $ref: '#/components/schemas/KnownVoicePhase'
        - type: string
    KnownVoicePhase:
      description: Where it stands.
      type: string
      enum: [RAW, READY, BROKEN]
      x-states:
        RAW: {phase: training, at_rest: false}
        READY: {phase: done, at_rest: true, ended: success}
        BROKEN: {phase: failed, at_rest: true, ended: failure}
"""


@pytest.fixture(scope="module")
def evolved(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repository = Repository(tmp_path_factory.mktemp("evolution"))
    repository.edit("        - name: X-App-UserId\n", PARAMETER + "        - name: X-App-UserId\n")
    repository.edit("          job_id: {prop", "          is_flexus: {op: unstated}\n          job_id: {prop")
    repository.edit("        app_user_id:\n", FIELD + "        app_user_id:\n")
    repository.edit("\ncomponents:\n", "\n" + OPERATION + "\ncomponents:\n")
    repository.edit("    TrainingJobState:\n", SCHEMAS + "    TrainingJobState:\n")
    repository.edit("tags:\n", "tags:\n  - name: voices\n    description: Voices.\n")
    done = repository.generate()
    assert done.returncode == 0, done.stdout + done.stderr
    return repository


VOICES: dict[str, Any] = {
    "data": {
        "total": 2,
        "voices": [
            {"meta": {"id": "v1"}, "phase": "READY", "born": "2023-12-01T00:00:00Z", "owners": ["a", "b"]},
            {"meta": {"id": "v2"}, "phase": "BROKEN", "born": None},
        ],
    }
}


@pytest.fixture(scope="module")
def voices() -> Iterator[LoopbackServer]:
    def respond(request: ReceivedRequest) -> CannedResponse:
        if "/jobs" in request.target:
            body: dict[str, Any] = {"count": 0, "jobs": []}
        else:
            only = [each for each in VOICES["data"]["voices"] if f"id={each['meta']['id']}" in request.target]
            body = {"data": {"total": 1, "voices": only}} if only else VOICES
        return CannedResponse(body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})

    with serve(respond) as server:
        yield server


@pytest.fixture(scope="module")
def copy(evolved: Repository) -> Iterator[CommandOfCopy]:
    with CommandOfCopy(evolved.root) as running:
        yield running


@pytest.fixture
def settings(copy: CommandOfCopy, voices: LoopbackServer) -> dict[str, str]:
    voices.received.clear()
    return {
        **copy.path,
        "METASTUDIO_BASE_URL": voices.url,
        "HUAWEICLOUD_SDK_AK": "AKAKAKAK",
        "HUAWEICLOUD_SDK_SK": "SKSKSKSK",
        "HUAWEICLOUD_SDK_PROJECT_ID": "p",
    }


def test_a_parameter_and_a_field(copy: CommandOfCopy, settings: dict[str, str], voices: LoopbackServer) -> None:
    shown = copy("jobs", "--help", env=settings).out
    assert "--is-flexus / --no-is-flexus" in shown
    assert "Keep tasks of the light edition" in shown
    assert copy("jobs", "--no-is-flexus", "--columns", "training_hours", env=settings).code == 0
    assert "is_flexus=false" in voices.received[-1].target


def test_a_second_list(copy: CommandOfCopy, settings: dict[str, str], voices: LoopbackServer) -> None:
    assert "voices" in copy("--help", env=settings).out
    shown = copy("voices", "--help", env=settings).out
    assert "--filter-output [wav|mp3]" in shown
    assert "--page-size" not in shown
    done = copy(
        *("voices", "--studio", "main", "--filter-output", "WAV", "--region", "north", "--min-size", "3"),
        *("--score", "0.5", "--before", "2023-12-01", "--owner", "a,b", "--owner", "c", "--kind", "k", "--limit", "2"),
        env=settings,
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert [json.loads(line) for line in done.out.splitlines()] == VOICES["data"]["voices"]
    (request,) = voices.received
    path, _, query = request.target.partition("?")
    assert path == "/v2/p/studios/main/voices"
    assert sorted(query.split("&")) == [
        "before=2023-11-30T16%3A00%3A00Z",
        "min_size=3",
        "output=wav",
        "owner=a%2Cb",
        "owner=c",
        "page_size=2",
        "region=north",
        "score=0.5",
        "start=0",
    ]
    assert request.header("x-kind") == "k"


def test_table_summary_and_states_of_the_second_list(copy: CommandOfCopy, settings: dict[str, str]) -> None:
    with PseudoTerminal("voices", "--studio", "main", env=settings, command=copy.command) as terminal:
        assert terminal.end() == 0
        assert terminal.marked().splitlines() == [
            "‹bold:meta.id  phase   born              owners›",
            "v1       ‹green:READY›   2023-12-01 08:00  a; b",
            "v2       ‹red:BROKEN›",
            "2 of 2 voices, times in CST",
        ]
    summary = json.loads(copy("voices", "summary", "--studio", "main", "-o", "json", env=settings).out)
    assert (summary["phases"]["done"]["total"], summary["phases"]["failed"]["total"]) == (1, 1)
    assert summary["oldest"] == {"meta.id": "v1", "phase": "READY", "born": "2023-12-01T00:00:00Z"}
    table = copy("voices", "--studio", "main", "-o", "csv", "-c", "meta.id,owners", env=settings)
    assert table.out == "meta.id,owners\nv1,a; b\nv2,\n"


def test_watch_needs_a_filter_on_the_id_alone(copy: CommandOfCopy, settings: dict[str, str]) -> None:
    """A voice cannot be requested by its ID alone, because the path also needs a studio."""
    shown = copy("voices", "--help", env=settings).out
    assert "  summary" in shown
    assert "  watch" not in shown


def test_a_missing_required_parameter_is_reported(
    copy: CommandOfCopy, settings: dict[str, str], voices: LoopbackServer
) -> None:
    done = copy("voices", env=settings)
    assert done.code == 2
    assert "studio" in done.err
    assert not voices.received


def named(name: str, **other: Any) -> Operation:
    changed: dict[str, Any] = {"id": name, "tag": "tasks", **other}
    return replace(next(iter(OPERATIONS.values())), **changed)


def test_names_of_commands_do_not_depend_on_other_operations() -> None:
    """A list has the last word of its ID, the rest is below it or below its tag; x-cli overrides."""
    voices = named("list_voice_jobs", cli_name="voices")
    one: dict[str, Any] = {"kind": "show", "list_id": "list_voice_jobs"}
    for operation, words in (
        (named("list_training_jobs"), ["jobs"]),
        (voices, ["voices"]),
        (named("show_task", **one), ["voices", "show"]),
        (named("show_task", cli_name="details", **one), ["voices", "details"]),
        (named("stop_live_task", kind="other", tag="live_tasks"), ["live-tasks", "stop"]),
    ):
        for others in ({}, {"list_jobs": named("list_jobs")}):
            assert [*command_words(operation, {"list_voice_jobs": voices, **others})] == words


def test_own_commands_are_reserved() -> None:
    assert {*commands({})} <= COMMANDS
    assert {*commands(OPERATIONS)} == COMMANDS | {"jobs"}
