"""Contains some shared types for properties"""

from collections.abc import Mapping, MutableMapping
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Generic, Literal, TypeVar

from attrs import define

if TYPE_CHECKING:
    import httpx


class Unset:
    def __bool__(self) -> Literal[False]:
        return False

    def __reduce__(self) -> str:
        return "UNSET"

    __repr__ = __reduce__


UNSET: Unset = Unset()

# The types that `httpx.Client(files=)` can accept, copied from that library.
FileContent = IO[bytes] | bytes | str
FileTypes = (
    # (filename, file (or bytes), content_type)
    tuple[str | None, FileContent, str | None]
    # (filename, file (or bytes), content_type, headers)
    | tuple[str | None, FileContent, str | None, Mapping[str, str]]
)
RequestFiles = list[tuple[str, FileTypes]]


@define
class File:
    """Contains information for file uploads"""

    payload: BinaryIO
    file_name: str | None = None
    mime_type: str | None = None

    def to_tuple(self) -> FileTypes:
        """Return a tuple representation that httpx will accept for multipart/form-data"""
        return self.file_name, self.payload, self.mime_type


T = TypeVar("T")


@define
class Response(Generic[T]):
    """A response from an endpoint"""

    status_code: HTTPStatus
    content: bytes
    headers: MutableMapping[str, str]
    parsed: T | None


__all__ = [
    "intern_text",
    "read_json",
    "read_member",
    "read_time",
    "UNSET",
    "File",
    "FileTypes",
    "RequestFiles",
    "Response",
    "Unset",
]


def read_json(response: "httpx.Response") -> Any:
    """Return the JSON of a response, without reading it again where the session has read it to check it"""
    if "json" in response.extensions:
        return response.extensions.pop("json")
    return response.json()


_members: dict[type[StrEnum], dict[str, Any]] = {}


def read_member(kind: type[StrEnum], value: Any) -> Any:
    """Return the member of an enum that a JSON value names, or the value itself where there is none"""
    if not isinstance(value, str):
        return value
    members = _members.get(kind)
    if members is None:
        members = _members[kind] = {each.value: each for each in kind}
    return members.get(value, value)


def read_time(value: Any) -> Any:
    """Return the time that a JSON value spells, or the value itself where it spells none"""
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return value


_last = ""


def intern_text(value: Any) -> Any:
    """Return the text interned last where `value` equals it, so that items share one copy of their common text"""
    global _last
    if type(value) is not str:
        return value
    last = _last  # another thread may replace it meanwhile
    if value != last:
        _last = last = value
    return last
