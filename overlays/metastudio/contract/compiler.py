"""Compiles a checked contract into `Operation` objects.

`./generate.sh` writes them to `metastudio_client.contract`; sandbox and contract tester compile a contract file when
they start.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, repeat
from typing import Any, NamedTuple

from metastudio.contract.document import MAX_DEPTH, Document
from metastudio.contract.json_pointer import join, split
from metastudio.contract.naming import python_name
from metastudio.contract.operation import (
    Body,
    Filter,
    ListRules,
    Operation,
    Order,
    Paging,
    Parameter,
    ServerUrl,
    State,
    Transition,
)
from metastudio.contract.structure import JsonArray, JsonObject, Structure

JSON_SCHEMA = "content/application~1json/schema"
"""Pointer to the schema of a JSON body, from its request body or response."""
MAX_SCHEMAS = 4_000
"""How many schemas `plain` makes of one."""
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True)
class Contract:
    """A compiled contract: its title and version, the URL of its first server, and its operations by ID."""

    title: str
    version: str
    server: ServerUrl
    operations: dict[str, Operation]


def compile_contract(document: Document) -> Contract:
    """Compile a document that passed `check`."""
    info = document.data["info"]
    server = document.data.get("servers", [{"url": "/"}])[0]
    variables = {name: str(each["default"]) for name, each in server.get("variables", {}).items()}
    return Contract(
        title=info["title"],
        version=info["version"],
        server=ServerUrl(server["url"], variables),
        operations={raw["operationId"]: compile_operation(document, at, raw) for at, raw in operations(document)},
    )


def operations(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each operation of the document with its JSON pointer."""
    for path, item in document.data.get("paths", {}).items():
        for method in METHODS:
            if isinstance(item, dict) and method in item:
                yield join(["paths", path, method]), item[method]


