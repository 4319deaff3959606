"""The validator of the contract's schemas, separate because it is slow to import."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from metastudio.tester.values import ValueKind, ValueType, parse_instant

_DOCUMENT = "urn:contract"


_FORMATS: Mapping[str, Callable[[str, str], bool]] = {
    "date-time": lambda text, zone: parse_instant(text, zone) is not None,
    "date": lambda text, _: ValueType(ValueKind.DATE).comparable(text) is not None,
    "uri": lambda text, _: re.match(r"[A-Za-z][A-Za-z0-9+.-]*:\S+\Z", text) is not None,
}


def schema_validator(document: Any, pointer: str) -> Any:
    """Return a validator of the schema at a JSON pointer of a document.

    It differs from `OAS30Validator` where that would blame a conforming server: 1.0 is an integer, as JSON does not
    tell it from 1, and `nullable` also counts beside `anyOf`, `oneOf`, `allOf` and `enum`.
    """
    registry = Registry[Any]().with_resource(_DOCUMENT, DRAFT4.create_resource(document))
    return _Validator({"$ref": f"{_DOCUMENT}#{pointer}"}, registry=registry)


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


def _is_integer(_checker: Any, value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


_Validator: Any = extend(  # type: ignore[no-untyped-call]
    OAS30Validator,
    {"format": _check_format, **{keyword: _nullable(keyword) for keyword in ("anyOf", "oneOf", "allOf", "enum")}},
    type_checker=OAS30Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)
