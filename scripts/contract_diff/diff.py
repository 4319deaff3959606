"""What an edit of the contract does to those who use it: every change in words, graded.

The rule behind the grades: a new name that may be left out (an operation, an optional parameter or property, a value
of an open set) is additive, on both sides. What existed may take or give other values: requests that are refused now
and answers that are new break clients, requests that must be taken now and answers that are wrong now break servers.
docs/spec-authoring.md has the table.
"""

from __future__ import annotations

from typing import Any

from metastudio.contract.compiler import compile_contract, operations, parameters
from metastudio.contract.document import Document
from metastudio.contract.json_pointer import join, split

from contract_diff import meaning
from contract_diff.grades import Change, Grade
from contract_diff.schemas import Found, Schemas, Way, prose

_WORDS = "described in other words"
# What has a rule below; anything else in an operation is graded as breaking for both, unless it is an extension.
_HANDLED = ("operationId", "tags", "parameters", "requestBody", "responses", "security", "deprecated", "x-list")


def compare(old: Document, new: Document) -> list[Change]:
    """Compare two contracts that `check` found right."""
    comparison = _Comparison(old, new)
    changes = [Change("", *found) for found in comparison.frame()]
    before, after = dict(operations(old)), dict(operations(new))
    moved = {each["operationId"]: pointer for pointer, each in before.items() if pointer not in after}
    for pointer, operation in after.items():
        name = f"{_request(pointer)} ({operation['operationId']})"
        was = pointer if pointer in before else moved.pop(operation["operationId"], None)
        if was is None:
            changes.append(Change(name, "", Grade.ADDITIVE, "new operation"))
            continue
        if was != pointer:
            changes.append(Change(name, "", Grade.BOTH, f"moved, it was {_request(was)}"))
        changes += [Change(name, *found) for found in comparison.operation(was, pointer)]
    for name, pointer in moved.items():
        changes.append(Change(f"{_request(pointer)} ({name})", "", Grade.CLIENTS, "is gone"))
    if not changes and _without_version(old) != _without_version(new):
        changes.append(Change("", "", Grade.COSMETIC, "only what no user of an operation notices"))
    return changes


def _request(pointer: str) -> str:
    _, path, method = split(pointer)
    return f"{method.upper()} {path}"


def _without_version(document: Document) -> dict[str, Any]:
    return document.data | {"info": document.data["info"] | {"version": ""}}


