"""The check of a success against the structure that the contract promises."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import reference_page as page
from hypothesis import given
from hypothesis import strategies as st
from metastudio.contract import operation
from metastudio.contract.structure import mismatch

if TYPE_CHECKING:
    from collections.abc import Iterator
from metastudio_client.models import ListTrainingJobsResponse

SHAPE = {
    "type": "object",
    "required": ["count", "jobs"],
    "properties": {
        "jobs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["job_id"],
                "properties": {
                    "tags": {"type": "array", "nullable": True},
                    "a/b~c": {"type": "object"},
                    "grid": {"type": "array", "items": {"type": "array", "items": {"type": "object"}}},
                },
            },
        }
    },
}
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
    assert mismatch(value, SHAPE) is None


@pytest.mark.parametrize(
    ("value", "place", "problem"),
    [
        ([], "", "there is an array where an object is promised"),
        (None, "", "there is null where an object is promised"),
        ("x", "", "there is a string where an object is promised"),
        (1, "", "there is a number where an object is promised"),
        (1.5, "", "there is a number where an object is promised"),
        (False, "", "there is true or false where an object is promised"),
        ({}, "", "the member 'count' is missing"),
        ({"count": 1}, "", "the member 'jobs' is missing"),
        ({"count": 1, "jobs": {}}, "/jobs", "there is an object where an array is promised"),
        ({"count": 1, "jobs": None}, "/jobs", "there is null where an array is promised"),
        ({"count": 1, "jobs": [None]}, "/jobs/0", "there is null where an object is promised"),
        ({"count": 1, "jobs": [JOB, "b"]}, "/jobs/1", "there is a string where an object is promised"),
        ({"count": 1, "jobs": [JOB, {}]}, "/jobs/1", "the member 'job_id' is missing"),
        ({"count": 1, "jobs": [JOB | {"tags": "a"}]}, "/jobs/0/tags", "there is a string where an array is promised"),
        (
            {"count": 1, "jobs": [JOB | {"a/b~c": 1}]},
            "/jobs/0/a~1b~0c",
            "there is a number where an object is promised",
        ),
        (
            {"count": 1, "jobs": [JOB | {"grid": [[], [0]]}]},
            "/jobs/0/grid/1/0",
            "there is a number where an object is promised",
        ),
    ],
)
def test_not_as_promised(value: Any, place: str, problem: str) -> None:
    assert mismatch(value, SHAPE) == (place, problem)


def test_a_whole_that_may_be_null() -> None:
    assert mismatch(None, {"type": "object", "nullable": True}) is None
    assert mismatch(None, {"type": "array", "nullable": True, "items": {"type": "object"}}) is None
    assert mismatch([None], {"type": "array", "items": {"type": "object", "nullable": True}}) is None


def test_shapes_made_on_the_fly_are_not_mixed_up() -> None:
    """Shapes are remembered by identity, and identities are reused once an object is gone."""
    for index in range(1000):
        name = f"member{index}"
        assert mismatch({name: 1}, {"type": "object", "required": [name]}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["count", "jobs", "tags"]), inner),
    max_leaves=6,
)
LISTING = operation.find("GET", "/v1/p/digital-human-training-manage/user/jobs")


@given(data=st.data())
def test_what_passes_can_be_parsed(data: st.DataObject) -> None:
    """Whatever a server puts in some place of the page's example: what passes is parsed, and no job is lost."""
    assert LISTING is not None
    shape = LISTING.success[200]
    assert shape is not None
    answer = copy.deepcopy(page.examples()[0])
    at, key = data.draw(st.sampled_from(list(places(answer))))
    at[key] = data.draw(JSON)
    if mismatch(answer, shape) is None:
        assert len(ListTrainingJobsResponse.from_dict(answer).jobs) == len(answer["jobs"])


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)
