"""Resolves and validates with the schemas of a contract."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from metastudio.contract import Document
from metastudio.contract.json_pointer import join
from metastudio.tester.values import ValueKind, ValueType, parse_instant

_DOCUMENT = "urn:contract"
_FORMATS: Mapping[str, Callable[[str, str], bool]] = {
    "date-time": lambda text, zone: parse_instant(text, zone) is not None,
    "date": lambda text, _: ValueType(ValueKind.DATE).comparable(text) is not None,
    "uri": lambda text, _: re.match(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z", text) is not None,
}


class SchemaResolver:
    """Resolves JSON pointers in a document, following references, and validates values. Results are cached.

    The validator differs from `OAS30Validator` where that would blame a conforming server, or fail: 1.0 is an integer,
    as JSON does not tell it from 1, `nullable` also counts beside `anyOf`, `oneOf`, `allOf` and `enum`, and a text may
    contain a lone surrogate.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._registry = Registry[Any]().with_resource(_DOCUMENT, DRAFT4.create_resource(document.data))
        self._known: dict[str, tuple[Any, str]] = {}
        self._validators: dict[str, Any] = {}
        self.judged: dict[tuple[str, bytes], tuple[Any, ...]] = {}
        """Violations that are known already, by the pointer of the schema and the digest of the body."""

    def resolve(self, pointer: str) -> tuple[Any, str]:
        """Return the value at a pointer after following references, and its own pointer."""
        if pointer not in self._known:
            self._known[pointer] = self._document.resolve(self._document.at(pointer), pointer)
        return self._known[pointer]

    def pointer_of(self, start: str, path: Iterable[str | int]) -> str:
        """Return the pointer at the end of a schema path, which has a step `$ref` for each reference."""
        at = start
        for token in path:
            if token != "$ref":  # noqa: S105 - a keyword, no secret
                at = self.resolve(at)[1] + join([str(token)])
        return at

    def validator(self, pointer: str) -> Any:
        """Return the validator of the schema at a pointer."""
        if pointer not in self._validators:
            self._validators[pointer] = _Validator({"$ref": f"{_DOCUMENT}#{pointer}"}, registry=self._registry)
        return self._validators[pointer]


def _nullable(keyword: str) -> Any:
    check = OAS30Validator.VALIDATORS[keyword]

    def check_unless_null(validator: Any, rule: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        return (
            iter(()) if value is None and schema.get("nullable") else check(validator, rule, value, schema) or iter(())
        )

    return check_unless_null


def _check_format(_validator: Any, name: str, value: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    zone = str(schema.get("x-time-zone", ""))
    if isinstance(value, str) and name in _FORMATS and not _FORMATS[name](value, zone):
        yield ValidationError(f"not a {name}")


def _check_pattern(validator: Any, rule: str, value: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    """Check a pattern; the engine cannot encode lone surrogates."""
    text = value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
    yield from OAS30Validator.VALIDATORS["pattern"](validator, rule, text, schema) or ()


def _is_integer(_checker: Any, value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


_Validator: Any = extend(  # type: ignore[no-untyped-call]
    OAS30Validator,
    {
        "format": _check_format,
        "pattern": _check_pattern,
        **{keyword: _nullable(keyword) for keyword in ("anyOf", "oneOf", "allOf", "enum")},
    },
    type_checker=OAS30Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)
