"""The generated models keep everything a server sends; only a missing required member is an error."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import reference_page
from hypothesis import given, settings
from hypothesis import strategies as st
from metastudio_client.models import (
    GatewayError,
    ListTrainingJobsResponse,
    MattingType,
    ModelResolution,
    ModelVersion,
    ServiceError,
    TrainingJobBasicInfo,
    TrainingJobState,
)
from metastudio_client.types import UNSET, Unset

REQUIRED: dict[str, Any] = {
    "job_id": "a",
    "name": "b",
    "state": "TRAINING",
    "project_id": "c",
    "create_time": "2023-12-08T08:30:56Z",
}
OPTIONAL = [
    "asset_id", "cover_download_url", "last_update_time", "contact", "batch_name", "tags", "model_version",
    "matting_type", "model_resolution", "app_user_id",
]  # fmt: skip
ODD: list[Any] = [None, 12, 1.5, True, "", "UNHEARD_OF", "2023-13-99", ["a"], [], {"b": 1}, {}]


def read(**changes: Any) -> TrainingJobBasicInfo:
    return TrainingJobBasicInfo.from_dict(REQUIRED | changes)


def test_the_example_of_the_reference_round_trips() -> None:
    example = reference_page.examples()[0]
    response = ListTrainingJobsResponse.from_dict(copy.deepcopy(example))
    assert response.to_dict() == example
    assert all(isinstance(job.create_time, datetime) for job in response.jobs)


def test_from_dict_does_not_change_its_argument() -> None:
    source = REQUIRED | {"tags": ["x"], "new": {"deep": [1]}}
    before = copy.deepcopy(source)
    TrainingJobBasicInfo.from_dict(source).additional_properties["more"] = 1
    assert source == before


def test_the_project_id_of_a_page_is_one_object() -> None:
    """A copy in each item would be a tenth of the memory of a page."""
    texts = [json.loads(json.dumps(REQUIRED | {"project_id": each})) for each in ("one", "one", "one", "another")]
    jobs = [TrainingJobBasicInfo.from_dict(each) for each in texts]
    assert [job.project_id for job in jobs] == ["one", "one", "one", "another"]
    assert len({id(job.project_id) for job in jobs}) == 2


def test_known_values_become_members() -> None:
    job = read(model_version="V3.2", matting_type="AI", model_resolution="4K")
    assert job.state is TrainingJobState.TRAINING
    assert job.model_version is ModelVersion.V3_2
    assert job.matting_type is MattingType.AI
    assert job.model_resolution is ModelResolution.K4
    assert job.to_dict() == REQUIRED | {"model_version": "V3.2", "matting_type": "AI", "model_resolution": "4K"}


@pytest.mark.parametrize("name", ["state", "model_version", "matting_type", "model_resolution"])
def test_unknown_values_are_kept_as_text(name: str) -> None:
    job = read(**{name: "UNHEARD_OF"})
    assert type(getattr(job, name)) is str
    assert job.to_dict()[name] == "UNHEARD_OF"


@pytest.mark.parametrize("name", [*REQUIRED, *OPTIONAL])
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_any_value_of_a_member_is_kept(name: str, value: Any) -> None:
    job = read(**{name: value})
    assert getattr(job, name) == value
    assert job.to_dict() == REQUIRED | {name: value}


def test_null_is_kept() -> None:
    nulls = dict.fromkeys([*REQUIRED, *OPTIONAL])
    job = TrainingJobBasicInfo.from_dict(nulls)
    assert {name: getattr(job, name) for name in nulls} == nulls
    assert job.to_dict() == nulls


def test_absent_members_are_unset() -> None:
    job = read()
    assert all(getattr(job, name) is UNSET for name in OPTIONAL)
    assert job.to_dict() == REQUIRED


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_required_member_is_an_error(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        TrainingJobBasicInfo.from_dict({key: value for key, value in REQUIRED.items() if key != name})


class TestUnknownMembers:
    def test_are_kept(self) -> None:
        new = {"is_flexus": True, "nested": {"a": [1, None]}}
        job = read(**new)
        assert job.additional_properties == new
        assert job["is_flexus"] is True
        assert "nested" in job
        assert sorted(job.additional_keys) == ["is_flexus", "nested"]
        assert job.to_dict() == REQUIRED | new

    def test_can_be_added_and_removed(self) -> None:
        job, other = read(), read()
        job["extra"] = 1
        assert job.to_dict() == REQUIRED | {"extra": 1}
        del job["extra"]
        assert "extra" not in job
        assert other.additional_properties == {}

    def test_of_pages_and_errors_are_kept(self) -> None:
        for kind, data in (
            (ListTrainingJobsResponse, {"count": 0, "jobs": [], "next": None}),
            (GatewayError, {"error_code": "APIG.0301", "error_msg": "no", "request_id": "r", "more": 1}),
            (ServiceError, {"error_code": "MSS.1", "error_msg": "no", "more": {"a": 1}}),
        ):
            assert kind.from_dict(data).to_dict() == data

    def test_are_compared_and_shown(self) -> None:
        assert read() == read()
        assert read(extra=1) != read()
        assert "extra" in repr(read(extra=1))


class TestTimes:
    @pytest.mark.parametrize("name", ["create_time", "last_update_time"])
    @pytest.mark.parametrize(
        ("text", "time"),
        [
            ("2023-12-09T07:38:09Z", datetime(2023, 12, 9, 7, 38, 9, tzinfo=UTC)),
            ("2023-12-09T15:38:09+08:00", datetime(2023, 12, 9, 7, 38, 9, tzinfo=UTC)),
            ("2023-12-09T07:38:09.123456Z", datetime(2023, 12, 9, 7, 38, 9, 123456, tzinfo=UTC)),
            ("2023-12-09T07:38:09", datetime(2023, 12, 9, 7, 38, 9)),
        ],
    )
    def test_round_trip(self, name: str, text: str, time: datetime) -> None:
        job = read(**{name: text})
        assert getattr(job, name) == time
        assert job.to_dict()[name] == text

    @pytest.mark.parametrize(
        "text", ["", "2023-12-09T07:38:60Z", "2023-12-09T24:00:01Z", "yesterday", "2023-12-09t07z"]
    )
    @pytest.mark.parametrize("name", ["create_time", "last_update_time"])
    def test_invalid_ones_are_kept_as_text(self, name: str, text: str) -> None:
        job = read(**{name: text})
        assert getattr(job, name) == text
        assert job.to_dict()[name] == text

    def test_of_a_job_made_in_code(self) -> None:
        job = TrainingJobBasicInfo(
            job_id="a",
            name="b",
            state=TrainingJobState.TRAINING,
            project_id="c",
            create_time=datetime(2023, 12, 8, 16, 30, 56, tzinfo=timezone(timedelta(hours=8))),
        )
        assert job.to_dict() == REQUIRED | {"create_time": "2023-12-08T16:30:56+08:00"}
        assert job.additional_properties == {}


class TestUnset:
    def test_is_one_object(self) -> None:
        for each in (copy.copy(UNSET), copy.deepcopy(UNSET), pickle.loads(pickle.dumps(UNSET))):
            assert each is UNSET
        assert not UNSET
        assert isinstance(UNSET, Unset)

    @pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda job: pickle.loads(pickle.dumps(job))])
    def test_survives_copying_a_job(self, again: Any) -> None:
        job = read(extra=1, model_version="V9")
        other = again(job)
        assert other == job
        assert other.asset_id is UNSET
        assert json.loads(json.dumps(other.to_dict())) == job.to_dict()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(REQUIRED, JSON), optional=dict.fromkeys([*OPTIONAL, "new"], JSON)))
def test_any_json_round_trips(data: dict[str, Any]) -> None:
    """Other spellings of a time are written in the standard one; everything else is written as it was read."""
    job = TrainingJobBasicInfo.from_dict(data)
    written = job.to_dict()
    assert written.keys() == data.keys()
    for name, value in data.items():
        if not isinstance(getattr(job, name, None), datetime):
            assert written[name] == value