def parameters(document: Document, pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the parameters of an operation, with those of its path item, references followed."""
    found: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
    for owner in (pointer.rpartition("/")[0], pointer):
        for index, raw in enumerate(document.at(f"{owner}/parameters") or []):
            parameter, at = document.resolve(raw, f"{owner}/parameters/{index}")
            found[parameter["in"], parameter["name"]] = at, parameter
    yield from found.values()


def success_schema(document: Document, pointer: str) -> tuple[str, str] | None:
    """Return the status of the success that has a JSON body and the pointer of its schema, or None."""
    for status, raw in (document.at(f"{pointer}/responses") or {}).items():
        if status.startswith("2"):
            _, at = document.resolve(raw, f"{pointer}/responses/{status}")
            schema = f"{at}/{JSON_SCHEMA}"
            if document.at(schema) is not None:
                return status, schema
    return None


def list_pointers(document: Document) -> dict[str, str]:
    """Return the JSON pointers of the operations with an `x-list`, by operation ID."""
    return {raw["operationId"]: at for at, raw in operations(document) if "x-list" in raw}


def below(document: Document, pointer: str, path: str) -> str | None:
    """Walk a JSON pointer of *values* through a schema (`*` is any element). Return the schema's pointer, or None."""
    for token in split(path):
        found = _step(document, pointer, token)
        if found is None:
            return None
        pointer = found
    return document.resolve(document.at(pointer), pointer)[1]


def item_states(document: Document, pointer: str) -> tuple[str | None, dict[str, Any]]:
    """Return the JSON pointer to the state of a list's items, and the `x-states` there; None and {} without any."""
    rules, body = (document.at(pointer) or {}).get("x-list"), success_schema(document, pointer)
    item = below(document, body[1], rules["items"] + "/*") if rules and body else None
    for name in (document.at(item) or {}).get("properties", {}) if item else ():
        if states := _states(document, f"{item}{join(['properties', name])}"):
            return join([name]), states
    return None, {}


def class_name(document: Document, pointer: str) -> str | None:
    """Return the name of the component that a schema is or refers to, None for one without a name."""
    _, at = document.resolve(document.at(pointer), pointer)
    parts = split(at)
    return parts[-1] if parts[:-1] == ["components", "schemas"] else None


def _step(document: Document, pointer: str, token: str) -> str | None:
    schema, at = document.resolve(document.at(pointer), pointer)
    if token == "*" and "items" in schema:  # noqa: S105 - a JSON pointer's token, no secret
        return f"{at}/items"
    if token in schema.get("properties", {}):
        return at + join(["properties", token])
    for kind in ("allOf", "anyOf", "oneOf"):
        for index in range(len(schema.get(kind, []))):
            found = _step(document, f"{at}/{kind}/{index}", token)
            if found is not None:
                return found
    return None


def compile_operation(document: Document, pointer: str, raw: dict[str, Any]) -> Operation:
    """Compile one operation of a document."""
    rules = raw.get("x-list")
    by_name = {
        each["name"]: _parameter(each, plain(document, f"{at}/schema")) for at, each in parameters(document, pointer)
    }
    fields: dict[str, Any] = {}
    item_class = None
    success = success_schema(document, pointer)
    if rules and success:
        item = below(document, success[1], rules["items"] + "/*") or ""
        fields = {
            name: _field(document, item + join(["properties", name]), each)
            for name, each in (document.at(item) or {}).get("properties", {}).items()
        }
        item_class = class_name(document, item)
    relation = item_relation(document, pointer)
    shown = relation.list_id if relation.kind == "show" else None
    of_list = list_pointers(document)[shown] if shown else pointer
    state_property, states = item_states(document, of_list)
    return Operation(
        id=raw["operationId"],
        tag=raw["tags"][0],
        method=split(pointer)[-1].upper(),
        path=split(pointer)[1],
        summary=raw.get("summary", ""),
        description=raw.get("description", ""),
        cli_name=raw.get("x-cli"),
        kind=relation.kind,
        list_id=relation.list_id,
        item_parameter=relation.item_parameter,
        allowed_in=relation.allowed_in,
        moves=relation.moves,
        response_class=class_name(document, success[1]) if success else None,
        item_class=item_class,
        parameters=by_name,
        body=_body(document, pointer),
        success={
            int(status): response_structure(document, f"{pointer}/responses/{status}")
            for status in raw["responses"]
            if status.startswith("2")
        },
        list_rules=_list_rules(rules, by_name) if rules else None,
        fields=fields,
        state_property=state_property,
        states={
            name: State(each["phase"], each["at_rest"], each.get("ended"), each.get("new", False))
            for name, each in states.items()
        },
    )


class ItemRelation(NamedTuple):
    """How an operation belongs to a list; the attributes are those of `Operation`."""

    kind: str
    list_id: str | None = None
    item_parameter: str | None = None
    allowed_in: tuple[str, ...] = ()
    moves: Transition | None = None


_ITEM_KINDS = {"GET": "show", "PUT": "update", "PATCH": "update", "DELETE": "delete", "POST": "command"}


def item_relation(document: Document, pointer: str) -> ItemRelation:
    """Return how an operation belongs to a list: as `x-item` says, else as its path says.

    The path of a list plus one parameter is an item of the list. A POST on the path of a list creates an item, a POST
    on or below the path of an item is a command.
    """
    raw = document.at(pointer)
    explicit = raw.get("x-item", {})
    if "x-list" in raw:
        return ItemRelation("list")
    inferred = ItemRelation("other") if explicit == "none" else _inferred_relation(document, pointer)
    if explicit == "none" or not explicit:
        return inferred
    return ItemRelation(
        kind=explicit.get("kind", inferred.kind),
        list_id=explicit.get("list", inferred.list_id),
        item_parameter=explicit.get("parameter", inferred.item_parameter),
        allowed_in=tuple(explicit.get("allowed_in", ())),
        moves=_transition(explicit["moves_to"]) if "moves_to" in explicit else None,
    )


def _inferred_relation(document: Document, pointer: str) -> ItemRelation:
    _, path, method = split(pointer)
    lists = {split(at)[1]: raw["operationId"] for at, raw in operations(document) if "x-list" in raw}
    if path in lists:
        return ItemRelation("create", lists[path]) if method == "post" else ItemRelation("other")
    for list_path in sorted(lists, key=len, reverse=True):
        item = re.match(re.escape(list_path) + r"/\{(\w+)\}(/.+)?\Z", path)
        if item and (item[2] is None or method == "post"):
            kind = _ITEM_KINDS.get(method.upper(), "other")
            return ItemRelation(kind, lists[list_path], item[1]) if kind != "other" else ItemRelation(kind)
    return ItemRelation("other")


def _transition(raw: str | dict[str, Any]) -> Transition:
    return Transition(None, {"": raw}) if isinstance(raw, str) else Transition(raw["property"], raw["values"])


def _body(document: Document, pointer: str) -> Body | None:
    raw, at = document.resolve(document.at(f"{pointer}/requestBody"), f"{pointer}/requestBody")
    if raw is None:
        return None
    schema = f"{at}/{JSON_SCHEMA}"
    return Body(
        required=raw.get("required", False),
        description=raw.get("description", ""),
        schema=plain(document, schema),
        class_name=class_name(document, schema),
        members=dict(_members(document, schema)),
    )


def _members(document: Document, pointer: str) -> Iterator[tuple[str, Parameter]]:
    schema, at = document.resolve(document.at(pointer), pointer)
    for index in range(len(schema.get("allOf", []))):
        yield from _members(document, f"{at}/allOf/{index}")
    for name in schema.get("properties", {}):
        below = at + join(["properties", name])
        resolved, _ = document.resolve(document.at(below), below)
        raw = {
            "name": name,
            "in": "body",
            "required": name in schema.get("required", ()),
            "description": resolved.get("description", ""),
        }
        yield name, _parameter(raw, plain(document, below))


def _parameter(raw: Mapping[str, Any], schema: dict[str, Any]) -> Parameter:
    values, closed = known_values(schema.get("items", schema))
    return Parameter(
        name=raw["name"],
        python_name=python_name(raw["name"]),
        location=raw["in"],
        required=raw.get("required", False),
        description=raw.get("description", ""),
        schema=schema,
        values=tuple(map(_text, values)),
        closed=closed,
        joined=schema.get("type") == "array" and not raw.get("explode", raw.get("style", "form") == "form"),
    )


def _list_rules(raw: Mapping[str, Any], known: Mapping[str, Parameter]) -> ListRules:
    page = raw["page"]
    sources = {key: _source(raw, key) for key in ("items", "total", "identity", "scope", "page")}
    if "x-source" in page:
        sources["page"] = page["x-source"]
    total, invalid = raw.get("total"), raw.get("invalid", {})
    counted: dict[str, Any] = total if isinstance(total, dict) else {"property": total}
    size = page["size" if page["style"] == "page" else "limit"]
    return ListRules(
        items=raw["items"],
        total=counted.get("property"),
        identity=raw.get("identity"),
        scope=raw.get("scope", {}),
        offset=page.get(_MOVING.get(page["style"], ""), ""),
        limit=size,
        max_limit=known[size].schema.get("maximum"),
        order=_order(raw["order"]) if "order" in raw else None,
        filters={name: _filter(name, each) for name, each in raw.get("filters", {}).items()},
        sources=sources,
        paging=_paging(page),
        total_header=counted.get("header", ""),
        total_when=_texts(counted.get("when", {})),
        constants=_texts(raw.get("constants", {})),
        invalid={"*": invalid} if isinstance(invalid, str) else invalid,
    )


_MOVING = {"offset": "offset", "page": "number", "cursor": "cursor"}
"""The key of `page` that names the parameter with the position, by style."""


def _paging(page: Mapping[str, Any]) -> Paging:
    style, stride = page["style"], page.get("stride", 1)
    return Paging(
        style=style,
        first=page.get("first", 1 if style == "page" else 0),
        stride=0 if stride == "size" else stride,
        next="" if page.get("next") == "Link" else page.get("next", ""),
        end=page.get("end", "empty" if style == "offset" else "unstated"),
    )


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: _text(value) for name, value in values.items()}


