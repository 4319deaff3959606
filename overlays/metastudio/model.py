"""Base classes of the generated models: how an object is shown, and rows for tables.

`repr`, `str` and notebook tables mask contacts and download addresses (`metastudio.redaction`); `to_dict` and
`to_record` return them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import islice
from typing import Any, ClassVar

from attrs import define, field

from metastudio.redaction import MASK, is_sensitive, mask, printable

_LONGEST_TEXT, _MOST_ELEMENTS, _MOST_ROWS = 100, 3, 20


class Model:
    """An object of the contract: an item, a page, a body."""

    __slots__ = ()

    _epochs: ClassVar[Mapping[str, int]] = {}
    """Attributes that are times as numbers since 1970, with their units in a second."""

    def to_record(self) -> dict[str, Any]:
        """Return the members by attribute name, as a row of a table.

        Times are `datetime` objects in UTC, known values are plain text, and what is unset is None, so that all rows
        have the same columns: `pandas.DataFrame(job.to_record() for job in jobs)`.
        """
        return {name: _cell(value, self._epochs.get(name)) for name, value in _members(self).items()}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={_shown(name, value)}" for name, value in _set_members(self).items())
        return f"{type(self).__name__}({shown})"


@define(repr=False)
class ResponseModel(Model):
    """An object that is a whole response.

    Attributes:
        request_id: The server's ID of the request, to be quoted to support. None for an object made by hand.
    """

    request_id: str | None = field(default=None, init=False, eq=False)


class PageTable:
    """A page: it has a length, and a notebook shows it as a table."""

    __slots__ = ()

    def _items(self) -> list[Any]:
        """Return the items of the page. Each kind of page has its own."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._items())

    def _repr_html_(self) -> str:
        from html import escape

        items = self._items()
        rows = [_set_members(item) for item in items[:_MOST_ROWS]]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        lines = [[_text(name, row[name]) if name in row else "" for name in columns] for row in rows]
        head = "".join(f"<th>{escape(printable(name))}</th>" for name in columns)
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in line)}</tr>" for line in lines)
        more = f"<p>{len(items) - len(rows)} more</p>" if len(items) > len(rows) else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _members(item: Any) -> dict[str, Any]:
    """Return the members by attribute name, then those that the contract does not know."""
    if not isinstance(item, Model):
        return dict(item) if isinstance(item, Mapping) else {"value": item}
    fields: tuple[Any, ...] = getattr(item, "__attrs_attrs__", ())
    known = {each.name: getattr(item, each.name) for each in fields if each.init}
    return {**known, **getattr(item, "additional_properties", {}), **known}


def _set_members(item: Any) -> dict[str, Any]:
    from metastudio_client.types import UNSET

    return {name: value for name, value in _members(item).items() if value is not UNSET}


def _cell(value: Any, epoch: int | None = None) -> Any:
    from metastudio_client.types import UNSET

    match value:
        case Model():
            return value.to_record()
        case Enum():
            return value.value
        case int() if epoch is not None:
            return _moment(value, epoch)
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC)
        case list():
            return [_cell(each) for each in value]
        case _:
            return None if value is UNSET else value


def _moment(value: int, unit: int) -> datetime | int:
    """Return a number since 1970 as a time, or the number where no datetime can hold it."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=1) / unit * value
    except OverflowError:
        return value


def _shown(name: str, value: Any) -> str:
    match value:
        case list():
            parts = [_shown(name, each) for each in value[:_MOST_ELEMENTS]]
            return f"[{', '.join(parts)}{_rest(value)}]"
        case Mapping():
            members = islice(value.items(), _MOST_ELEMENTS)
            parts = [f"{key!r}: {_shown(str(key), each)}" for key, each in members]
            return f"{{{', '.join(parts)}{_rest(value)}}}"
        case Model():
            return repr(value)
        case str() if not isinstance(value, Enum) and not is_sensitive(name):
            return repr(_text(name, value))
        case _:
            return _text(name, value)


def _rest(value: Any) -> str:
    return f", ... {len(value) - _MOST_ELEMENTS} more" if len(value) > _MOST_ELEMENTS else ""


def _text(name: str, value: Any) -> str:
    """Return a value as one line without personal data and secrets."""
    if is_sensitive(name) and value is not None:
        return MASK
    if isinstance(value, list | Mapping | Model):
        return _shown(name, value)
    text = value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)
    text = printable(mask(text[: 2 * _LONGEST_TEXT]))
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "..."
