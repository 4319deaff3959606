"""Changes of the contract and their grades."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag


class Grade(IntFlag):
    """The effect of a change; a change can break both sides.

    Attributes:
        COSMETIC: The documentation changed, the contract did not.
        ADDITIVE: Something new and optional. Existing clients and servers still conform.
        SERVERS: A server that conforms to the old contract may breach the new one.
        CLIENTS: A program written for the old contract may not compile, or may fail with a server that conforms to the
            new one.
        BOTH: Breaks clients and servers.
    """

    NONE = 0
    COSMETIC = 1
    ADDITIVE = 2
    SERVERS = 4
    CLIENTS = 8
    BOTH = 12

    def __str__(self) -> str:
        if Grade.BOTH in self:
            return "breaking for clients and servers"
        for grade, words in _WORDS.items():
            if grade in self:
                return words
        return "no change"

    @property
    def breaking(self) -> bool:
        """True if either side may break."""
        return bool(self & Grade.BOTH)

    @property
    def exit_code(self) -> int:
        """Exit code: 30 breaking for clients, 20 breaking for servers, 10 additive, 0 cosmetic or no change."""
        if Grade.CLIENTS in self:
            return 30
        if Grade.SERVERS in self:
            return 20
        return 10 if Grade.ADDITIVE in self else 0


_WORDS = {
    Grade.CLIENTS: "breaking for clients",
    Grade.SERVERS: "breaking for servers",
    Grade.ADDITIVE: "additive",
    Grade.COSMETIC: "cosmetic",
}


Differences = Iterator[tuple[str, Grade, str]]
"""The place, grade and text of each change in one part of the contract."""


@dataclass(frozen=True)
class Change:
    """One graded change.

    Attributes:
        operation: Method, path and ID of the operation, "" for the contract as a whole.
        place: What in the operation changed, such as "parameter limit"; "" for the operation as a whole.
        grade: Whom the change breaks.
        text: The change in words.
    """

    operation: str
    place: str
    grade: Grade
    text: str


def overall(changes: list[Change]) -> Grade:
    """Combine the grades of all changes."""
    grade = Grade.NONE
    for change in changes:
        grade |= change.grade
    return grade


def report(changes: list[Change]) -> str:
    """Format the changes by operation, the worst first. The same change in several places is one line."""
    lines: list[str] = []
    for operation in dict.fromkeys(change.operation for change in changes):
        lines += ["", operation] if operation else ["", "The contract as a whole"]
        places: dict[tuple[Grade, str], list[str]] = {}
        for change in changes:
            if change.operation == operation:
                places.setdefault((change.grade, change.text), []).append(change.place)
        for (grade, text), where in sorted(places.items(), key=lambda item: -item[0][0]):
            at = ", ".join(dict.fromkeys(place for place in where if place))
            lines.append(f"  {grade}: {at + ': ' if at else ''}{text}")
    return "\n".join(lines).lstrip("\n")