def _filter(name: str, raw: Mapping[str, Any]) -> Filter:
    ops = raw["op"] if isinstance(raw["op"], list) else [raw["op"]]
    op = ops[0] if len(ops) == 1 else "unstated"
    return Filter(
        parameter=name,
        property=raw.get("property"),
        op=op,
        sandbox=raw.get("sandbox"),
        source=raw.get("x-source", "unstated" if ops == ["unstated"] else "page"),
        readings=tuple(ops) if len(ops) > 1 else (),
        case=raw.get("case", ""),
        several=raw.get("several", "any"),
        wildcards=raw.get("wildcards", ""),
        template=raw.get("template", ""),
        excludes=tuple(raw.get("excludes", ())),
    )


def _source(raw: Mapping[str, Any], keyword: str) -> str:
    """Return the `x-source` of a keyword: it is one word for everything beside it, or a map from keyword to word."""
    source = raw.get("x-source", "page")
    return source if isinstance(source, str) else source.get(keyword, "page")


def _order(raw: Mapping[str, Any]) -> Order:
    direction, ties = raw.get("direction", {}), raw.get("ties", {})
    return Order(
        parameter=raw["key"]["parameter"],
        keys=raw["key"]["values"],
        direction=direction.get("parameter"),
        asc=direction.get("asc", "asc"),
        desc=direction.get("desc", "desc"),
        default=direction.get("default", "asc"),
        without_key=raw.get("without_key", "unstated"),
        source=raw.get("x-source", "page"),
        affix=direction.get("as", ""),
        several=raw.get("several", ""),
        ties=ties.get("property", ""),
        ties_order=ties.get("direction", "asc"),
        nulls=raw.get("nulls", ""),
    )


