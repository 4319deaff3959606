"""A successful response is checked against the structure that the contract promises."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import reference_page as page
from hypothesis import given
from hypothesis import strategies as st
from metastudio.contract.structure import JsonArray, JsonObject
from metastudio_client.contract import LIST_TRAINING_JOBS

if TYPE_CHECKING:
    from collections.abc import Iterator
from metastudio_client.models import ListTrainingJobsResponse

STRUCTURE = JsonObject(
    required=("count", "jobs"),
    properties={
        "jobs": JsonArray(
            JsonObject(
                required=("job_id",),
                properties={
                    "tags": JsonArray(nullable=True),
                    "a/b~c": JsonObject(),
                    "grid": JsonArray(JsonArray(JsonObject())),
                },
            )
        )
    },
)
JOB = {"job_id": "a"}


@pytest.mark.parametrize(
    "value",
    [
        {"count": 0, "jobs": []},
        {"count": "many", "jobs": [JOB, JOB | {"new": [1]}], "more": None},
        {"count": 1, "jobs": [JOB | {"tags": None}, JOB | {"tags": [1, "x"]}]},
        {"count": 1, "jobs": [JOB | {"grid": [[{}], []]}]},
    ],
)
def test_as_promised(value: Any) -> None:
    assert STRUCTURE.mismatch(value) is None


@pytest.mark.parametrize(
    ("value", "place", "problem"),
    [
        ([], "", "expected an object, got an array"),
        (None, "", "expected an object, got null"),
        ("x", "", "expected an object, got a string"),
        (1, "", "expected an object, got a number"),
        (1.5, "", "expected an object, got a number"),
        (False, "", "expected an object, got true or false"),
        ({}, "", "the member 'count' is missing"),
        ({"count": 1}, "", "the member 'jobs' is missing"),
        ({"count": 1, "jobs": {}}, "/jobs", "expected an array, got an object"),
        ({"count": 1, "jobs": None}, "/jobs", "expected an array, got null"),
        ({"count": 1, "jobs": [None]}, "/jobs/0", "expected an object, got null"),
        ({"count": 1, "jobs": [JOB, "b"]}, "/jobs/1", "expected an object, got a string"),
        ({"count": 1, "jobs": [JOB, {}]}, "/jobs/1", "the member 'job_id' is missing"),
        ({"count": 1, "jobs": [JOB | {"tags": "a"}]}, "/jobs/0/tags", "expected an array, got a string"),
        (
            {"count": 1, "jobs": [JOB | {"a/b~c": 1}]},
            "/jobs/0/a~1b~0c",
            "expected an object, got a number",
        ),
        (
            {"count": 1, "jobs": [JOB | {"grid": [[], [0]]}]},
            "/jobs/0/grid/1/0",
            "expected an object, got a number",
        ),
    ],
)
def test_not_as_promised(value: Any, place: str, problem: str) -> None:
    assert STRUCTURE.mismatch(value) == (place, problem)


def test_null_is_allowed_where_the_contract_says_so() -> None:
    assert JsonObject(nullable=True).mismatch(None) is None
    assert JsonArray(JsonObject(), nullable=True).mismatch(None) is None
    assert JsonArray(JsonObject(nullable=True)).mismatch([None]) is None


def test_the_repr_is_the_source_of_an_equal_object() -> None:
    """The generated contract is written with it."""
    assert eval(repr(STRUCTURE), {"JsonObject": JsonObject, "JsonArray": JsonArray}) == STRUCTURE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["count", "jobs", "tags"]), inner),
    max_leaves=6,
)


@given(data=st.data())
def test_what_passes_can_be_parsed(data: st.DataObject) -> None:
    """A response that passes the check can be parsed and loses no job, whatever the server puts where."""
    structure = LIST_TRAINING_JOBS.success[200]
    assert structure is not None
    answer = copy.deepcopy(page.examples()[0])
    at, key = data.draw(st.sampled_from(list(places(answer))))
    at[key] = data.draw(JSON)
    if structure.mismatch(answer) is None:
        assert len(ListTrainingJobsResponse.from_dict(answer).jobs) == len(answer["jobs"])


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)
