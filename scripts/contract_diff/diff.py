"""Compare two contracts and grade every change.

The rule behind the grades: a new optional name (an operation, an optional parameter or property, a value of an open
set) is additive. Changed sets of values break one side: newly refused requests and newly possible responses break
clients; newly required support for requests and newly forbidden responses break servers. docs/spec-authoring.md has
the table.
"""

from __future__ import annotations

from typing import Any

from metastudio.contract.compiler import operations, parameters
from metastudio.contract.document import Document
from metastudio.contract.json_pointer import join, split

from contract_diff import extensions
from contract_diff.grades import Change, Differences, Grade
from contract_diff.schemas import Direction, SchemaComparison, documentation

_DOCUMENTATION = "documentation changed"
# Keys of an operation that have a rule below. Any other key is breaking for both sides, unless it is an extension.
_HANDLED = (
    "operationId",
    "tags",
    "parameters",
    "requestBody",
    "responses",
    "security",
    "deprecated",
    "x-list",
    "x-item",
    "x-cli",
)


def compare(old: Document, new: Document) -> list[Change]:
    """Compare two contracts that have passed `check`."""
    comparison = _ContractComparison(old, new)
    changes = [Change("", *found) for found in comparison.frame()]
    before, after = dict(operations(old)), dict(operations(new))
    moved = {each["operationId"]: pointer for pointer, each in before.items() if pointer not in after}
    for pointer, operation in after.items():
        name = f"{_method_and_path(pointer)} ({operation['operationId']})"
        was = pointer if pointer in before else moved.pop(operation["operationId"], None)
        if was is None:
            changes.append(Change(name, "", Grade.ADDITIVE, "new operation"))
            continue
        if was != pointer:
            changes.append(Change(name, "", Grade.BOTH, f"moved from {_method_and_path(was)}"))
        changes += [Change(name, *found) for found in comparison.operation(was, pointer)]
    for name, pointer in moved.items():
        changes.append(Change(f"{_method_and_path(pointer)} ({name})", "", Grade.CLIENTS, "removed"))
    if not changes and _without_version(old) != _without_version(new):
        changes.append(Change("", "", Grade.COSMETIC, "only parts that no operation uses"))
    return changes


def _method_and_path(pointer: str) -> str:
    _, path, method = split(pointer)
    return f"{method.upper()} {path}"


def _without_version(document: Document) -> dict[str, Any]:
    return document.data | {"info": document.data["info"] | {"version": ""}}


