"""Wrong arguments are refused before anything is sent, with what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from metastudio.contract.arguments import prepare
from metastudio.contract.operation import operations
from metastudio_client.models import SortDirection, TrainingJobState

LIST = operations()["list_training_jobs"]
CLOSED = {"sort_dir": SortDirection}


def prepared(**arguments: Any) -> dict[str, Any]:
    return prepare(LIST, {"project_id": "p", **arguments}, CLOSED)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"project_id": ""}, ValueError, "project_id is empty"),
        ({"project_id": " "}, ValueError, "project_id is empty"),
        ({"project_id": ".."}, ValueError, "does not fit into a URL"),
        ({"project_id": "a/b"}, ValueError, "does not fit into a URL"),
        ({"project_id": "a\n"}, ValueError, "does not fit into a URL"),
        ({"project_id": None}, TypeError, "needs the argument project_id"),
        ({"x_app_user_id": "张三"}, ValueError, "visible ASCII"),
        ({"x_app_user_id": "a\r\nX-Evil: 1"}, ValueError, "no line breaks"),
        ({"x_app_user_id": " a"}, ValueError, "no blanks at its ends"),
        ({"x_app_user_id": ""}, ValueError, "is empty"),
        ({"state": []}, ValueError, "state is empty: leave it out"),
        ({"state": "TRAINING"}, TypeError, r"write state=\['TRAINING'\]"),
        ({"state": ["A,B"]}, ValueError, "would become several"),
        ({"state": [1]}, TypeError, "takes texts"),
        ({"create_since": datetime(2024, 1, 1)}, ValueError, "without a time zone"),
        ({"create_since": "2024-01-01T00:00:00Z"}, TypeError, "takes a datetime"),
        ({"limit": 0}, ValueError, "starts at 1"),
        ({"limit": True}, TypeError, "takes a number"),
        ({"limit": "10"}, TypeError, "takes a number"),
        ({"offset": -1}, ValueError, "starts at 0"),
        ({"sort_dir": "up"}, ValueError, "sort_dir is one of 'asc', 'desc', not 'up'"),
        ({"name": 5}, TypeError, "takes text"),
        ({"stat": ["A"]}, TypeError, "takes no argument 'stat'; did you mean state"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        prepared(**arguments)


def test_right_arguments_pass_as_they_are() -> None:
    since = datetime(2024, 1, 1, tzinfo=UTC)
    assert prepared(
        limit=5000, state=("NEWER_STATE", TrainingJobState.TRAINING), create_since=since, name="数字人"
    ) == {
        "project_id": "p",
        "limit": 5000,  # above the contract's maximum: the server's verdict
        "state": ["NEWER_STATE", TrainingJobState.TRAINING],
        "create_since": since,
        "name": "数字人",
    }


def test_a_set_goes_out_in_one_order() -> None:
    assert prepared(state={"B", "A", "C"})["state"] == ["A", "B", "C"]


@pytest.mark.parametrize("value", ["desc", SortDirection.DESC])
def test_closed_sets_take_the_member_or_its_text(value: Any) -> None:
    assert prepared(sort_dir=value)["sort_dir"] is SortDirection.DESC


def test_none_counts_as_absent() -> None:
    assert prepared(state=None, limit=None) == {"project_id": "p"}
