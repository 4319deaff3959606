"""Checks a contract. Each mistake is reported with its line and column, and with a remedy.

openapi-spec-validator checks the OpenAPI part. This module checks what it cannot know: our extensions (their vocabulary
is `vocabulary.yaml` beside this file) and contradictions.
"""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from openapi_spec_validator import OpenAPIV30SpecValidator

from metastudio.contract.compiler import (
    JSON_SCHEMA,
    ItemRelation,
    below,
    class_name,
    item_relation,
    item_states,
    list_pointers,
    operations,
    parameters,
    plain,
    success_schema,
)
from metastudio.contract.document import Document
from metastudio.contract.json_pointer import join

_VOCABULARY: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("vocabulary.yaml").read_text(encoding="utf-8"))
_VOCABULARIES = ("x-list", "x-item", "x-states", "x-cli", "x-source", "x-collation", "x-time-zone")
_EXTENSIONS = (*_VOCABULARIES, "x-enum-varnames", "x-enum-descriptions")
_JSON_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_NOT_SCHEMAS = ("/properties", "/default", "/enum", "/x-enum-descriptions")
"""Ends of the pointers of mappings in which `type` may be a name."""
_PAGING_KEYS = ("offset", "limit", "number", "size", "cursor")
_BOUNDS = (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems"))


def check(document: Document) -> None:
    """Raise ContractError for the first mistake in a document."""
    version = str(document.data.get("openapi", ""))
    if not version.startswith("3.0."):
        raise document.error("/openapi", f"this project reads OpenAPI 3.0.x, not {version or 'nothing'!r}")
    # The checks with the clearer messages come first, then the library, then the checks that rely on both.
    try:
        _check_references(document)
        _check_values(document)
        _check_names(document)
        _check_defaults(document)
    except (AttributeError, KeyError, TypeError):  # a value of the wrong type, such as `paths: 3`
        _check_openapi(document)
        raise
    _check_openapi(document)
    _check_extensions(document)
    _check_examples(document)
    for pointer, operation in operations(document):
        _check_operation(document, pointer, operation)
        if "x-list" in operation:
            _check_list(document, pointer, operation["x-list"])
            _check_list_classes(document, pointer, operation["x-list"])
        if isinstance(operation.get("x-item"), dict):
            _check_item(document, pointer, operation["x-item"])


def check_vocabulary(document: Document, pointer: str, operation: dict[str, Any]) -> None:
    """Raise ContractError for the first mistake in the `x-list` or `x-item` of an operation of any contract."""
    for key in ("x-list", "x-item"):
        if key in operation:
            _check_vocabulary(document, f"{pointer}/{key}", operation[key], key)
    if "x-list" in operation:
        _check_list(document, pointer, operation["x-list"])
    if isinstance(operation.get("x-item"), dict):
        _check_item(document, pointer, operation["x-item"])


def check_servable(document: Document) -> None:
    """Raise ContractError for the first part of an `x-list` with which client and sandbox cannot work.

    The client and the sandbox page by offset through the list in an object, and send or compare values as they are.
    """
    for pointer, operation in operations(document):
        for place in _tester_only(operation.get("x-list", {})):
            message = "only the contract tester understands this; the client and the sandbox do not"
            raise document.error(f"{pointer}/x-list{place}", message)
    lists = list_pointers(document)
    for pointer, operation in operations(document):
        relation = item_relation(document, pointer)
        if relation.item_parameter and relation.list_id:
            rules = f"{lists[relation.list_id]}/x-list"
            if "identity" not in document.at(rules):
                message = (
                    f"{operation['operationId']} names an item of this list; add its identity, such as identity: /id"
                )
                raise document.error(rules, message)


def _tester_only(rules: dict[str, Any]) -> Iterator[str]:
    """Yield the places below an `x-list` that only the contract tester understands."""
    if not rules:
        return
    if rules["page"]["style"] != "offset":
        yield "/page/style"
    if not rules["items"]:
        yield "/items"
    if isinstance(rules.get("total"), dict):
        yield "/total"
    yield from (f"/{key}" for key in ("constants", "invalid") if key in rules)
    order = rules.get("order", {})
    if "as" in order.get("direction", {}):
        yield "/order/direction/as"
    yield from (f"/order/{key}" for key in ("several", "ties", "nulls") if key in order)
    for name, rule in rules.get("filters", {}).items():
        if rule["op"] in ("between", "absent") or isinstance(rule["op"], list):
            yield f"/filters/{name}/op"
        known = ("case", "several", "wildcards", "template", "excludes")
        yield from (f"/filters/{name}/{key}" for key in known if key in rule)


def _check_openapi(document: Document) -> None:
    for failure in OpenAPIV30SpecValidator(document.data).iter_errors():
        raise document.error(join(failure.absolute_path), _shortened(failure.message))


def _check_references(document: Document) -> None:
    for pointer, node in _walk(document.data):
        if isinstance(node, dict) and "$ref" in node and not pointer.endswith("/properties"):
            document.resolve(node, pointer)


def _check_extensions(document: Document) -> None:
    for pointer, node in _walk(document.data):
        if not isinstance(node, dict) or "/example" in pointer:
            continue
        for key in node:
            if key.startswith("x-") and key not in _EXTENSIONS:
                close = difflib.get_close_matches(key, _EXTENSIONS, 1, 0.7)
                if close:
                    raise document.error(f"{pointer}/{key}", f"unknown extension {key!r}; did you mean {close[0]!r}?")
        for key in _VOCABULARIES:
            if key in node:
                _check_vocabulary(document, f"{pointer}/{key}", node[key], key)
        if isinstance(node.get("x-source"), dict):
            _check_known(document, f"{pointer}/x-source", node["x-source"], node, "keyword beside it")
        if "x-states" in node:
            _check_states(document, pointer, node)


def _check_vocabulary(document: Document, pointer: str, value: Any, name: str) -> None:
    schema = {"$ref": f"#/$defs/{name}", "$defs": _VOCABULARY}
    for failure in Draft202012Validator(schema).iter_errors(value):
        message = failure.schema.get("description") if isinstance(failure.schema, dict) else None
        raise document.error(pointer + join(failure.absolute_path), message or failure.message)


def _check_states(document: Document, pointer: str, schema: dict[str, Any]) -> None:
    values, states = schema.get("enum", []), schema["x-states"]
    _check_known(document, f"{pointer}/x-states", states, values, "value of the enum beside it")
    for missing in (value for value in values if value not in states):
        raise document.error(f"{pointer}/x-states", f"x-states does not mention {missing}; add a line for it")
    for state, meaning in states.items():
        if "ended" in meaning and not meaning["at_rest"]:
            raise document.error(f"{pointer}/x-states/{state}", "a task that ended is at rest: set at_rest: true")


def _check_values(document: Document) -> None:
    for pointer, node in _walk(document.data):
        if not isinstance(node, dict):
            continue
        kind, is_schema = node.get("type"), not pointer.endswith(_NOT_SCHEMAS) and "/example" not in pointer
        if isinstance(kind, str) and kind not in _JSON_TYPES and is_schema and "/securitySchemes/" not in pointer:
            raise document.error(f"{pointer}/type", _unknown(kind, _JSON_TYPES, "type of JSON"))
        if node.get("format") == "binary" and is_schema:
            raise document.error(f"{pointer}/format", "format binary is not supported; JSON holds text (format: byte)")
        for low, high in _BOUNDS:
            if isinstance(node.get(low), int) and isinstance(node.get(high), int) and node[low] > node[high]:
                raise document.error(f"{pointer}/{low}", f"{low} {node[low]} is above {high} {node[high]}")
        if isinstance(node.get("pattern"), str):
            try:
                re.compile(node["pattern"])
            except (re.error, OverflowError, RecursionError) as error:
                raise document.error(f"{pointer}/pattern", f"not a regular expression: {error}") from None


def _check_defaults(document: Document) -> None:
    for pointer, node in _walk(document.data):
        if isinstance(node, dict) and "default" in node and ("enum" in node or isinstance(node.get("type"), str)):
            for failure in OAS30Validator(plain(document, pointer)).iter_errors(node["default"]):
                message = f"the default contradicts its schema: {failure.message}"
                raise document.error(f"{pointer}/default", message)


def _check_names(document: Document) -> None:
    ids: dict[str, str] = {}
    for pointer, operation in operations(document):
        at, name = f"{pointer}/operationId", str(operation.get("operationId", ""))
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
            message = f"operationId names the generated function: lower case with underscores, not {name!r}"
            raise document.error(at, message)
        if name in ids:
            line, _ = document.position(ids[name])
            raise document.error(at, f"operationId {name} is taken on line {line}; choose another")
        ids[name] = at
        tags = operation.get("tags", [])
        if len(tags) != 1 or not re.fullmatch(r"[a-z][a-z0-9_]*", str(tags[0])):
            message = "give the operation one tag in lower case with underscores: it names the client's attribute"
            raise document.error(f"{pointer}/tags", message)


def _check_examples(document: Document) -> None:
    for pointer, node in _walk(document.data):
        if isinstance(node, dict) and isinstance(node.get("schema"), dict):
            schema = plain(document, f"{pointer}/schema")
            validator = OAS30Validator(schema, format_checker=oas30_format_checker)
            for at, example in _examples(document, pointer, node):
                for failure in validator.iter_errors(example):
                    place = at + join(failure.absolute_path)
                    raise document.error(place, f"the example contradicts its schema: {failure.message}")


def _examples(document: Document, pointer: str, node: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    if "example" in node:
        yield f"{pointer}/example", node["example"]
    for name, raw in node.get("examples", {}).items():
        example, at = document.resolve(raw, f"{pointer}/examples/{name}")
        if "value" in example:
            yield f"{at}/value", example["value"]


def _check_operation(document: Document, pointer: str, operation: dict[str, Any]) -> None:
    for at, parameter in parameters(document, pointer):
        if parameter["in"] == "cookie":
            raise document.error(at, f"the cookie {parameter['name']} would not be signed; use a query parameter")
        if parameter.get("style") == "deepObject":
            message = f"style deepObject is not supported; send {parameter['name']} as several parameters, or in a body"
            raise document.error(f"{at}/style", message)
        schema = plain(document, f"{at}/schema") if "schema" in parameter else {}
        items = schema.get("items", {})
        if schema.get("type") == "object" or "properties" in schema:
            message = f"{parameter['name']} is an object, which a URL or header does not hold; send it in a body"
            raise document.error(f"{at}/schema", message)
        if items.get("type") in ("array", "object"):
            message = (
                f"{parameter['name']} is an array of {items['type']}s, which a URL does not hold; send it in a body"
            )
            raise document.error(f"{at}/schema", message)
    successes = [status for status in operation["responses"] if status.startswith("2")]
    for status in successes:
        if not status.isdigit():
            message = f"declare each success status by its number, not as {status}"
            raise document.error(f"{pointer}/responses/{status}", message)
    if not successes:
        raise document.error(f"{pointer}/responses", "declare a success, such as 200 or 204")
    for place in (f"{pointer}/requestBody", *(f"{pointer}/responses/{status}" for status in successes)):
        _check_content(document, place)


def _check_content(document: Document, pointer: str) -> None:
    """Check the body of a request or of a success: JSON or nothing, and a request sends an object."""
    node, at = document.resolve(document.at(pointer), pointer)
    for media_type in (node or {}).get("content", {}):
        if media_type != "application/json":
            message = f"{media_type} is not supported; only application/json is"
            raise document.error(f"{at}/content{join([media_type])}", message)
    if not pointer.endswith("/requestBody") or node is None:
        return
    if (schema := document.at(f"{at}/{JSON_SCHEMA}")) is None:
        raise document.error(at, "a request body needs an application/json schema")
    if class_name(document, f"{at}/{JSON_SCHEMA}") is None or not _is_object(plain(document, f"{at}/{JSON_SCHEMA}")):
        message = f"a request body is a named object (components/schemas), not {schema.get('type', 'an inline schema')}"
        raise document.error(f"{at}/{JSON_SCHEMA}", message)


def _is_object(schema: dict[str, Any]) -> bool:
    is_object = schema.get("type") == "object" or "properties" in schema
    return is_object or any(_is_object(each) for each in schema.get("allOf", []))


def _check_list(document: Document, pointer: str, rules: dict[str, Any]) -> None:
    at = f"{pointer}/x-list"
    body = success_schema(document, pointer)
    if body is None:
        raise document.error(at, "x-list needs a success with a JSON body")
    by_name = {parameter["name"]: where for where, parameter in parameters(document, pointer)}
    item = below(document, body[1], rules["items"] + "/*")
    if item is None:
        message = f"{rules['items']} is no array in the response; name one by a JSON pointer such as /jobs"
        raise document.error(f"{at}/items", message)
    _check_total(document, pointer, rules.get("total"), body[1])
    page, order = rules["page"], rules.get("order", {})
    if page.get("next", "Link") != "Link" and below(document, body[1], page["next"]) is None:
        raise document.error(f"{at}/page/next", f"the response has no property {page['next']}")
    named: list[tuple[str, str]] = [(f"{at}/page/{key}", page[key]) for key in _PAGING_KEYS if key in page]
    properties: list[tuple[str, str]] = [(f"{at}/identity", rules["identity"])] if "identity" in rules else []
    for parameter, target in rules.get("scope", {}).items():
        named.append((f"{at}/scope/{parameter}", parameter))
        properties.append((f"{at}/scope/{parameter}", target))
    for parameter, each in rules.get("filters", {}).items():
        named.append((f"{at}/filters/{parameter}", parameter))
        named += [(f"{at}/filters/{parameter}/excludes/{n}", name) for n, name in enumerate(each.get("excludes", []))]
        if "property" in each:
            properties.append((f"{at}/filters/{parameter}/property", each["property"]))
        elif each["op"] != "unstated":
            message = f"op {each['op']} compares a property; add property: /name"
            raise document.error(f"{at}/filters/{parameter}", message)
        if parameter in each.get("excludes", []):
            raise document.error(f"{at}/filters/{parameter}/excludes", f"{parameter} excludes itself")
    named += [(f"{at}/constants/{name}", name) for name in rules.get("constants", {})]
    if isinstance(rules.get("total"), dict):
        named += [(f"{at}/total/when/{name}", name) for name in rules["total"].get("when", {})]
    if isinstance(rules.get("invalid"), dict):
        named += [(f"{at}/invalid/{name}", name) for name in rules["invalid"] if name != "*"]
    if order:
        named.append((f"{at}/order/key/parameter", order["key"]["parameter"]))
        properties += [(f"{at}/order/key/values/{v}", p) for v, p in order["key"]["values"].items()]
        if "parameter" in order.get("direction", {}):
            named.append((f"{at}/order/direction/parameter", order["direction"]["parameter"]))
        if "ties" in order:
            properties.append((f"{at}/order/ties/property", order["ties"]["property"]))
    for place, parameter in named:
        if parameter not in by_name:
            raise document.error(place, _unknown(parameter, by_name, "parameter of this operation"))
    for place, target in properties:
        if below(document, item, target) is None:
            known = [join([name]) for name in (document.at(item) or {}).get("properties", {})]
            raise document.error(place, _unknown(target, known, "property of an item"))
    _check_roles(document, at, rules)


def _check_list_classes(document: Document, pointer: str, rules: dict[str, Any]) -> None:
    """Check that the generated client has classes for the response of a list and its items."""
    status, schema = success_schema(document, pointer) or ("", "")
    item = below(document, schema, rules["items"] + "/*") or ""
    if not _is_object(plain(document, item)):
        message = f"{rules['items']} holds no objects: a list of scalars is not supported"
        raise document.error(f"{pointer}/x-list/items", message)
    for each, place in ((schema, f"{pointer}/responses/{status}"), (item, f"{pointer}/x-list/items")):
        if class_name(document, each) is None:
            message = "the response of a list, and its items, must be named schemas (components/schemas)"
            raise document.error(place, message)


def _check_total(document: Document, pointer: str, total: Any, body: str) -> None:
    """Check that the response has the total, in the body or in a header."""
    at = f"{pointer}/x-list/total"
    where = total if isinstance(total, dict) else {"property": total} if total else {}
    if "property" in where and below(document, body, where["property"]) is None:
        raise document.error(at, f"the response has no property {where['property']}")


def _check_roles(document: Document, at: str, rules: dict[str, Any]) -> None:
    """Check that no parameter of a list has two roles, and that the rules of the order fit together."""
    order, direction = rules.get("order", {}), rules.get("order", {}).get("direction", {})
    roles = [
        *((f"{at}/page/{key}", rules["page"][key]) for key in rules["page"] if key in _PAGING_KEYS),
        *([(f"{at}/order/key/parameter", order["key"]["parameter"])] if order else []),
        *([(f"{at}/order/direction/parameter", direction["parameter"])] if "parameter" in direction else []),
        *((f"{at}/filters/{name}", name) for name in rules.get("filters", {})),
        *((f"{at}/constants/{name}", name) for name in rules.get("constants", {})),
    ]
    taken: dict[str, str] = {}
    for place, parameter in roles:
        if parameter in taken:
            line, _ = document.position(taken[parameter])
            role = taken[parameter].removeprefix(f"{at}/")
            raise document.error(place, f"{parameter} is already {role} on line {line}; a parameter has one role")
        taken[parameter] = place
    if direction and direction["asc"] == direction["desc"]:
        raise document.error(f"{at}/order/direction/desc", f"asc and desc are both {direction['asc']!r}")
    if "several" in order and "parameter" in direction:
        message = "several keys need their directions in the keys: use as: prefix or as: suffix instead of parameter"
        raise document.error(f"{at}/order/several", message)


def _check_item(document: Document, pointer: str, rules: dict[str, Any]) -> None:
    at, relation = f"{pointer}/x-item", item_relation(document, pointer)
    lists = list_pointers(document)
    if relation.list_id is None:
        raise document.error(at, "no list has this path; name the list by list: OPERATION_ID")
    if relation.list_id not in lists:
        raise document.error(f"{at}/list", _unknown(relation.list_id, lists, "list of this contract"))
    if relation.kind == "other":
        raise document.error(at, "the path does not tell the kind; add kind: show, create, update, delete or command")
    if relation.kind != "create":
        paths = [each["name"] for _, each in parameters(document, pointer) if each["in"] == "path"]
        if relation.item_parameter not in paths:
            message = _unknown(str(relation.item_parameter), paths, "path parameter of this operation")
            raise document.error(f"{at}/parameter", f"{message}; it must hold the identity of the item")
    _, states = item_states(document, lists[relation.list_id])
    if relation.moves and relation.kind != "command":
        raise document.error(f"{at}/moves_to", "only a command moves an item to another state")
    for place, names in (("allowed_in", relation.allowed_in), ("moves_to", _targets(relation))):
        for name in names:
            if name not in states:
                raise document.error(f"{at}/{place}", _unknown(name, states, "state of the items (x-states)"))
    if relation.moves and relation.moves.property:
        body = f"{pointer}/requestBody"
        _, where = document.resolve(document.at(body), body)
        schema = f"{where}/{JSON_SCHEMA}"
        if document.at(schema) is None or below(document, schema, relation.moves.property) is None:
            message = f"the request body has no property {relation.moves.property}"
            raise document.error(f"{at}/moves_to/property", message)


def _targets(relation: ItemRelation) -> tuple[str, ...]:
    return tuple(relation.moves.states.values()) if relation.moves else ()


def _check_known(document: Document, pointer: str, names: dict[str, Any], known: Any, what: str) -> None:
    for name in names:
        if name not in known:
            raise document.error(f"{pointer}/{name}", _unknown(name, known, what))


def _unknown(name: str, known: Any, what: str) -> str:
    close = difflib.get_close_matches(name, [str(each) for each in known], 1)
    return f"{name} is no {what}" + (f"; did you mean {close[0]}?" if close else "")


def _walk(node: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    yield pointer, node
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _walk(value, pointer + join([key]))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _walk(value, f"{pointer}/{index}")


def _shortened(message: str) -> str:
    first = message.split("\n\n")[0]  # the rest is the whole schema
    return first if len(first) < 300 else first[:300] + "…"
