"""How much a change of the contract asks of those who use it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag


class Grade(IntFlag):
    """Whom a change breaks, if anybody. A change can break both sides.

    COSMETIC: other words, the same contract. ADDITIVE: something new that nobody meets who does not ask for it, and
    whatever was right stays right. SERVERS: a server that followed the old contract may be wrong by the new one.
    CLIENTS: a program written against the old contract may not compile, or fail with a server that follows the new.
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
        """Whether either side may break."""
        return bool(self & Grade.BOTH)

    @property
    def exit_code(self) -> int:
        """30 breaking for clients, 20 breaking for servers, 10 additive, 0 cosmetic or no change."""
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


@dataclass(frozen=True)
class Change:
    """One change. `operation` names the operation, `place` what in it ("parameter limit"), `text` the change in words.

    Both names are "" where the change is of the contract, or the operation, as a whole.
    """

    operation: str
    place: str
    grade: Grade
    text: str


def whole(changes: list[Change]) -> Grade:
    """Return the grades of all changes together."""
    grade = Grade.NONE
    for change in changes:
        grade |= change.grade
    return grade


def report(changes: list[Change]) -> str:
    """Say the changes in words, operation by operation, the worst first; the same change of several places is one."""
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
