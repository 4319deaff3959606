"""Wrong arguments are refused before anything is sent, with the parameter, the value and the remedy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from metastudio.contract.arguments import check_arguments
from metastudio_client.contract import LIST_TRAINING_JOBS
from metastudio_client.models import SortDirection, TrainingJobState


def checked(**arguments: Any) -> dict[str, Any]:
    return check_arguments(LIST_TRAINING_JOBS, {"project_id": "p", **arguments})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"project_id": ""}, ValueError, "project_id must not be empty"),
        ({"project_id": " "}, ValueError, "project_id must not be empty"),
        ({"project_id": ".."}, ValueError, "to fit into a URL"),
        ({"project_id": "a/b"}, ValueError, "to fit into a URL"),
        ({"project_id": "a\n"}, ValueError, "to fit into a URL"),
        ({"project_id": None}, TypeError, "needs the argument project_id"),
        ({"x_app_user_id": "张三"}, ValueError, "must be printable ASCII"),
        ({"x_app_user_id": "a\r\nX-Evil: 1"}, ValueError, "without line breaks"),
        ({"x_app_user_id": " a"}, ValueError, "blanks at its ends"),
        ({"x_app_user_id": ""}, ValueError, "must not be empty; omit it"),
        ({"state": []}, ValueError, "state must not be empty; omit it"),
        ({"state": "TRAINING"}, TypeError, r"write state=\['TRAINING'\]"),
        ({"state": ["A,B"]}, ValueError, "would become several"),
        ({"state": [1]}, TypeError, "must hold non-empty strings"),
        ({"create_since": datetime(2024, 1, 1)}, ValueError, "without a time zone"),
        ({"create_since": "2024-01-01T00:00:00Z"}, TypeError, "must be a datetime"),
        ({"limit": 0}, ValueError, "limit must be 1 or more, not 0"),
        ({"limit": True}, TypeError, "must be a number"),
        ({"limit": "10"}, TypeError, "must be a number"),
        ({"offset": -1}, ValueError, "offset must be 0 or more, not -1"),
        ({"sort_dir": "up"}, ValueError, "sort_dir must be one of 'asc', 'desc', not 'up'"),
        ({"name": 5}, TypeError, "must be a string"),
        ({"stat": ["A"]}, TypeError, "takes no argument 'stat'; did you mean state"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        checked(**arguments)


def test_correct_arguments_pass_unchanged() -> None:
    since = datetime(2024, 1, 1, tzinfo=UTC)
    assert checked(limit=5000, state=("NEWER_STATE", TrainingJobState.TRAINING), create_since=since, name="数字人") == {
        "project_id": "p",
        "limit": 5000,  # above the contract's maximum: the server's verdict
        "state": ["NEWER_STATE", TrainingJobState.TRAINING],
        "create_since": since,
        "name": "数字人",
    }


def test_a_set_is_sent_in_a_fixed_order() -> None:
    assert checked(state={"B", "A", "C"})["state"] == ["A", "B", "C"]


@pytest.mark.parametrize("value", ["desc", SortDirection.DESC])
def test_closed_sets_take_the_member_or_its_text(value: Any) -> None:
    assert checked(sort_dir=value)["sort_dir"] == "desc"


def test_none_counts_as_absent() -> None:
    assert checked(state=None, limit=None) == {"project_id": "p"}