class _Comparison:
    """Two documents, compared part by part."""

    def __init__(self, old: Document, new: Document) -> None:
        self._old, self._new = old, new
        self._schemas = Schemas(old, new)
        self._compiled = [compile_contract(each)["operations"] for each in (old, new)]

    def frame(self) -> Found:
        """Compare what stands around the operations."""
        old, new = self._old.data, self._new.data
        for key in ("info", "externalDocs", "tags"):
            if _without_version(self._old).get(key) != _without_version(self._new).get(key):
                yield key, Grade.COSMETIC, _WORDS
        before, after = ({each["url"]: each for each in data.get("servers", [])} for data in (old, new))
        for url in dict.fromkeys([*after, *before]):
            place = f"server {url}"
            if url not in after:
                yield place, Grade.CLIENTS, "is gone"
            elif url not in before:
                yield place, Grade.ADDITIVE, "new"
            elif _values_of(before[url]) != _values_of(after[url]):
                yield place, Grade.CLIENTS, "its variables have other values"
            elif before[url] != after[url]:
                yield place, Grade.COSMETIC, _WORDS
        schemes = [data.get("components", {}).get("securitySchemes", {}) for data in (old, new)]
        for name in (each for each in schemes[1] if each in schemes[0]):
            was, now = (each[name] for each in schemes)
            if _silent(was) != _silent(now):
                yield f"security scheme {name}", Grade.BOTH, f"{_silent(was)} -> {_silent(now)}"
            elif was != now:
                yield f"security scheme {name}", Grade.COSMETIC, _WORDS

    def operation(self, was: str, now: str) -> Found:
        """Compare an operation, given by its pointers."""
        old, new = self._old.at(was), self._new.at(now)
        for key in ("operationId", "tags"):
            if old[key] != new[key]:
                yield key, Grade.CLIENTS, f"its name in code: {_joined(old[key])} -> {_joined(new[key])}"
        if old.get("deprecated", False) != new.get("deprecated", False):
            yield "", Grade.ADDITIVE, "is announced to go" if new.get("deprecated") else "is to stay after all"
        if prose(self._old, old) != prose(self._new, new):
            yield "", Grade.COSMETIC, _WORDS
        for key in dict.fromkeys([*old, *new]):
            if key not in (*_HANDLED, *meaning.PROSE) and old.get(key) != new.get(key):
                yield key, Grade.COSMETIC if key.startswith("x-") else Grade.BOTH, "is another"
        yield from self._security(old, new)
        yield from self._parameters(was, now)
        yield from self._body(was, now)
        yield from self._answers(was, now)
        names = [{each["name"] for _, each in parameters(*place)} for place in ((self._old, was), (self._new, now))]
        yield from meaning.list_rules(old.get("x-list"), new.get("x-list"), *names)
        compiled = self._compiled[0][old["operationId"]], self._compiled[1][new["operationId"]]
        yield from meaning.states(compiled[0]["states"], compiled[1]["states"])

    def _security(self, old: dict[str, Any], new: dict[str, Any]) -> Found:
        before, after = (
            {" with ".join(sorted(way)) or "nothing" for way in node.get("security", document.data.get("security", []))}
            for node, document in ((old, self._old), (new, self._new))
        )
        for way in sorted(before - after):
            yield "security", Grade.CLIENTS, f"{way} is no way in any more"
        for way in sorted(after - before):
            yield "security", Grade.ADDITIVE, f"{way} is a way in too"

    def _parameters(self, was: str, now: str) -> Found:
        before, after = (
            {(each["in"], each["name"]): (at, each) for at, each in parameters(document, pointer)}
            for document, pointer in ((self._old, was), (self._new, now))
        )
        for key in dict.fromkeys([*after, *before]):
            place = f"{'' if key[0] in ('query', 'path') else key[0] + ' '}parameter {key[1]}"
            if key not in after:
                yield place, Grade.CLIENTS, "is gone"
                continue
            at, new = after[key]
            needed = new.get("required", False)
            if key not in before:
                yield place, Grade.CLIENTS if needed else Grade.ADDITIVE, f"new, {'required' if needed else 'optional'}"
                continue
            at_old, old = before[key]
            if needed != old.get("required", False):
                yield place, Way.REQUEST.grade(needed, not needed), f"is {'required' if needed else 'optional'} now"
            if _wire(old) != _wire(new):
                yield place, Grade.BOTH, f"goes out otherwise: {_wire(old)} -> {_wire(new)}"
            if old.get("deprecated", False) != new.get("deprecated", False):
                yield place, Grade.ADDITIVE, "is announced to go" if new.get("deprecated") else "is to stay after all"
            if prose(self._old, old) != prose(self._new, new):
                yield place, Grade.COSMETIC, _WORDS
            yield from ((place, grade, text) for grade, text in meaning.sources(old, new))
            yield from self._schema(place, at_old, at, Way.REQUEST)

    def _body(self, was: str, now: str) -> Found:
        (old, at_old), (new, at) = (
            document.resolve(document.at(f"{pointer}/requestBody"), f"{pointer}/requestBody")
            for document, pointer in ((self._old, was), (self._new, now))
        )
        if new is None or old is None:
            if old is not None:
                yield "body", Grade.CLIENTS, "is gone"
            elif new is not None:
                needed = new.get("required", False)
                yield (
                    "body",
                    Grade.CLIENTS if needed else Grade.ADDITIVE,
                    f"new, {'required' if needed else 'optional'}",
                )
            return
        needed = new.get("required", False)
        if needed != old.get("required", False):
            yield "body", Way.REQUEST.grade(needed, not needed), f"is {'required' if needed else 'optional'} now"
        yield from self._content("body", at_old, at, Way.REQUEST)

    def _answers(self, was: str, now: str) -> Found:
        before, after = self._old.at(f"{was}/responses"), self._new.at(f"{now}/responses")
        for status in dict.fromkeys([*after, *before]):
            place, success = f"answer {status}", status.startswith("2")
            if status not in after:
                yield place, Grade.BOTH if success else Grade.SERVERS, "is gone"
            elif status not in before:
                yield place, Grade.CLIENTS if success else Grade.ADDITIVE, "new"
            else:
                old, at_old = self._old.resolve(before[status], f"{was}/responses/{status}")
                new, at = self._new.resolve(after[status], f"{now}/responses/{status}")
                if prose(self._old, old) != prose(self._new, new):
                    yield place, Grade.COSMETIC, _WORDS
                yield from ((place, grade, text) for grade, text in meaning.sources(old, new))
                yield from self._headers(place, at_old, at)
                yield from self._content(place, at_old, at, Way.ANSWER)

    def _headers(self, place: str, was: str, now: str) -> Found:
        before, after = self._old.at(f"{was}/headers") or {}, self._new.at(f"{now}/headers") or {}
        for name in dict.fromkeys([*after, *before]):
            here = f"{place} header {name}"
            if name not in after:
                yield here, Grade.CLIENTS, "is gone"
                continue
            new, at = self._new.resolve(after[name], f"{now}/headers{join([name])}")
            needed = new.get("required", False)
            if name not in before:
                yield here, Grade.SERVERS if needed else Grade.ADDITIVE, f"new, {'required' if needed else 'optional'}"
                continue
            old, at_old = self._old.resolve(before[name], f"{was}/headers{join([name])}")
            if needed != old.get("required", False):
                yield here, Way.ANSWER.grade(needed, not needed), "is required now" if needed else "may be absent now"
            if prose(self._old, old) != prose(self._new, new):
                yield here, Grade.COSMETIC, _WORDS
            yield from ((here, grade, text) for grade, text in meaning.sources(old, new))
            yield from self._schema(here, at_old, at, Way.ANSWER)

    def _content(self, place: str, was: str, now: str, way: Way) -> Found:
        before, after = self._old.at(f"{was}/content") or {}, self._new.at(f"{now}/content") or {}
        for name in dict.fromkeys([*after, *before]):
            if name not in after:
                yield place, Grade.CLIENTS, f"comes as {name} no more"
            elif name not in before:
                yield place, Grade.ADDITIVE, f"comes as {name} too"
            else:
                if prose(self._old, before[name]) != prose(self._new, after[name]):
                    yield place, Grade.COSMETIC, "other examples"
                at = f"content{join([name])}"
                yield from self._schema(place, f"{was}/{at}", f"{now}/{at}", way)

    def _schema(self, place: str, was: str, now: str, way: Way) -> Found:
        given = [document.at(f"{at}/schema") for document, at in ((self._old, was), (self._new, now))]
        if all(each is not None for each in given):
            yield from self._schemas.compare(place, f"{was}/schema", f"{now}/schema", way)
        elif any(each is not None for each in given):
            yield place, Grade.BOTH, "its schema is new" if given[1] is not None else "its schema is gone"


def _wire(parameter: dict[str, Any]) -> str:
    style = parameter.get("style", "form" if parameter["in"] in ("query", "cookie") else "simple")
    return f"style {style}, explode {str(parameter.get('explode', style == 'form')).lower()}"


def _values_of(server: dict[str, Any]) -> Any:
    return {name: _silent(each) for name, each in server.get("variables", {}).items()}


def _silent(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != "description"}


def _joined(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
