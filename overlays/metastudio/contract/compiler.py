"""A checked contract as plain constants: what the templates of the generator cannot see, for those who interpret it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from metastudio.contract.document import Document, join, tokens
from metastudio.contract.naming import python_name

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def compile_contract(document: Document) -> dict[str, Any]:
    """Compile a document that `check` found right.

    Returns plain data (dicts, lists, text, numbers) with the keys `title`, `version`, `server` (the URL of the first
    one, with its variables and their defaults) and `operations`, which is what `metastudio.contract.operation.read` takes.
    """
    info = document.data["info"]
    server = document.data.get("servers", [{"url": "/"}])[0]
    variables = {name: each["default"] for name, each in server.get("variables", {}).items()}
    return {
        "title": info["title"],
        "version": info["version"],
        "server": {"url": server["url"], "variables": variables},
        "operations": {
            operation["operationId"]: _operation(document, pointer, operation)
            for pointer, operation in operations(document)
        },
    }


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
            schema = f"{at}/content/application~1json/schema"
            if document.at(schema) is not None:
                return status, schema
    return None


def below(document: Document, pointer: str, path: str) -> str | None:
    """Walk a JSON pointer of *values* through a schema (`*` is any element). Return the schema's pointer, or None."""
    for token in tokens(path):
        found = _step(document, pointer, token)
        if found is None:
            return None
        pointer = found
    return document.resolve(document.at(pointer), pointer)[1]


def class_name(document: Document, pointer: str) -> str | None:
    """Return the name of the component that a schema is or refers to, None for one without a name."""
    _, at = document.resolve(document.at(pointer), pointer)
    parts = tokens(at)
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


def _operation(document: Document, pointer: str, operation: dict[str, Any]) -> dict[str, Any]:
    rules = operation.get("x-list")
    success = {
        int(status): shape(document, f"{pointer}/responses/{status}")
        for status in operation["responses"]
        if status.startswith("2")
    }
    fields: dict[str, Any] = {}
    state_property, states = None, {}
    names: dict[str, str | None] = {"response_class": None, "item_class": None}
    body = success_schema(document, pointer)
    if rules and body:
        item = below(document, body[1], rules["items"] + "/*") or ""
        fields = {
            name: _field(document, f"{item}/properties/{name}", raw)
            for name, raw in (document.at(item) or {}).get("properties", {}).items()
        }
        for name in fields:
            states = _states(document, f"{item}/properties/{name}")
            if states:
                state_property = join([name])
                break
        names = {"response_class": class_name(document, body[1]), "item_class": class_name(document, item)}
    return {
        "tag": operation["tags"][0],
        "method": tokens(pointer)[-1].upper(),
        "path": tokens(pointer)[1],
        "summary": operation.get("summary", ""),
        "description": operation.get("description", ""),
        **names,
        "parameters": [_parameter(document, at, raw) for at, raw in parameters(document, pointer)],
        "success": success,
        "fields": fields,
        "state_property": state_property,
        "states": states,
        "x-list": rules,
    }


def _parameter(document: Document, pointer: str, raw: dict[str, Any]) -> dict[str, Any]:
    schema = plain(document, f"{pointer}/schema")
    values, closed = known_values(schema.get("items", schema))
    return {
        "name": raw["name"],
        "python_name": python_name(raw["name"]),
        "location": raw["in"],
        "required": raw.get("required", False),
        "description": raw.get("description", ""),
        "schema": schema,
        "values": values,
        "closed": closed,
        "joined": schema.get("type") == "array" and not raw.get("explode", raw.get("style", "form") == "form"),
    }


def _field(document: Document, pointer: str, raw: dict[str, Any]) -> dict[str, Any]:
    schema = plain(document, pointer)
    return {
        "description": raw.get("description", ""),
        "type": schema.get("type", "string"),
        "format": schema.get("format"),
        "values": known_values(schema)[0],
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


def known_values(schema: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """Return the values that a schema lists, and whether it allows no other."""
    if "enum" in schema:
        return tuple(value for value in schema["enum"] if value is not None), True
    for kind in ("anyOf", "oneOf"):
        found = [known_values(each) for each in schema.get(kind, [])]
        if found:
            return tuple(value for values, _ in found for value in values), all(closed for _, closed in found)
    return (), False


def plain(document: Document, pointer: str, above: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return a schema with its references followed and without prose, examples and extensions.

    A schema inside itself is cut to `{}`, which allows everything.
    """
    schema, at = document.resolve(document.at(pointer), pointer)
    if at in above:
        return {}
    above |= {at}
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("description", "title", "example", "default") or key.startswith("x-"):
            continue
        if key in ("items", "not", "additionalProperties") and isinstance(value, dict):
            result[key] = plain(document, f"{at}/{key}", above)
        elif key in ("anyOf", "allOf", "oneOf"):
            result[key] = [plain(document, f"{at}/{key}/{index}", above) for index in range(len(value))]
        elif key == "properties":
            result[key] = {name: plain(document, f"{at}/properties{join([name])}", above) for name in value}
        else:
            result[key] = value
    return result


def shape(document: Document, pointer: str) -> dict[str, Any] | None:
    """Return only the objects and arrays of a response's JSON body, None where it has none."""
    _, at = document.resolve(document.at(pointer), pointer)
    schema = f"{at}/content/application~1json/schema"
    return _structure(plain(document, schema)) if document.at(schema) is not None else None


def _structure(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    found: dict[str, Any]
    if schema.get("type") == "object":
        properties = {name: _structure(each) for name, each in schema.get("properties", {}).items()}
        found = {"type": "object", "required": list(schema.get("required", []))}
        found["properties"] = {name: each for name, each in properties.items() if each is not None}
    elif schema.get("type") == "array":
        found = {"type": "array"}
        items = _structure(schema.get("items", {}))
        if items is not None:
            found["items"] = items
    else:
        return None
    if schema.get("nullable"):
        found["nullable"] = True
    return found
