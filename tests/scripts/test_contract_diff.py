"""./generate.sh --diff: every change has its grade, as docs/spec-authoring.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from contract_diff.diff import compare
from contract_diff.grades import Change, Grade, report, whole
from contract_edits import EDITS, PAGE, Edit, Workbench, documented
from metastudio.contract import check, load
from repository import ROOT

# ruff: noqa: E501 (the text of an edit is a line)
CONTRACT = (ROOT / "openapi.yaml").read_text(encoding="utf-8")
ORIGINAL = load(ROOT / "openapi.yaml")
X_LIST = re.search(r"      x-list:\n(        .*\n)+", CONTRACT)
X_STATES = re.search(r"      x-states:\n(        .*\n)+", CONTRACT)
NONE, COSMETIC, ADDITIVE, SERVERS, CLIENTS, BOTH = (
    Grade.NONE,
    Grade.COSMETIC,
    Grade.ADDITIVE,
    Grade.SERVERS,
    Grade.CLIENTS,
    Grade.BOTH,
)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def changes(folder: Path, *edits: tuple[str, str]) -> list[Change]:
    """What an edit of the contract changes, by the comparison itself."""
    text = CONTRACT
    for old, new in edits:
        assert old in text, f"the contract has changed; mend this edit: {old!r}"
        text = text.replace(old, new, 1)
    edited = load(write(folder, "new.yaml", text))
    check(edited)
    return compare(ORIGINAL, edited)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return Workbench(tmp_path_factory.mktemp("edits"))


@pytest.mark.parametrize(("number", "edit"), list(enumerate(EDITS, start=1)), ids=[edit.title for edit in EDITS])
def test_the_page_shows_what_each_typical_edit_gives(bench: Workbench, number: int, edit: Edit) -> None:
    code, output, change = bench.diff(edit)
    assert code == edit.code, output
    expected = documented(number, edit, code, output, change)
    assert expected in PAGE.read_text(encoding="utf-8"), "run scripts/document-edits"


SORT_KEY = (
    "      enum: [create_time]\n",
    "      enum: [create_time, name]\n",
)
# what is edited, the grade, and words that the report must hold
CASES: dict[str, tuple[Grade, list[str], list[tuple[str, str]]]] = {
    "comments and order of keys": (
        NONE,
        [],
        [
            (
                "        total: /count\n        identity: /job_id\n",
                "        identity: /job_id\n        total: /count # all\n",
            )
        ],
    ),
    "version alone": (NONE, [], [("  version: 1.0.0\n", "  version: 7.0.0\n")]),
    "an unused schema": (
        COSMETIC,
        ["The contract as a whole", "no user"],
        [("    ServiceError:\n", "    Unused: {type: string}\n    ServiceError:\n")],
    ),
    "the title": (COSMETIC, ["info: described"], [("title: MetaStudio training jobs", "title: Training jobs")]),
    "an example": (COSMETIC, ["parameter X-App-UserId"], [("example: app-user-1", "example: app-user-2")]),
    "an example of the answer": (COSMETIC, ["answer 200: other examples"], [('name: "Name 10"', 'name: "Name 11"')]),
    # parameters
    "required parameter": (
        CLIENTS,
        ["parameter extra: new, required"],
        [
            (
                "        - name: sort_dir\n",
                "        - name: extra\n          in: query\n          required: true\n          schema: {type: string}\n"
                "        - name: sort_dir\n",
            )
        ],
    ),
    "parameter required now": (
        CLIENTS,
        ["parameter sort_dir: is required now"],
        [
            (
                "        - name: sort_dir\n          in: query\n",
                "        - name: sort_dir\n          required: true\n          in: query\n",
            )
        ],
    ),
    "parameter renamed": (
        BOTH,  # what turns the order round is another parameter
        ["parameter sort_direction: new, optional", "parameter sort_dir: is gone"],
        [
            ("        - name: sort_dir\n", "        - name: sort_direction\n"),
            ("parameter: sort_dir,", "parameter: sort_direction,"),
        ],
    ),
    "parameter moved to a header": (
        CLIENTS,
        ["header parameter tag: new", "parameter tag: is gone"],
        [("        - name: tag\n          in: query\n", "        - name: tag\n          in: header\n")],
    ),
    "repeated keys instead of commas": (
        BOTH,
        ["parameter state: goes out otherwise: style form, explode false -> style form, explode true"],
        [("          explode: false\n", "          explode: true\n")],
    ),
    "closed set of a request gets a value": (
        SERVERS,
        ["parameter sort_dir: lists random too"],
        [("enum: [asc, desc]", "enum: [asc, desc, random]")],
    ),
    "closed set of a request is opened": (
        SERVERS,
        ["parameter sort_dir: other values are allowed now"],
        [
            (
                "          schema:\n            $ref: '#/components/schemas/SortDirection'\n",
                "          schema:\n            anyOf:\n              - $ref: '#/components/schemas/SortDirection'\n"
                "              - type: string\n            default: asc\n",
            )
        ],
    ),
    "open set of a request is closed": (
        CLIENTS,
        ["parameter model_resolution: no other value is allowed now"],
        [
            (
                "              - $ref: '#/components/schemas/ModelResolution'\n"
                "              - $ref: '#/components/schemas/FilterText'\n",
                "              - $ref: '#/components/schemas/ModelResolution'\n",
            )
        ],
    ),
    "default of a request": (
        BOTH,
        ["parameter sort_dir: default: asc -> desc"],
        [("      default: asc\n", "      default: desc\n")],
    ),
    "narrower text": (
        CLIENTS,
        ["maxLength 64 -> 32"],
        [("      maxLength: 64\n      pattern: '^[^", "      maxLength: 32\n      pattern: '^[^")],
    ),
    "another pattern": (
        BOTH,
        ["parameter project_id: pattern"],
        [("        pattern: '^[A-Za-z0-9_-]+$'\n", "        pattern: '^[a-z0-9_-]+$'\n")],
    ),
    # answers
    "a required field": (
        SERVERS,
        ["/jobs/*/model_version: is required now"],
        [("required: [job_id, name, state,", "required: [job_id, name, model_version, state,")],
    ),
    "a field that may be absent now": (
        CLIENTS,
        ["/jobs/*/name: may be absent now"],
        [("required: [job_id, name, state,", "required: [job_id, state,")],
    ),
    "a field that may be null now": (
        CLIENTS,
        ["/jobs/*/name: may be null now"],
        [
            (
                "the asset library shows it under this name.\n          type: string\n",
                "the asset library shows it under this name.\n          type: string\n          nullable: true\n",
            )
        ],
    ),
    "a field of another type": (
        BOTH,
        ["answer 200 /count: type integer -> string"],
        [
            (
                "          type: integer\n          format: int32\n          minimum: 0\n"
                "          x-source: {format: decision, minimum: decision}\n        jobs:\n",
                "          type: string\n        jobs:\n",
            ),
            ("        count: 101\n", "        count: '101'\n"),
        ],
    ),
    "a time that is text now": (
        CLIENTS,
        ["/jobs/*/create_time: format date-time -> none"],
        [
            (
                "was created. RFC 3339.\n          type: string\n          format: date-time\n",
                "was created. RFC 3339.\n          type: string\n",
            )
        ],
    ),
    "closed set of an answer is opened": (
        # compared the other way round below
        SERVERS,
        ["/jobs/*/matting_type: may not be null any more; no other value is allowed now"],
        [
            (
                "            - $ref: '#/components/schemas/MattingType'\n"
                "            - $ref: '#/components/schemas/UnlistedValue'\n",
                "            - $ref: '#/components/schemas/MattingType'\n",
            )
        ],
    ),
    "a text of a kind": (
        BOTH,  # a server's other texts are wrong, and the type in code is another
        ["/jobs/*/app_user_id: format none -> uuid"],
        [
            (
                "with which the task was created.\n          type: string\n",
                "with which the task was created.\n          type: string\n          format: uuid\n",
            )
        ],
    ),
    "another status of success": (
        BOTH,
        ["breaking for clients and servers: answer 200: is gone", "breaking for clients: answer 203: new"],
        [("        '200':\n", "        '203':\n")],
    ),
    "a listed value of an open set goes": (
        CLIENTS,
        ["lists MANUAL no more"],
        [("enum: [AI, MANUAL]", "enum: [AI]")],
    ),
    "a class is renamed": (
        CLIENTS,
        ["its class in code: GatewayError -> EdgeError"],
        [
            ("    GatewayError:\n", "    EdgeError:\n"),
            ("$ref: '#/components/schemas/GatewayError'", "$ref: '#/components/schemas/EdgeError'"),
        ],
    ),
    "a member is renamed": (
        CLIENTS,
        ["x-enum-varnames: ['P1080', 'K4'] -> ['FULL_HD', 'K4']"],
        [("x-enum-varnames: [P1080, K4]", "x-enum-varnames: [FULL_HD, K4]")],
    ),
    "another error status": (
        ADDITIVE,
        ["answer 409: new"],
        [
            (
                "        '500':\n          description: The service failed.\n",
                "        '409':\n          description: A conflict.\n        '500':\n          description: The service failed.\n",
            )
        ],
    ),
    "an error status goes": (
        SERVERS,
        ["answer 404: is gone"],
        [
            (
                "        '404':\n          x-source: decision\n"
                "          description: The gateway does not know the path, or no such project.\n"
                "          headers: *optional_request_id\n          content: *gateway_error\n",
                "",
            )
        ],
    ),
    "a header that may be absent now": (
        CLIENTS,
        ["answer 200 header X-Request-Id: may be absent now"],
        [("    RequestId:\n      required: true\n", "    RequestId:\n")],
    ),
    # the operation and what stands around it
    "another path": (
        BOTH,
        ["moved, it was GET /v1/{project_id}/digital-human-training-manage/user/jobs"],
        [("/user/jobs:", "/user/training-jobs:")],
    ),
    "another name": (
        CLIENTS,
        ["list_training_jobs -> search_training_jobs"],
        [("operationId: list_training_jobs", "operationId: search_training_jobs")],
    ),
    "another path and another name": (
        CLIENTS,
        ["(search_training_jobs)\n  additive: new operation", "(list_training_jobs)\n  breaking for clients: is gone"],
        [("/user/jobs:", "/user/all-jobs:"), ("operationId: list_training_jobs", "operationId: search_training_jobs")],
    ),
    "announced to go": (
        ADDITIVE,
        ["additive: is announced to go"],
        [
            (
                "      operationId: list_training_jobs\n",
                "      operationId: list_training_jobs\n      deprecated: true\n",
            )
        ],
    ),
    "no token any more": (CLIENTS, ["AuthToken is no way in any more"], [("  - AuthToken: []\n", "")]),
    "another header for the token": (
        BOTH,
        ["security scheme AuthToken"],
        [("      name: X-Auth-Token\n", "      name: X-Token\n")],
    ),
    "another host": (
        CLIENTS,
        ["is gone", "new"],
        [("metastudio.{region}.myhuaweicloud.com", "ms.{region}.example.com")],
    ),
    # meaning
    "how a filter compares is stated": (
        SERVERS,
        ["x-list filter name: unstated -> /name contains the value"],
        [("op: unstated, sandbox: eq}", "op: substring}")],
    ),
    "how a filter compares is taken back": (
        CLIENTS,
        ["x-list filter batch_name: /batch_name equals the value -> unstated"],
        [("batch_name: {property: /batch_name, op: eq}", "batch_name: {op: unstated}")],
    ),
    "only the sandbox": (
        COSMETIC,
        ["the sandbox compares otherwise"],
        [("op: unstated, sandbox: eq}", "op: unstated, sandbox: prefix}")],
    ),
    "another identity": (
        BOTH,
        ["x-list identity: /job_id -> /name"],
        [("        identity: /job_id\n", "        identity: /name\n")],
    ),
    "no total": (CLIENTS, ["x-list total: /count -> unstated"], [("        total: /count\n", "")]),
    "paging by other parameters": (
        BOTH,
        ["x-list page/offset: offset -> limit"],
        [("page: {style: offset, offset: offset, limit: limit}", "page: {style: offset, offset: limit, limit: limit}")],
    ),
    "another default of the direction": (
        BOTH,
        ["x-list order/direction/default: asc -> desc"],
        [("desc: desc, default: asc}", "desc: desc, default: desc}")],
    ),
    "another key to sort by": (
        ADDITIVE,
        ["parameter sort_key: lists name too", "x-list order/key/values/name: unstated -> /name"],
        [SORT_KEY, ("values: {create_time: /create_time}", "values: {create_time: /create_time, name: /name}")],
    ),
    "a key sorts by something else": (
        BOTH,
        ["x-list order/key/values/create_time: /create_time -> /last_update_time"],
        [("values: {create_time: /create_time}", "values: {create_time: /last_update_time}")],
    ),
    "a scope less": (CLIENTS, ["x-list scope/project_id"], [("        scope: {project_id: /project_id}\n", "")]),
    "a list that is none any more": (CLIENTS, ["x-list: is gone"], [(X_LIST[0] if X_LIST else "", "")]),
    "states without a meaning": (CLIENTS, ["x-states: are gone"], [(X_STATES[0] if X_STATES else "", "")]),
    "how a state ended": (
        CLIENTS,
        ["state JOB_SUCCESS: ended: success -> failure"],
        [
            (
                "JOB_SUCCESS: {phase: done, at_rest: true, ended: success",
                "JOB_SUCCESS: {phase: done, at_rest: true, ended: failure",
            )
        ],
    ),
    "a decision is a promise now": (
        SERVERS,
        ["x-list filter tag: x-source: decision -> page"],
        [("op: eq, x-source: decision}", "op: eq}")],
    ),
    "a promise is a decision now": (
        ADDITIVE,
        ["x-list filter job_id: x-source: page -> decision"],
        [("job_id: {property: /job_id, op: eq}", "job_id: {property: /job_id, op: eq, x-source: decision}")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_grades(tmp_path: Path, case: str) -> None:
    grade, words, edits = CASES[case]
    found = changes(tmp_path, *edits)
    said = report(found)
    # of a list of changes only the worst counts; a break of both sides is one of either
    assert str(whole(found)) == str(grade), said
    for part in words:
        assert part in said
    assert bool(found) == bool(grade)
    back = compare(load(tmp_path / "new.yaml"), ORIGINAL)
    assert bool(back) == bool(found)
    if grade.breaking or grade == ADDITIVE:  # what was added is gone, what was narrowed is widened
        assert whole(back) & ~COSMETIC, report(back)


def test_the_other_way_round(tmp_path: Path) -> None:
    """Opening a closed set of an answer breaks clients where closing it broke servers, and so on."""
    closed = CONTRACT.replace(
        "            - $ref: '#/components/schemas/MattingType'\n            - $ref: '#/components/schemas/UnlistedValue'\n",
        "            - $ref: '#/components/schemas/MattingType'\n",
    )
    assert closed != CONTRACT
    old, new = load(write(tmp_path, "old.yaml", closed)), load(write(tmp_path, "new.yaml", CONTRACT))
    assert whole(compare(old, new)) == CLIENTS
    more = load(write(tmp_path, "more.yaml", closed.replace("enum: [AI, MANUAL]", "enum: [AI, MANUAL, HYBRID]")))
    assert CLIENTS in whole(compare(old, more)), "a client does not know what the closed set did not list"


def test_a_change_of_many_places_is_said_once(tmp_path: Path) -> None:
    found = changes(tmp_path, ("The error in words.", "The error, said in words."))
    assert report(found).count("described in other words") == 1
    assert "answer 400 /error_msg, answer 500 /error_msg" in report(found)


def test_nested_and_combined_schemas(tmp_path: Path) -> None:
    nested = CONTRACT.replace(
        "        app_user_id:\n",
        "        owner:\n          allOf:\n            - $ref: '#/components/schemas/Owner'\n"
        "            - type: object\n              properties:\n                team: {type: string}\n"
        "        parent:\n          $ref: '#/components/schemas/TrainingJobBasicInfo'\n"
        "        app_user_id:\n",
        1,
    ).replace(
        "    ServiceError:\n",
        "    Owner:\n      type: object\n      required: [name]\n      properties:\n        name: {type: string}\n    ServiceError:\n",
        1,
    )
    old = load(write(tmp_path, "old.yaml", nested))
    check(old)
    for edit, grade, place in (
        (
            ("        name: {type: string}\n", "        name: {type: string, nullable: true}\n"),
            CLIENTS,
            "owner/name: may be",
        ),
        (("      required: [name]\n", ""), CLIENTS, "owner/name: may be absent"),
        (("team: {type: string}", "group: {type: string}"), CLIENTS, "owner/team: is gone"),
    ):
        new = load(write(tmp_path, "new.yaml", nested.replace(*edit)))
        check(new)
        found = compare(old, new)
        assert whole(found) & ~ADDITIVE == grade, report(found)
        assert place in report(found)


def test_bodies(tmp_path: Path) -> None:
    """What this contract has none of: an operation that takes a body."""
    body = (
        "  /v1/{project_id}/names:\n    post:\n      operationId: add_name\n      tags: [training_jobs]\n      parameters:\n"
        "        - $ref: '#/components/parameters/ProjectId'\n      requestBody:\n        content:\n"
        "          application/json:\n            schema:\n              $ref: '#/components/schemas/NewName'\n"
        "      responses:\n        '204':\n          description: Added.\n"
    )
    schema = (
        "    NewName:\n      type: object\n      required: [name]\n      properties:\n        name: {type: string}\n"
    )
    text = CONTRACT.replace("\ncomponents:\n", body + "\ncomponents:\n", 1)
    text = text.replace("    ServiceError:\n", schema + "    ServiceError:\n", 1)
    old = load(write(tmp_path, "old.yaml", text))
    check(old)
    for edit, grade, words in (
        (
            ("        name: {type: string}\n", "        name: {type: string, maxLength: 9}\n"),
            CLIENTS,
            "maxLength none -> 9",
        ),
        (("      required: [name]\n", ""), SERVERS, "body /name: may be absent now"),
        (
            ("        name: {type: string}\n", "        name: {type: string}\n        more: {type: string}\n"),
            ADDITIVE,
            "optional",
        ),
        (("      requestBody:\n", "      requestBody:\n        required: true\n"), CLIENTS, "body: is required now"),
    ):
        new = load(write(tmp_path, "new.yaml", text.replace(*edit)))
        check(new)
        found = compare(old, new)
        assert whole(found) == grade, report(found)
        assert words in report(found)


def test_exit_codes() -> None:
    grades = (NONE, COSMETIC, ADDITIVE, ADDITIVE | COSMETIC, SERVERS | ADDITIVE, CLIENTS | ADDITIVE, BOTH)
    assert [grade.exit_code for grade in grades] == [0, 0, 10, 10, 20, 30, 30]
