"""./generate.sh --diff grades every change as docs/spec-authoring.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from contract_diff.diff import compare
from contract_diff.grades import Change, Grade, overall, report
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
    """Edit the contract and return the changes."""
    text = CONTRACT
    for old, new in edits:
        assert old in text, f"the contract has changed; adapt this edit: {old!r}"
        text = text.replace(old, new, 1)
    edited = load(write(folder, "new.yaml", text))
    check(edited)
    return compare(ORIGINAL, edited)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return Workbench(tmp_path_factory.mktemp("edits"))


@pytest.mark.parametrize(("number", "edit"), list(enumerate(EDITS, start=1)), ids=[edit.title for edit in EDITS])
def test_docs_show_the_output_for_each_typical_edit(bench: Workbench, number: int, edit: Edit) -> None:
    code, output, change = bench.diff(edit)
    assert code == edit.code, output
    expected = documented(number, edit, code, output, change)
    assert expected in PAGE.read_text(encoding="utf-8"), "run scripts/document-edits"


SORT_KEY = (
    "      enum: [create_time]\n",
    "      enum: [create_time, name]\n",
)
# Each edit of the contract: the expected grade, parts of the report, and the replaced texts.
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
        ["The contract as a whole", "only parts that no operation uses"],
        [("    ServiceError:\n", "    Unused: {type: string}\n    ServiceError:\n")],
    ),
    "the title": (
        COSMETIC,
        ["info: documentation changed"],
        [("title: MetaStudio training jobs", "title: Training jobs")],
    ),
    "an example": (COSMETIC, ["parameter X-App-UserId"], [("example: app-user-1", "example: app-user-2")]),
    "an example of the response": (
        COSMETIC,
        ["response 200: examples changed"],
        [('name: "Name 10"', 'name: "Name 11"')],
    ),
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
    "a parameter becomes required": (
        CLIENTS,
        ["parameter sort_dir: now required"],
        [
            (
                "        - name: sort_dir\n          in: query\n",
                "        - name: sort_dir\n          required: true\n          in: query\n",
            )
        ],
    ),
    "parameter renamed": (
        BOTH,  # the parameter that reverses the order has another name
        ["parameter sort_direction: new, optional", "parameter sort_dir: removed"],
        [
            ("        - name: sort_dir\n", "        - name: sort_direction\n"),
            ("parameter: sort_dir,", "parameter: sort_direction,"),
        ],
    ),
    "parameter moved to a header": (
        CLIENTS,
        ["header parameter tag: new", "parameter tag: removed"],
        [("        - name: tag\n          in: query\n", "        - name: tag\n          in: header\n")],
    ),
    "repeated keys instead of commas": (
        BOTH,
        ["parameter state: serialization changed: style form, explode false -> style form, explode true"],
        [("          explode: false\n", "          explode: true\n")],
    ),
    "closed set of a request gets a value": (
        SERVERS,
        ["parameter sort_dir: new values: random"],
        [("enum: [asc, desc]", "enum: [asc, desc, random]")],
    ),
    "closed set of a request is opened": (
        SERVERS,
        ["parameter sort_dir: unlisted values now allowed"],
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
        ["parameter model_resolution: unlisted values no longer allowed"],
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
    # responses
    "a required field": (
        SERVERS,
        ["/jobs/*/model_version: now required"],
        [("required: [job_id, name, state,", "required: [job_id, name, model_version, state,")],
    ),
    "a field becomes optional": (
        CLIENTS,
        ["/jobs/*/name: now optional"],
        [("required: [job_id, name, state,", "required: [job_id, state,")],
    ),
    "a field becomes nullable": (
        CLIENTS,
        ["/jobs/*/name: now nullable"],
        [
            (
                "the asset library shows it under this name.\n          type: string\n",
                "the asset library shows it under this name.\n          type: string\n          nullable: true\n",
            )
        ],
    ),
    "a field of another type": (
        BOTH,
        ["response 200 /count: type integer -> string"],
        [
            (
                "          type: integer\n          format: int32\n          minimum: 0\n"
                "          x-source: {format: decision, minimum: decision}\n        jobs:\n",
                "          type: string\n        jobs:\n",
            ),
            ("        count: 101\n", "        count: '101'\n"),
        ],
    ),
    "a time becomes text": (
        CLIENTS,
        ["/jobs/*/create_time: format date-time -> none"],
        [
            (
                "was created. RFC 3339.\n          type: string\n          format: date-time\n",
                "was created. RFC 3339.\n          type: string\n",
            )
        ],
    ),
    "open set of a response is closed": (
        SERVERS,
        ["/jobs/*/matting_type: no longer nullable; unlisted values no longer allowed"],
        [
            (
                "            - $ref: '#/components/schemas/MattingType'\n"
                "            - $ref: '#/components/schemas/UnlistedValue'\n",
                "            - $ref: '#/components/schemas/MattingType'\n",
            )
        ],
    ),
    "a text gets a format": (
        BOTH,  # servers may not send other texts any longer, and the type in code changes
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
        ["breaking for clients and servers: response 200: removed", "breaking for clients: response 203: new"],
        [("        '200':\n", "        '203':\n")],
    ),
    "a listed value of an open set is removed": (
        CLIENTS,
        ["removed values: MANUAL"],
        [("enum: [AI, MANUAL]", "enum: [AI]")],
    ),
    "a class is renamed": (
        CLIENTS,
        ["class in code: GatewayError -> EdgeError"],
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
        ["response 409: new"],
        [
            (
                "        '500':\n          description: The service failed.\n",
                "        '409':\n          description: A conflict.\n        '500':\n          description: The service failed.\n",
            )
        ],
    ),
    "an error status is removed": (
        SERVERS,
        ["response 404: removed"],
        [
            (
                "        '404':\n          x-source: decision\n"
                "          description: The gateway does not know the path, or no such project.\n"
                "          headers: *optional_request_id\n          content: *gateway_error\n",
                "",
            )
        ],
    ),
    "a header becomes optional": (
        CLIENTS,
        ["response 200 header X-Request-Id: now optional"],
        [("    RequestId:\n      required: true\n", "    RequestId:\n")],
    ),
    # the operation, its security and its servers
    "another path": (
        BOTH,
        ["moved from GET /v1/{project_id}/digital-human-training-manage/user/jobs"],
        [("/user/jobs:", "/user/training-jobs:")],
    ),
    "another name": (
        CLIENTS,
        ["list_training_jobs -> search_training_jobs"],
        [("operationId: list_training_jobs", "operationId: search_training_jobs")],
    ),
    "another path and another name": (
        CLIENTS,
        ["(search_training_jobs)\n  additive: new operation", "(list_training_jobs)\n  breaking for clients: removed"],
        [("/user/jobs:", "/user/all-jobs:"), ("operationId: list_training_jobs", "operationId: search_training_jobs")],
    ),
    "deprecated": (
        ADDITIVE,
        ["additive: deprecated"],
        [
            (
                "      operationId: list_training_jobs\n",
                "      operationId: list_training_jobs\n      deprecated: true\n",
            )
        ],
    ),
    "tokens are removed": (CLIENTS, ["AuthToken is no longer accepted"], [("  - AuthToken: []\n", "")]),
    "another header for the token": (
        BOTH,
        ["security scheme AuthToken"],
        [("      name: X-Auth-Token\n", "      name: X-Token\n")],
    ),
    "another host": (
        CLIENTS,
        ["removed", "new"],
        [("metastudio.{region}.myhuaweicloud.com", "ms.{region}.example.com")],
    ),
    # x-list, x-states, x-source
    "how a filter compares is stated": (
        SERVERS,
        ["x-list filter name: unstated -> /name contains the value"],
        [("op: unstated, sandbox: eq}", "op: substring}")],
    ),
    "how a filter compares is no longer stated": (
        CLIENTS,
        ["x-list filter batch_name: /batch_name equals the value -> unstated"],
        [("batch_name: {property: /batch_name, op: eq}", "batch_name: {op: unstated}")],
    ),
    "only the sandbox": (
        COSMETIC,
        ["comparison in the sandbox: eq -> prefix"],
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
        [
            (
                "page: {style: offset, offset: offset, limit: limit}",
                "page: {style: offset, offset: limit, limit: offset}",
            )
        ],
    ),
    "another default of the direction": (
        BOTH,
        ["x-list order/direction/default: asc -> desc"],
        [("desc: desc, default: asc}", "desc: desc, default: desc}")],
    ),
    "another key to sort by": (
        ADDITIVE,
        ["parameter sort_key: new values: name", "x-list order/key/values/name: unstated -> /name"],
        [SORT_KEY, ("values: {create_time: /create_time}", "values: {create_time: /create_time, name: /name}")],
    ),
    "a key sorts by something else": (
        BOTH,
        ["x-list order/key/values/create_time: /create_time -> /last_update_time"],
        [("values: {create_time: /create_time}", "values: {create_time: /last_update_time}")],
    ),
    "no scope": (CLIENTS, ["x-list scope/project_id"], [("        scope: {project_id: /project_id}\n", "")]),
    "no longer a list": (CLIENTS, ["x-list: removed"], [(X_LIST[0] if X_LIST else "", "")]),
    "no x-states": (CLIENTS, ["x-states: removed"], [(X_STATES[0] if X_STATES else "", "")]),
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
    "a decision becomes a promise": (
        SERVERS,
        ["x-list filter tag: x-source: decision -> page"],
        [("op: eq, x-source: decision}", "op: eq}")],
    ),
    "a promise becomes a decision": (
        ADDITIVE,
        ["x-list filter job_id: x-source: page -> decision"],
        [("job_id: {property: /job_id, op: eq}", "job_id: {property: /job_id, op: eq, x-source: decision}")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_grades(tmp_path: Path, case: str) -> None:
    grade, words, edits = CASES[case]
    found = changes(tmp_path, *edits)
    text = report(found)
    # str() is that of the worst grade; a break of both sides counts as either
    assert str(overall(found)) == str(grade), text
    for part in words:
        assert part in text
    assert bool(found) == bool(grade)
    back = compare(load(tmp_path / "new.yaml"), ORIGINAL)
    assert bool(back) == bool(found)
    if grade.breaking or grade == ADDITIVE:  # the reverse edit removes what was added and widens what was narrowed
        assert overall(back) & ~COSMETIC, report(back)


def test_opening_a_closed_set_of_a_response_breaks_clients(tmp_path: Path) -> None:
    closed = CONTRACT.replace(
        "            - $ref: '#/components/schemas/MattingType'\n            - $ref: '#/components/schemas/UnlistedValue'\n",
        "            - $ref: '#/components/schemas/MattingType'\n",
    )
    assert closed != CONTRACT
    old, new = load(write(tmp_path, "old.yaml", closed)), load(write(tmp_path, "new.yaml", CONTRACT))
    assert overall(compare(old, new)) == CLIENTS
    more = load(write(tmp_path, "more.yaml", closed.replace("enum: [AI, MANUAL]", "enum: [AI, MANUAL, HYBRID]")))
    assert CLIENTS in overall(compare(old, more)), "a client does not know values that the closed set did not list"


def test_the_same_change_in_several_places_is_reported_once(tmp_path: Path) -> None:
    found = changes(tmp_path, ("The error in words.", "The error in other words."))
    assert report(found).count("documentation changed") == 1
    assert "response 400 /error_msg, response 500 /error_msg" in report(found)


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
            "owner/name: now nullable",
        ),
        (("      required: [name]\n", ""), CLIENTS, "owner/name: now optional"),
        (("team: {type: string}", "group: {type: string}"), CLIENTS, "owner/team: removed"),
    ):
        new = load(write(tmp_path, "new.yaml", nested.replace(*edit)))
        check(new)
        found = compare(old, new)
        assert overall(found) & ~ADDITIVE == grade, report(found)
        assert place in report(found)


def test_bodies(tmp_path: Path) -> None:
    """This contract has no operation with a request body, so the test adds one."""
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
        (("      required: [name]\n", ""), SERVERS, "request body /name: now optional"),
        (
            ("        name: {type: string}\n", "        name: {type: string}\n        more: {type: string}\n"),
            ADDITIVE,
            "optional",
        ),
        (
            ("      requestBody:\n", "      requestBody:\n        required: true\n"),
            CLIENTS,
            "request body: now required",
        ),
    ):
        new = load(write(tmp_path, "new.yaml", text.replace(*edit)))
        check(new)
        found = compare(old, new)
        assert overall(found) == grade, report(found)
        assert words in report(found)


TASKS = (ROOT / "tests" / "contract" / "tasks.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("edit", "grade", "words"),
    [
        (("      x-cli: jobs\n", "      x-cli: tasks\n"), CLIENTS, "x-cli: name of the command: jobs -> tasks"),
        (("      x-cli: jobs\n", ""), CLIENTS, "name of the command: jobs -> none"),
        (("allowed_in: [WAIT_FILE_UPLOAD, ", "allowed_in: ["), BOTH, "x-item allowed_in: ['WAIT_FILE_UPLOAD', "),
        (("      operationId: show_training_job\n", "      operationId: show_training_job\n      x-item: none\n"), BOTH, "x-item kind: unstated -> none"),
        (("required: [name]\n      additionalProperties: false", "required: [name, contact]\n      additionalProperties: false"), CLIENTS, "request body /contact: now required"),
    ],
)  # fmt: skip
def test_every_kind(tmp_path: Path, edit: tuple[str, str], grade: Grade, words: str) -> None:
    assert TASKS.count(edit[0]) == 1
    old, new = (
        load(write(tmp_path, name, text)) for name, text in (("old.yaml", TASKS), ("new.yaml", TASKS.replace(*edit)))
    )
    check(new)
    found = compare(old, new)
    assert overall(found) == grade, report(found)
    assert words in report(found)


def test_exit_codes() -> None:
    grades = (NONE, COSMETIC, ADDITIVE, ADDITIVE | COSMETIC, SERVERS | ADDITIVE, CLIENTS | ADDITIVE, BOTH)
    assert [grade.exit_code for grade in grades] == [0, 0, 10, 10, 20, 30, 30]
