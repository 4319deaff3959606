"""Bodies of requests are checked before they are sent, and errors quote no personal data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from metastudio.contract.body import check_body

CONTACT = {"type": "object", "properties": {"contact": {"type": "string"}}}


def test_an_error_quotes_no_value() -> None:
    for value in (13812345678, ["13812345678"], {"number": "13812345678"}):
        with pytest.raises(TypeError, match=r"body\.contact must be a string, not ") as caught:
            check_body(CONTACT, {"contact": value})
        assert "13812345678" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"contact": "13812345678 \ud800"}, "body.contact"),
        ({"list": ["a", "\ud800"]}, "body.list[1]"),
        ({"\ud800": 1}, "a name in body"),
    ],
)
def test_half_of_a_surrogate_pair_is_named_by_its_member(body: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_body(CONTACT, body)
    assert str(caught.value) == rf"{place} holds characters that cannot be sent, '\ud800'"


@pytest.mark.parametrize(("part", "is_nullable"), [(CONTACT, False), ({**CONTACT, "nullable": True}, True)])
def test_null_is_checked_in_the_parts_of_all_of_too(part: dict[str, Any], is_nullable: bool) -> None:
    schema = {"type": "object", "properties": {"owner": {"allOf": [part]}}}
    if is_nullable:
        assert check_body(schema, {"owner": None}) == {"owner": None}
    else:
        with pytest.raises(TypeError, match=r"body\.owner must be an object, not NoneType"):
            check_body(schema, {"owner": None})


@pytest.mark.parametrize(("time_format", "number"), [("epoch-seconds", 90), ("epoch-milliseconds", 90_500)])
def test_a_time_is_sent_as_the_number_of_the_contract(time_format: str, number: int) -> None:
    schema = {"type": "object", "properties": {"at": {"type": "integer", "format": time_format}}}
    moment = datetime(1970, 1, 1, 0, 1, 30, 500_000, tzinfo=UTC)
    assert check_body(schema, {"at": moment}) == check_body(schema, {"at": number}) == {"at": number}
    with pytest.raises(ValueError, match=r"body\.at .* without a time zone"):
        check_body(schema, {"at": moment.replace(tzinfo=None)})