class _ContractComparison:
    """Compares two documents part by part."""

    def __init__(self, old: Document, new: Document) -> None:
        self._old, self._new = old, new
        self._schemas = SchemaComparison(old, new)

    def frame(self) -> Differences:
        """Compare everything outside the operations: documentation, servers, security schemes."""
        old, new = self._old.data, self._new.data
        for key in ("info", "externalDocs", "tags"):
            if _without_version(self._old).get(key) != _without_version(self._new).get(key):
                yield key, Grade.COSMETIC, _DOCUMENTATION
        before, after = ({each["url"]: each for each in data.get("servers", [])} for data in (old, new))
        for url in dict.fromkeys([*after, *before]):
            place = f"server {url}"
            if url not in after:
                yield place, Grade.CLIENTS, "removed"
            elif url not in before:
                yield place, Grade.ADDITIVE, "new"
            elif _server_variables(before[url]) != _server_variables(after[url]):
                yield place, Grade.CLIENTS, "variables changed"
            elif before[url] != after[url]:
                yield place, Grade.COSMETIC, _DOCUMENTATION
        schemes = [data.get("components", {}).get("securitySchemes", {}) for data in (old, new)]
        for name in (each for each in schemes[1] if each in schemes[0]):
            was, now = (each[name] for each in schemes)
            place = f"security scheme {name}"
            if _without_description(was) != _without_description(now):
                yield place, Grade.BOTH, f"{_without_description(was)} -> {_without_description(now)}"
            elif was != now:
                yield place, Grade.COSMETIC, _DOCUMENTATION

    def operation(self, was: str, now: str) -> Differences:
        """Compare one operation, given its JSON pointers in both documents."""
        old, new = self._old.at(was), self._new.at(now)
        for key in ("operationId", "tags"):
            if old[key] != new[key]:
                yield key, Grade.CLIENTS, f"name in code: {_joined(old[key])} -> {_joined(new[key])}"
        yield from _deprecation("", old, new)
        if documentation(self._old, old) != documentation(self._new, new):
            yield "", Grade.COSMETIC, _DOCUMENTATION
        for key in dict.fromkeys([*old, *new]):
            if key not in (*_HANDLED, *extensions.DOCUMENTATION) and old.get(key) != new.get(key):
                yield key, Grade.COSMETIC if key.startswith("x-") else Grade.BOTH, "changed"
        yield from self._security(old, new)
        yield from self._parameters(was, now)
        yield from self._body(was, now)
        yield from self._responses(was, now)
        names = [{each["name"] for _, each in parameters(*place)} for place in ((self._old, was), (self._new, now))]
        yield from extensions.item_rules(old.get("x-item"), new.get("x-item"))
        if old.get("x-cli") != new.get("x-cli"):
            yield (
                "x-cli",
                Grade.CLIENTS,
                f"name of the command: {old.get('x-cli', 'none')} -> {new.get('x-cli', 'none')}",
            )
        yield from extensions.list_rules(old.get("x-list"), new.get("x-list"), *names)

    def _security(self, old: dict[str, Any], new: dict[str, Any]) -> Differences:
        before, after = (
            {
                " with ".join(sorted(requirement)) or "no authentication"
                for requirement in node.get("security", document.data.get("security", []))
            }
            for node, document in ((old, self._old), (new, self._new))
        )
        for requirement in sorted(before - after):
            yield "security", Grade.CLIENTS, f"{requirement} is no longer accepted"
        for requirement in sorted(after - before):
            yield "security", Grade.ADDITIVE, f"{requirement} is accepted too"

    def _parameters(self, was: str, now: str) -> Differences:
        before, after = (
            {(each["in"], each["name"]): (at, each) for at, each in parameters(document, pointer)}
            for document, pointer in ((self._old, was), (self._new, now))
        )
        for key in dict.fromkeys([*after, *before]):
            place = f"{'' if key[0] in ('query', 'path') else key[0] + ' '}parameter {key[1]}"
            if key not in after:
                yield place, Grade.CLIENTS, "removed"
                continue
            at, new = after[key]
            if key not in before:
                yield _added(place, new, Direction.REQUEST)
                continue
            at_old, old = before[key]
            yield from _required(place, old, new, Direction.REQUEST)
            if _serialization(old) != _serialization(new):
                yield place, Grade.BOTH, f"serialization changed: {_serialization(old)} -> {_serialization(new)}"
            yield from _deprecation(place, old, new)
            yield from self._annotations(place, old, new)
            yield from self._schema(place, at_old, at, Direction.REQUEST)

    def _body(self, was: str, now: str) -> Differences:
        place = "request body"
        (old, at_old), (new, at) = (
            document.resolve(document.at(f"{pointer}/requestBody"), f"{pointer}/requestBody")
            for document, pointer in ((self._old, was), (self._new, now))
        )
        if old is None and new is None:
            return
        if new is None:
            yield place, Grade.CLIENTS, "removed"
        elif old is None:
            yield _added(place, new, Direction.REQUEST)
        else:
            yield from _required(place, old, new, Direction.REQUEST)
            yield from self._content(place, at_old, at, Direction.REQUEST)

    def _responses(self, was: str, now: str) -> Differences:
        before, after = self._old.at(f"{was}/responses"), self._new.at(f"{now}/responses")
        for status in dict.fromkeys([*after, *before]):
            place, success = f"response {status}", status.startswith("2")
            if status not in after:
                yield place, Grade.BOTH if success else Grade.SERVERS, "removed"
            elif status not in before:
                yield place, Grade.CLIENTS if success else Grade.ADDITIVE, "new"
            else:
                old, at_old = self._old.resolve(before[status], f"{was}/responses/{status}")
                new, at = self._new.resolve(after[status], f"{now}/responses/{status}")
                yield from self._annotations(place, old, new)
                yield from self._headers(place, at_old, at)
                yield from self._content(place, at_old, at, Direction.RESPONSE)

    def _headers(self, place: str, was: str, now: str) -> Differences:
        before, after = self._old.at(f"{was}/headers") or {}, self._new.at(f"{now}/headers") or {}
        for name in dict.fromkeys([*after, *before]):
            here = f"{place} header {name}"
            if name not in after:
                yield here, Grade.CLIENTS, "removed"
                continue
            new, at = self._new.resolve(after[name], f"{now}/headers{join([name])}")
            if name not in before:
                yield _added(here, new, Direction.RESPONSE)
                continue
            old, at_old = self._old.resolve(before[name], f"{was}/headers{join([name])}")
            yield from _required(here, old, new, Direction.RESPONSE)
            yield from self._annotations(here, old, new)
            yield from self._schema(here, at_old, at, Direction.RESPONSE)

    def _content(self, place: str, was: str, now: str, direction: Direction) -> Differences:
        before, after = self._old.at(f"{was}/content") or {}, self._new.at(f"{now}/content") or {}
        for name in dict.fromkeys([*after, *before]):
            if name not in after:
                yield place, Grade.CLIENTS, f"media type {name} removed"
            elif name not in before:
                yield place, Grade.ADDITIVE, f"media type {name} added"
            else:
                if documentation(self._old, before[name]) != documentation(self._new, after[name]):
                    yield place, Grade.COSMETIC, "examples changed"
                at = f"content{join([name])}"
                yield from self._schema(place, f"{was}/{at}", f"{now}/{at}", direction)

    def _schema(self, place: str, was: str, now: str, direction: Direction) -> Differences:
        given = [document.at(f"{at}/schema") for document, at in ((self._old, was), (self._new, now))]
        if all(each is not None for each in given):
            yield from self._schemas.compare(place, f"{was}/schema", f"{now}/schema", direction)
        elif any(each is not None for each in given):
            yield place, Grade.BOTH, "schema added" if given[1] is not None else "schema removed"

    def _annotations(self, place: str, old: dict[str, Any], new: dict[str, Any]) -> Differences:
        if documentation(self._old, old) != documentation(self._new, new):
            yield place, Grade.COSMETIC, _DOCUMENTATION
        yield from extensions.sources(place, old, new)


def _added(place: str, new: dict[str, Any], direction: Direction) -> tuple[str, Grade, str]:
    required = new.get("required", False)
    grade = direction.grade(narrowed=required, widened=False) or Grade.ADDITIVE
    return place, grade, f"new, {'required' if required else 'optional'}"


def _required(place: str, old: dict[str, Any], new: dict[str, Any], direction: Direction) -> Differences:
    required = new.get("required", False)
    if required != old.get("required", False):
        yield place, direction.grade(required, not required), f"now {'required' if required else 'optional'}"


def _deprecation(place: str, old: dict[str, Any], new: dict[str, Any]) -> Differences:
    deprecated = new.get("deprecated", False)
    if deprecated != old.get("deprecated", False):
        yield place, Grade.ADDITIVE, "deprecated" if deprecated else "no longer deprecated"


def _serialization(parameter: dict[str, Any]) -> str:
    style = parameter.get("style", "form" if parameter["in"] in ("query", "cookie") else "simple")
    return f"style {style}, explode {str(parameter.get('explode', style == 'form')).lower()}"


def _server_variables(server: dict[str, Any]) -> Any:
    return {name: _without_description(each) for name, each in server.get("variables", {}).items()}


def _without_description(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != "description"}


def _joined(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