def _field(document: Document, pointer: str, raw: dict[str, Any]) -> dict[str, Any]:
    schema = plain(document, pointer)
    return {
        "description": raw.get("description", ""),
        "type": schema.get("type", "string"),
        "format": schema.get("format"),
        "values": tuple(map(_text, known_values(schema)[0])),
    }


def _states(document: Document, pointer: str) -> dict[str, Any]:
    schema, at = document.resolve(document.at(pointer), pointer)
    if "x-states" in schema:
        states: dict[str, Any] = schema["x-states"]
        return states
    for kind in ("allOf", "anyOf", "oneOf"):
        for index in range(len(schema.get(kind, []))):
            found = _states(document, f"{at}/{kind}/{index}")
            if found:
                return found
    return {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def known_values(schema: Mapping[str, Any]) -> tuple[tuple[Any, ...], bool]:
    """Return the values that a schema lists, and whether it allows no other."""
    if "enum" in schema:
        return tuple(value for value in schema["enum"] if value is not None), True
    for kind in ("anyOf", "oneOf"):
        found = [known_values(each) for each in schema.get(kind, [])]
        if found:
            return tuple(value for values, _ in found for value in values), all(closed for _, closed in found)
    return (), False


def plain(document: Document, pointer: str) -> dict[str, Any]:
    """Return a schema with its references followed and without prose, examples and extensions.

    A schema inside itself is cut to `{}`, which allows everything. So are references below a certain depth, where
    following all of them would give more than `MAX_SCHEMAS` schemas.
    """
    schema = document.at(pointer)
    for depth in (MAX_DEPTH, 8, 6, 4, 2):
        with suppress(_TooManySchemasError):
            return _plain(document, schema, pointer, frozenset(), depth, count())
    return _plain(document, schema, pointer, frozenset(), 0, repeat(0))


class _TooManySchemasError(Exception):
    """Following the references gives more than `MAX_SCHEMAS` schemas."""


def _plain(
    document: Document, schema: Any, pointer: str, above: frozenset[str], depth: int, numbers: Iterator[int]
) -> dict[str, Any]:
    """Do the work of `plain`. `numbers` counts the schemas made so far."""
    if "$ref" in schema and len(above) > depth:
        return {}
    schema, at = document.resolve(schema, pointer)
    if at in above:
        return {}
    if next(numbers) >= MAX_SCHEMAS:
        raise _TooManySchemasError

    def below(value: Any, path: str) -> dict[str, Any]:
        return _plain(document, value, at + path, above | {at}, depth, numbers)

    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("description", "title", "example", "default") or key.startswith("x-"):
            continue
        if key in ("items", "not", "additionalProperties") and isinstance(value, dict):
            result[key] = below(value, f"/{key}")
        elif key in ("anyOf", "allOf", "oneOf"):
            result[key] = [below(each, f"/{key}/{index}") for index, each in enumerate(value)]
        elif key == "properties":
            result[key] = {name: below(each, f"/properties{join([name])}") for name, each in value.items()}
        else:
            result[key] = value
    return result


def response_structure(document: Document, pointer: str) -> Structure | None:
    """Return the objects and arrays of a response's JSON body, None where it has none."""
    _, at = document.resolve(document.at(pointer), pointer)
    schema = f"{at}/{JSON_SCHEMA}"
    return _structure(plain(document, schema)) if document.at(schema) is not None else None


def _structure(schema: Mapping[str, Any]) -> Structure | None:
    nullable = schema.get("nullable", False)
    if "allOf" in schema:
        own = {key: value for key, value in schema.items() if key != "allOf"}
        return _merged([_structure(each) for each in (own, *schema["allOf"])], nullable=nullable)
    if schema.get("type") == "object" or "properties" in schema:
        properties = {name: _structure(each) for name, each in schema.get("properties", {}).items()}
        checked = {name: each for name, each in properties.items() if each is not None}
        return JsonObject(tuple(schema.get("required", ())), checked, nullable)
    if schema.get("type") == "array":
        return JsonArray(_structure(schema.get("items", {})), nullable)
    return None


def _merged(parts: list[Structure | None], *, nullable: bool) -> Structure | None:
    """Return what all parts of an `allOf` require together."""
    objects = [part for part in parts if isinstance(part, JsonObject)]
    if not objects:
        return next((part for part in parts if part is not None), None)
    required = dict.fromkeys(name for part in objects for name in part.required)
    properties: dict[str, Structure] = {}
    for part in objects:
        properties.update(part.properties)
    return JsonObject(tuple(required), properties, nullable or all(part.nullable for part in objects))
