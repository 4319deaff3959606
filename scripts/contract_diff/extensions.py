"""Compare what the contract says beyond OpenAPI: `x-list`, `x-item`, `x-cli`, `x-states`, `x-source`.

One rule grades nearly all of it. These keywords are promises of servers to clients: a new promise may put a conforming
server in breach, a withdrawn one leaves clients without it, a changed one does both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metastudio.contract.json_pointer import join

from contract_diff.grades import Differences, Grade

DOCUMENTATION = ("description", "title", "example", "examples", "summary", "externalDocs")


def promise(old: Any, new: Any) -> Grade:
    """Grade a change of a promise; None and "unstated" promise nothing."""
    before, after = (None if each == "unstated" else each for each in (old, new))
    if before == after:
        return Grade.NONE
    if before is None:
        return Grade.SERVERS
    return Grade.CLIENTS if after is None else Grade.BOTH


def list_rules(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, before: set[str], after: set[str]
) -> Differences:
    """Compare two `x-list`.

    Args:
        old: The old value, None without one.
        new: The new value, None without one.
        before: Names of the parameters of the old operation.
        after: Names of the parameters of the new operation.
    """
    if old is None or new is None:
        if new is not None:
            yield "x-list", Grade.SERVERS | Grade.ADDITIVE, "new: the operation is now a list"
        elif old is not None:
            yield "x-list", Grade.CLIENTS, "removed: the operation is no longer a list"
        return
    first, second = _leaves(old), _leaves(new)
    for key in dict.fromkeys([*first, *second]):
        was, now = first.get(key), second.get(key)
        grade = promise(was, now)
        if key.startswith("/order/key/values/") and was is None:
            grade = Grade.ADDITIVE  # no client requests an order that did not exist
        if grade:
            yield f"x-list {key[1:]}", grade, f"{_or_unstated(was)} -> {_or_unstated(now)}"
    yield from _filters(old.get("filters", {}), new.get("filters", {}), before, after)
    yield from sources("x-list", old, new)


def _filters(old: Mapping[str, Any], new: Mapping[str, Any], before: set[str], after: set[str]) -> Differences:
    for name in dict.fromkeys([*old, *new]):
        place = f"x-list filter {name}"
        was, now = _condition(old.get(name)), _condition(new.get(name))
        if name not in after:
            continue  # the parameter was removed, which is a change of its own
        if name not in before:
            yield place, Grade.ADDITIVE, f"selects items whose {now}" if now else "its effect is unstated"
        elif was != now:
            yield place, promise(was, now), f"{_or_unstated(was)} -> {_or_unstated(now)}"
        elif name in old and name in new and old[name].get("sandbox") != new[name].get("sandbox"):
            texts = (_or_unstated(each[name].get("sandbox")) for each in (old, new))
            yield place, Grade.COSMETIC, f"comparison in the sandbox: {' -> '.join(texts)}"
        if name in old and name in new:
            yield from sources(place, old[name], new[name])


_OPS = {
    "eq": "equals",
    "ne": "does not equal",
    "ge": "is at least",
    "gt": "is above",
    "le": "is at most",
    "lt": "is below",
    "substring": "contains",
    "prefix": "starts with",
    "exists": "exists or not, as given by",
}


def _condition(rule: Mapping[str, Any] | None) -> str | None:
    return None if rule is None or rule["op"] == "unstated" else f"{rule['property']} {_OPS[rule['op']]} the value"


def _leaves(node: Mapping[str, Any], pointer: str = "") -> dict[str, Any]:
    """Return the scalars of an `x-list` by JSON pointer, without filters and sources, which have rules of their own."""
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


def _or_unstated(value: Any) -> str:
    return "unstated" if value is None else str(value)


def item_rules(old: Any, new: Any) -> Differences:
    """Compare two `x-item`, which say how an operation belongs to a list; None without one."""
    first, second = (_leaves(each if isinstance(each, Mapping) else {"kind": each}) for each in (old, new))
    for key in dict.fromkeys([*first, *second]):
        was, now = (str(each[key]) if each.get(key) is not None else None for each in (first, second))
        if was != now:
            grade = Grade.BOTH if key in ("/kind", "/list", "/parameter") else promise(was, now)
            yield f"x-item {key[1:]}", grade, f"{_or_unstated(was)} -> {_or_unstated(now)}"


def states(old: Mapping[str, Any], new: Mapping[str, Any]) -> Differences:
    """Compare two `x-states`, which decide waiting, exit codes and colours."""
    if old and not new:
        yield "x-states", Grade.CLIENTS, "removed: items can no longer be waited for"
    if new and not old:
        yield "x-states", Grade.ADDITIVE, "new: items can be waited for"
        return
    for state in (each for each in new if each in old):
        place = f"state {state}"
        for key in dict.fromkeys([*old[state], *new[state]]):
            was, now = old[state].get(key), new[state].get(key)
            if key != "x-source" and was != now:
                yield place, Grade.CLIENTS, f"{key}: {_yaml(was)} -> {_yaml(now)}"
        yield from sources(place, old[state], new[state])


def _yaml(value: Any) -> str:
    return {None: "none", True: "true", False: "false"}.get(value, str(value))


def sources(place: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Differences:
    """Compare the `x-source` of the keywords that two nodes share.

    The contract tester fails a server for a breach of `page` (the vendor's API reference), but not of a decision.
    """
    shared = [key for key in new if key in old and key not in DOCUMENTATION and not key.startswith("x-")]
    if all(isinstance(each.get("x-source", "page"), str) for each in (old, new)):
        shared = shared[:1]  # one source for the whole node
    for key in shared:
        was, now = _source(old, key), _source(new, key)
        if was != now:
            grade = Grade.SERVERS if now == "page" else Grade.ADDITIVE if was == "page" else Grade.COSMETIC
            of = f" of {key}" if len(shared) > 1 else ""
            yield place, grade, f"x-source{of}: {was} -> {now}"


def _source(node: Mapping[str, Any], key: str) -> str:
    source = node.get("x-source", "page")
    return str(source if isinstance(source, str) else source.get(key, "page"))
