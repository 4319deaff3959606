"""Changes of what the contract says beyond OpenAPI: `x-list`, `x-states`, `x-source`.

One rule grades nearly all of it. A meaning is a promise of servers to clients: a new promise may make a server wrong
that was right, one taken back leaves clients without it, a changed one does both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from metastudio.contract.json_pointer import join

from contract_diff.grades import Grade

Found = Iterator[tuple[str, Grade, str]]  # place, grade, words

PROSE = ("description", "title", "example", "examples", "summary", "externalDocs")


def promise(old: Any, new: Any) -> Grade:
    """Grade a change of what is promised; None and "unstated" promise nothing."""
    before, after = (None if each == "unstated" else each for each in (old, new))
    if before == after:
        return Grade.NONE
    if before is None:
        return Grade.SERVERS
    return Grade.CLIENTS if after is None else Grade.BOTH


def list_rules(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, before: set[str], after: set[str]
) -> Found:
    """Compare two `x-list`. `before` and `after` are the names of the operation's parameters."""
    if old is None or new is None:
        if new is not None:
            yield "x-list", Grade.SERVERS | Grade.ADDITIVE, "new: the operation is a list now"
        elif old is not None:
            yield "x-list", Grade.CLIENTS, "is gone: the operation is no list any more"
        return
    first, second = _leaves(old), _leaves(new)
    for key in dict.fromkeys([*first, *second]):
        was, now = first.get(key), second.get(key)
        grade = promise(was, now)
        if key.startswith("/order/key/values/") and was is None:
            grade = Grade.ADDITIVE  # nobody asks for an order that did not exist
        if grade:
            yield f"x-list {key[1:]}", grade, f"{_said(was)} -> {_said(now)}"
    yield from _filters(old.get("filters", {}), new.get("filters", {}), before, after)
    yield from (("x-list", grade, text) for grade, text in sources(old, new))


def _filters(old: Mapping[str, Any], new: Mapping[str, Any], before: set[str], after: set[str]) -> Found:
    for name in dict.fromkeys([*old, *new]):
        place = f"x-list filter {name}"
        was, now = _compares(old.get(name)), _compares(new.get(name))
        if name not in after:
            continue  # the parameter is gone, which is said elsewhere
        if name not in before:
            yield place, Grade.ADDITIVE, f"keeps items whose {now}" if now else "what it keeps is unstated"
        elif was != now:
            yield place, promise(was, now), f"{_said(was)} -> {_said(now)}"
        elif name in old and name in new and old[name].get("sandbox") != new[name].get("sandbox"):
            said = (_said(each[name].get("sandbox")) for each in (old, new))
            yield place, Grade.COSMETIC, f"the sandbox compares otherwise: {' -> '.join(said)}"
        if name in old and name in new:
            yield from ((place, grade, text) for grade, text in sources(old[name], new[name]))


_OPS = {
    "eq": "equals",
    "ne": "does not equal",
    "ge": "is at least",
    "gt": "is above",
    "le": "is at most",
    "lt": "is below",
    "substring": "contains",
    "prefix": "starts with",
    "exists": "is there, or is not, as says",
}


def _compares(rule: Mapping[str, Any] | None) -> str | None:
    return None if rule is None or rule["op"] == "unstated" else f"{rule['property']} {_OPS[rule['op']]} the value"


def _leaves(node: Mapping[str, Any], pointer: str = "") -> dict[str, Any]:
    """The single values of an `x-list` by their pointers, without filters and sources, which have their own rules."""
    found: dict[str, Any] = {}
    for key, value in node.items():
        at = pointer + join([key])
        if at == "/filters" or key == "x-source":
            continue
        if isinstance(value, Mapping):
            found |= _leaves(value, at)
        else:
            found[at] = value
    return found


def _said(value: Any) -> str:
    return "unstated" if value is None else str(value)


def states(old: Mapping[str, Any], new: Mapping[str, Any]) -> Found:
    """Compare two `x-states`: waiting, exit codes and colours follow what a state means."""
    if old and not new:
        yield "x-states", Grade.CLIENTS, "are gone: nobody can wait for an item any more"
    if new and not old:
        yield "x-states", Grade.ADDITIVE, "new: an item can be waited for"
        return
    for state in (each for each in new if each in old):
        for key in dict.fromkeys([*old[state], *new[state]]):
            was, now = old[state].get(key), new[state].get(key)
            if key != "x-source" and was != now:
                yield f"state {state}", Grade.CLIENTS, f"{key}: {_plain(was)} -> {_plain(now)}"
        yield from ((f"state {state}", grade, text) for grade, text in sources(old[state], new[state]))


def _plain(value: Any) -> str:
    return {None: "none", True: "true", False: "false"}.get(value, str(value))


def sources(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[Grade, str]]:
    """Compare the `x-source` of the keywords that two places share.

    A server that differs from what the page says is blamed, one that differs from what was decided is observed.
    """
    shared = [key for key in new if key in old and key not in PROSE and not key.startswith("x-")]
    if all(isinstance(each.get("x-source", "page"), str) for each in (old, new)):
        shared = shared[:1]  # one word for the whole place
    for key in shared:
        was, now = _source(old, key), _source(new, key)
        if was != now:
            grade = Grade.SERVERS if now == "page" else Grade.ADDITIVE if was == "page" else Grade.COSMETIC
            of = f" of {key}" if len(shared) > 1 else ""
            yield grade, f"x-source{of}: {was} -> {now}"


def _source(node: Mapping[str, Any], key: str) -> str:
    said = node.get("x-source", "page")
    return str(said if isinstance(said, str) else said.get(key, "page"))
