"""A mistake in a contract gives one clear message with its place and a remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from generator_limits import check_generator
from hypothesis import assume, given
from hypothesis import strategies as st
from metastudio.contract import ContractError, check, compile_contract, load
from metastudio.contract.naming import python_name
from openapi_python_client.strings import PythonIdentifier

CONTRACT = (Path(__file__).parents[2] / "openapi.yaml").read_text(encoding="utf-8")


def load_and_check(path: Path) -> None:
    document = load(path)
    check(document)
    check_generator(document)


def problem(folder: Path, text: str) -> str:
    """Load and check a contract; return the message with which it is refused."""
    path = folder / "openapi.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContractError) as caught:
        load_and_check(path)
    return str(caught.value)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


SORT_DIR = "        - name: sort_dir\n          in: query\n"

# what to replace, by what, what the message must say, and the text on the line that it must name
# ruff: noqa: E501 (a case is a row)
# fmt: off
BROKEN = {
    "not YAML": ("openapi: 3.0.3", "openapi: [3.0.3", "not YAML", None),
    "OpenAPI 3.1": ("openapi: 3.0.3", "openapi: 3.1.0", "OpenAPI 3.0.x, not '3.1.0'", "openapi: 3.1.0"),
    "key twice": ("  version: 1.0.0", "  version: 1.0.0\n  version: 1.0.1", "'version' is there twice", "version: 1.0.1"),
    "dangling reference": (
        "$ref: '#/components/parameters/Offset'",
        "$ref: '#/components/parameters/Ofset'",
        "#/components/parameters/Ofset does not exist",
        "parameters/Ofset'",
    ),
    "reference to another file": (
        "$ref: '#/components/parameters/Offset'",
        "$ref: 'other.yaml#/Offset'",
        "only references within this file",
        "other.yaml",
    ),
    "no operationId": ("      operationId: list_training_jobs\n", "", "operationId names the generated function", None),
    "operationId not snake case": (
        "operationId: list_training_jobs",
        "operationId: List2dJobs",
        "lower case with underscores, not 'List2dJobs'",
        "List2dJobs",
    ),
    "two tags": ("tags: [training_jobs]", "tags: [training_jobs, more]", "one tag", "tags: [training_jobs, more]"),
    "header that the generator drops": (
        "            pattern: '^[!-~]([ -~]*[!-~])?$'\n            x-source: {minLength: decision, maxLength: decision, pattern: decision}\n          example: app-user-1\n",
        "            format: date-time\n",
        "the generator drops an operation whose header X-App-UserId is a time or a list",
        None,
    ),
    "parameter with content": (
        SORT_DIR + "          description: Direction",
        "        - {name: bad, in: query, content: {application/json: {schema: {type: string}}}}\n" + SORT_DIR + "          description: Direction",
        "the generator drops bad: a parameter needs a schema",
        "{name: bad,",
    ),
    "parameter whose name the generated code needs": (
        SORT_DIR,
        "        - {name: headers, in: query, schema: {type: string}}\n" + SORT_DIR,
        "headers is a name that the generated code uses itself",
        "{name: headers,",
    ),
    "filter whose name iterate needs": (
        SORT_DIR,
        "        - {name: max-items, in: query, schema: {type: string}}\n" + SORT_DIR,
        "max-items is a name that the generated code uses itself",
        "{name: max-items,",
    ),
    "parameters that become one argument": (
        SORT_DIR,
        "        - {name: sort-dir, in: query, schema: {type: string}}\n" + SORT_DIR,
        f"sort_dir and sort-dir (line {1 + CONTRACT[: CONTRACT.index(SORT_DIR)].count(chr(10))}) would both become the argument sort_dir",
        "name: sort_dir\n",
    ),
    "property whose name the generated classes need": (
        "        app_user_id:\n",
        "        to_dict: {type: string}\n        app_user_id:\n",
        "to_dict is a name that the generated classes use themselves",
        "to_dict: {",
    ),
    "array of nobody knows what": (
        SORT_DIR,
        "        - {name: bad, in: query, schema: {type: array}}\n" + SORT_DIR,
        "an array needs items",
        "{name: bad,",
    ),
    "property that is an array of nobody knows what": (
        "        app_user_id:\n",
        "        bad: {type: object, properties: {list: {type: array}}}\n        app_user_id:\n",
        "an array needs items",
        "bad: {",
    ),
    "enum of text and numbers": (
        "        app_user_id:\n",
        "        bad: {enum: [1, a]}\n        app_user_id:\n",
        "all text or all numbers",
        "bad: {",
    ),
    "default against its schema": (
        SORT_DIR,
        "        - {name: bad, in: query, schema: {type: integer, default: x}}\n" + SORT_DIR,
        "the default contradicts its schema: 'x' is not of type 'integer'",
        "{name: bad,",
    ),
    "status that is none": ("        '404':\n", "        'ABC':\n", "'ABC' was unexpected", "      responses:"),
    "x-list names an unknown parameter": (
        "          tag: {property: /tags/*,",
        "          tagg: {property: /tags/*,",
        "tagg is no parameter of this operation; did you mean tag?",
        "tagg: {",
    ),
    "x-list names an unknown property": (
        "batch_name: {property: /batch_name, op: eq}",
        "batch_name: {property: /batchname, op: eq}",
        "/batchname is no property of an item; did you mean /batch_name?",
        "/batchname",
    ),
    "range of success statuses": ("        '200':", "        '2XX':", "declare each success status by its number", "'2XX'"),
    "x-list names an unknown list": ("items: /jobs", "items: /job", "/job is no array in the response", "items: /job\n"),
    "x-list names an unknown total": ("total: /count", "total: /cnt", "no property /cnt", "total: /cnt"),
    "x-list pages by an unknown parameter": (
        "offset: offset, limit: limit}",
        "offset: skip, limit: limit}",
        "skip is no parameter",
        "offset: skip",
    ),
    "unknown op": ("op: le}", "op: before}", "op is one of eq, ne, ge", "op: before"),
    "unknown key of x-list": ("        total: /count", "        totals: /count", "totals", "x-list:"),
    "misspelt extension": ("      x-list:", "      x-lists:", "did you mean 'x-list'?", "x-lists:"),
    "unknown collation": (
        "          description: ID of the task.\n",
        "          description: ID of the task.\n          x-collation: codepoints\n",
        "x-collation is codepoint, case-insensitive or enum",
        "x-collation: codepoints",
    ),
    "malformed time zone": (
        "          description: ID of the task.\n",
        "          description: ID of the task.\n          x-time-zone: UTC\n",
        "x-time-zone is Z or an offset in quotes",
        "x-time-zone: UTC",
    ),
    "unknown source": (
        "op: eq, x-source: decision}",
        "op: eq, x-source: guess}",
        "x-source is page, decision or unstated",
        "x-source: guess",
    ),
    "x-source of a keyword that is not there": (
        "x-source: {minItems: decision, maxItems: decision,",
        "x-source: {minItems: decision, maxItem: decision,",
        "maxItem is no keyword beside it; did you mean maxItems?",
        "maxItem: decision",
    ),
    "state without a meaning": (
        "        TRAINING: {phase: training, at_rest: false, x-source: decision}\n",
        "",
        "x-states does not mention TRAINING",
        "x-states:",
    ),
    "meaning without a state": ("        JOB_FINISH: {phase: done", "        JOB_FINISHED: {phase: done", "JOB_FINISHED is no", None),
    "ended and moving": ("at_rest: true, ended: success}", "at_rest: false, ended: success}", "is at rest", "JOB_FINISH: {"),
    "bounds that exclude everything": ("        minimum: 1\n", "        minimum: 101\n", "minimum 101 is above maximum 100", "minimum: 101"),
    "not a regular expression": ("'^[A-Za-z0-9_-]+$'", "'^[A-Za-z0-9_-+$'", "not a regular expression", "_-+$"),
    "example against its schema": ("      example: 10\n", "      example: 1000\n", "contradicts its schema", "example: 1000"),
    "bool as a key": ("        scope: {project_id", "        on: {project_id", "put it in quotes", "on: {project_id"),
}
# fmt: on


@pytest.mark.parametrize("case", BROKEN)
def test_each_mistake_is_named_with_its_place(tmp_path: Path, case: str) -> None:
    old, new, message, place = BROKEN[case]
    assert CONTRACT.count(old) >= 1, "the contract has changed; mend this test's edit"
    text = CONTRACT.replace(old, new, 1)
    found = problem(tmp_path, text)
    assert message in found
    where = re.match(r"openapi\.yaml:(\d+):(\d+): ", found)
    assert where is not None, found
    if place is not None:
        assert int(where[1]) == line_of(text, place), found


def test_a_duplicate_operation_id_names_both_places(tmp_path: Path) -> None:
    other = "  /v1/other:\n    get:\n      operationId: list_training_jobs\n      tags: [other]\n"
    other += "      responses: {'204': {description: None}}\n"
    again = CONTRACT.replace("\ncomponents:", f"\n{other}\ncomponents:", 1)
    assert f"taken on line {line_of(CONTRACT, 'operationId: list_training_jobs')}" in problem(tmp_path, again)


@pytest.mark.parametrize(
    ("text", "message"), [("", "mapping"), ("- a\n", "mapping"), ("\x00", "YAML"), ("a: *b", "YAML")]
)
def test_what_is_no_contract_at_all(tmp_path: Path, text: str, message: str) -> None:
    assert message in problem(tmp_path, text)


def test_a_missing_file_and_another_encoding(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"cannot be read"):
        load(tmp_path / "openapi.yaml")
    (tmp_path / "openapi.yaml").write_bytes("title: größer".encode("latin-1"))
    with pytest.raises(ContractError, match=r"not UTF-8"):
        load(tmp_path / "openapi.yaml")


def test_times_and_status_codes_stay_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 2023-12-08T08:30:56Z\n200: {b: 1}\n", encoding="utf-8")
    assert load(tmp_path / "a.yaml").data == {"a": "2023-12-08T08:30:56Z", "200": {"b": 1}}


def test_a_schema_inside_itself_compiles(tmp_path: Path) -> None:
    recursive = CONTRACT.replace(
        "        app_user_id:\n",
        "        parent:\n          $ref: '#/components/schemas/TrainingJobBasicInfo'\n        app_user_id:\n",
        1,
    )
    (tmp_path / "openapi.yaml").write_text(recursive, encoding="utf-8")
    document = load(tmp_path / "openapi.yaml")
    check(document)
    assert "parent" in compile_contract(document).operations["list_training_jobs"].fields


def test_schemas_that_all_refer_to_each_other_compile(tmp_path: Path) -> None:
    """Following each reference of twelve schemas to the others would give 12! schemas."""
    names = [f"Part{index}" for index in range(12)]
    properties = "".join(f"        {name.lower()}: {{$ref: '#/components/schemas/{name}'}}\n" for name in names)
    schemas = "".join(f"    {name}:\n      type: object\n      properties:\n{properties}" for name in names)
    item = "        part0:\n          $ref: '#/components/schemas/Part0'\n        app_user_id:\n"
    contract = CONTRACT.replace("        app_user_id:\n", item, 1).replace("  schemas:\n", f"  schemas:\n{schemas}", 1)
    (tmp_path / "openapi.yaml").write_text(contract, encoding="utf-8")
    document = load(tmp_path / "openapi.yaml")
    check(document)
    structure = compile_contract(document).operations["list_training_jobs"].success[200]
    assert structure is not None
    required = dict.fromkeys(("job_id", "name", "state", "project_id", "create_time"), "1")
    found = structure.mismatch({"count": 1, "jobs": [required | {"part0": {"part1": {"part2": 7}}}]})
    assert found is not None
    assert found.place == "/jobs/0/part0/part1/part2"


@given(
    st.text("abcXYZ019._- é", min_size=1)
    | st.sampled_from(["type", "class", "id", "None", "X-App-UserId", "HTTPStatus"])
)
def test_python_names_are_those_of_the_generator(name: str) -> None:
    assume(any(character.isalnum() for character in name))
    assert python_name(name) == PythonIdentifier(name, "field_")
