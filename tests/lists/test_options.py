"""Options of `iterate` and `wait` are checked when they are made, and document themselves."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from metastudio.lists import IterateOptions, WaitOptions

BAD: list[tuple[type[Any], dict[str, Any], type[Exception], str]] = [
    (IterateOptions, {"page_size": 0}, ValueError, "page_size must be an integer, 1 or more, not 0"),
    (IterateOptions, {"page_size": True}, TypeError, "page_size must be an integer"),
    (IterateOptions, {"page_size": "10"}, TypeError, "page_size must be an integer"),
    (IterateOptions, {"page_size": 10.0}, TypeError, "page_size must be an integer"),
    (IterateOptions, {"concurrency": 0}, ValueError, "concurrency must be an integer, 1 or more, not 0"),
    (IterateOptions, {"concurrency": None}, TypeError, "concurrency must be an integer"),
    (IterateOptions, {"max_items": -1}, ValueError, "max_items must be an integer, 0 or more, not -1"),
    (IterateOptions, {"max_items": 1.5}, TypeError, "max_items must be an integer"),
    (IterateOptions, {"max_rate": 0}, ValueError, "max_rate must be a number of requests per second above 0, not 0"),
    (IterateOptions, {"max_rate": math.nan}, ValueError, "max_rate must be a number"),
    (IterateOptions, {"max_rate": "fast"}, TypeError, "max_rate must be a number"),
    (WaitOptions, {"timeout": 0}, ValueError, "timeout must be a number of seconds above 0, not 0"),
    (WaitOptions, {"timeout": -1}, ValueError, "timeout must be a number"),
    (WaitOptions, {"timeout": math.nan}, ValueError, "timeout must be a number"),
    (WaitOptions, {"timeout": None}, TypeError, "timeout must be a number of seconds"),
    (WaitOptions, {"timeout": True}, TypeError, "timeout must be a number"),
    (WaitOptions, {"timeout": "60"}, TypeError, "timeout must be a number"),
    (WaitOptions, {"timeout": 1, "poll": 0}, ValueError, "poll must be a number of seconds above 0, not 0"),
    (WaitOptions, {"timeout": 1, "poll": math.nan}, ValueError, "poll must be a number"),
    (WaitOptions, {"timeout": 1, "poll": "1"}, TypeError, "poll must be a number"),
    (WaitOptions, {"timeout": 1, "until": "DONE"}, TypeError, r"until must be a collection.*until=\['DONE'\]"),
]


@pytest.mark.parametrize(("options", "given", "error", "message"), BAD, ids=str)
def test_bad_options_are_refused(
    options: type[Any], given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        options(**given)


@pytest.mark.parametrize("options", [IterateOptions, WaitOptions])
def test_every_option_has_a_text(options: type[Any]) -> None:
    for field in dataclasses.fields(options):
        assert field.metadata["doc"].endswith(".")
