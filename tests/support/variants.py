"""Faulty servers with one fault each, and conforming servers that differ where the contract allows it.

Most faulty servers are derived from the contract: from every filter, paging rule, order, field, parameter and
authentication rule. Some are hand-written. A variant is the sandbox with some overrides replaced.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from metastudio.contract.json_pointer import set_at, values_at
from metastudio.contract.operation import Filter, ListRules, Operation, Parameter
from metastudio.contract.structure import JsonArray, JsonObject
from metastudio.sandbox import CONFORMING, Overrides, SandboxSettings
from metastudio.sandbox import authentication as auth
from metastudio.sandbox.http import Refusal, RefusedError, SandboxRequest, SandboxResponse
from metastudio.sandbox.listing import Listing, StoreColumn
from metastudio.sandbox.store import Condition, PageWindow
from metastudio.tester.values import format_instant, parse_instant
from metastudio_client.contract import OPERATIONS

Change = Callable[[Any, int], None]


@dataclass(frozen=True)
class Variant:
    """A variant of the sandbox.

    Args:
        name: its name.
        overrides: the overrides of the sandbox.
        settings: the settings of the sandbox.
        undetectable: why the fault cannot be detected; empty if it can.
        mutate: changes a store before each request, given the number of the request.
        no_authentication: whether requests without credentials are accepted.
    """

    name: str
    overrides: Overrides = CONFORMING
    settings: SandboxSettings = field(default_factory=SandboxSettings)
    undetectable: str = ""
    mutate: Change | None = None
    no_authentication: bool = False


OPERATION: Operation = next(each for each in OPERATIONS.values() if each.list_rules is not None)
RULES: ListRules = OPERATION.list_rules  # type: ignore[assignment]
NANO = 1_000_000_000


def faulty_servers() -> list[Variant]:
    """Return all faulty servers."""
    from write_variants import faulty

    found = [*_filters(), *_pages(), *_orders(), *_fields(), *_inputs(), *_responses(), *_auth(), *_by_hand()]
    found += faulty()
    assert len({each.name for each in found}) == len(found)
    return found


# --- filters ---------------------------------------------------------------------------------------------------------


def _filters() -> Iterator[Variant]:
    for name, rule in RULES.filters.items():
        if rule.op == "unstated":
            continue
        yield Variant(f"{name}: ignored", _condition(name, lambda *_: None))
        yield Variant(f"{name}: inverted", _condition(name, _inverted))
        if rule.op in ("ge", "le"):
            yield from _times(name, rule)
        if rule.op == "eq":
            yield from _texts(name, rule)
        if rule.property and rule.property.strip("/") not in _required():
            yield Variant(f"{name}: also matches items without it", _condition(name, _or_absent))
        if OPERATION.parameters[name].is_array:
            yield Variant(f"{name}: uses only the first value", _condition(name, _first))
            yield Variant(f"{name}: uses only the last value", _condition(name, _last))
            yield Variant(f"{name}: several values match nothing", _condition(name, _none_of_several))


def _times(name: str, rule: Filter) -> Iterator[Variant]:
    strict = {"ge": "gt", "le": "lt"}[rule.op]
    other = {"ge": "le", "le": "ge"}[rule.op]
    yield Variant(f"{name}: bound is exclusive", _condition(name, _as_op(strict)))
    yield Variant(f"{name}: wrong direction", _condition(name, _as_op(other)))
    yield Variant(f"{name}: matches equality only", _condition(name, _as_op("eq")))
    yield Variant(f"{name}: one second too strict", _condition(name, _shifted(1 if rule.op == "ge" else -1)))
    yield Variant(f"{name}: one second too loose", _condition(name, _shifted(-1 if rule.op == "ge" else 1)))
    yield Variant(f"{name}: compares dates only", _condition(name, _mapped(lambda text: text[:10] + "T00:00:00Z")))
    yield Variant(f"{name}: ignores the time zone", _condition(name, _mapped(lambda text: text[:19] + "Z")))
    other_time = next(
        (n for n, s in OPERATION.fields.items() if s.get("format") == "date-time" and f"/{n}" != rule.property), None
    )
    if other_time:
        yield Variant(f"{name}: compares {other_time}", _filtered_in_python(name, rule, f"/{other_time}"))


def _texts(name: str, rule: Filter) -> Iterator[Variant]:
    # A state in lower case is refused before it is compared, so the check of the values is removed as well.
    check = _drop_check(name) if OPERATION.parameters[name].is_array else CONFORMING.check
    yield Variant(f"{name}: ignores case", replace(_condition(name, _any_case), check=check))
    yield Variant(f"{name}: matches substrings", _condition(name, _as_op("substring")))
    yield Variant(f"{name}: matches prefixes", _condition(name, _as_op("prefix")))
    yield Variant(f"{name}: supports wildcards", replace(_condition(name, _like), check=check))


def _required() -> set[str]:
    body = next(each for each in OPERATION.success.values() if isinstance(each, JsonObject))
    listed = body.properties[RULES.items.strip("/")]
    assert isinstance(listed, JsonArray)
    assert isinstance(listed.items, JsonObject)
    return set(listed.items.required)


Rebuild = Callable[[Filter, StoreColumn, Sequence[Any]], Condition | None]


def _condition(name: str, rebuild: Rebuild) -> Overrides:
    def condition(rule: Filter, column: StoreColumn | None, values: Sequence[Any]) -> Condition | None:
        if rule.parameter != name or column is None:
            return CONFORMING.condition(rule, column, values)
        return rebuild(rule, column, values)

    return replace(CONFORMING, condition=condition)


def _conforming(rule: Filter, column: StoreColumn, values: Sequence[Any]) -> Condition:
    found = CONFORMING.condition(rule, column, values)
    assert found is not None
    return found


def _inverted(rule: Filter, column: StoreColumn, values: Sequence[Any]) -> Condition:
    found = _conforming(rule, column, values)
    return Condition(f"NOT ({found.sql})", found.arguments)


def _or_absent(rule: Filter, column: StoreColumn, values: Sequence[Any]) -> Condition:
    found = _conforming(rule, column, values)
    absent = f"seq NOT IN (SELECT seq FROM {column.name})" if column.many else f"{column.name} IS NULL"
    return Condition(f"({found.sql}) OR {absent}", found.arguments)


def _first(rule: Filter, column: StoreColumn, values: Sequence[Any]) -> Condition:
    return _conforming(rule, column, values[:1])


def _last(rule: Filter, column: StoreColumn, values: Sequence[Any]) -> Condition:
    return _conforming(rule, column, values[-1:])


def _none_of_several(rule: Filter, column: StoreColumn, values: Sequence[Any]) -> Condition:
    return _conforming(rule, column, values) if len(values) == 1 else Condition("0")


def _as_op(op: str) -> Rebuild:
    return lambda rule, column, values: _conforming(rule._replace(op=op), column, values)


def _shifted(seconds: int) -> Rebuild:
    return _mapped(lambda text: format_instant((parse_instant(text) or 0) + seconds * NANO))


def _mapped(change: Callable[[str], str]) -> Rebuild:
    return lambda rule, column, values: _conforming(rule, column, [change(str(each)) for each in values])


def _any_case(_rule: Filter, column: StoreColumn, values: Sequence[Any]) -> Condition:
    return _sql(column, "{} COLLATE NOCASE IN (" + ", ".join("?" * len(values)) + ")", values)


def _like(_rule: Filter, column: StoreColumn, values: Sequence[Any]) -> Condition:
    escaped = [str(each).replace("*", "[*]").replace("?", "[?]") for each in values]
    patterns = [each.replace("%", "*").replace("_", "?") for each in escaped]
    return _sql(column, " OR ".join(["{} GLOB ?"] * len(values)), patterns)


def _sql(column: StoreColumn, test: str, arguments: Sequence[Any]) -> Condition:
    if column.many:
        sql = f"seq IN (SELECT seq FROM {column.name} WHERE {test.replace('{}', 'value')})"
    else:
        sql = test.replace("{}", column.name)
    return Condition(f"({sql})", tuple(arguments))


def _filtered_in_python(name: str, rule: Filter, pointer: str) -> Overrides:
    """Compare another property, read from the stored item."""

    def condition(each: Filter, column: StoreColumn | None, values: Sequence[Any]) -> Condition | None:
        if each.parameter != name:
            return CONFORMING.condition(each, column, values)
        key = pointer.strip("/")
        compared = ">=" if rule.op == "ge" else "<="
        return Condition(f"json_extract(body, '$.{key}') {compared} ?", (str(values[0]),))

    return replace(CONFORMING, condition=condition)


# --- pages -----------------------------------------------------------------------------------------------------------


def _pages() -> Iterator[Variant]:
    window, total, items = CONFORMING.window, CONFORMING.total, CONFORMING.items

    def windowed(change: Callable[[int | None, int | None, Listing], PageWindow]) -> Overrides:
        return replace(CONFORMING, window=change)

    offset, limit = RULES.offset, RULES.limit
    yield Variant(f"{offset}: ignored", windowed(lambda o, n, at: window(None, n, at)))
    yield Variant(f"{offset}: one too high", windowed(lambda o, n, at: window((o or 0) + 1 if o else o, n, at)))
    yield Variant(f"{offset}: counts from one", windowed(lambda o, n, at: window(max(0, (o or 0) - 1), n, at)))
    yield Variant(f"{offset}: used as a page number", windowed(lambda o, n, at: window((o or 0) * (n or 10), n, at)))
    yield Variant(f"{limit}: ignored", windowed(lambda o, n, at: window(o, None, at)))
    yield Variant(f"{limit}: one too high", windowed(lambda o, n, at: window(o, n + 1 if n else n, at)))
    yield Variant(f"{limit}: one too low", windowed(lambda o, n, at: window(o, n - 1 if n and n > 1 else n, at)))
    yield Variant(f"{limit}: clamped to half the maximum", windowed(lambda o, n, at: window(o, min(n or 10, 50), at)))
    yield Variant(f"{limit}: at least ten", windowed(lambda o, n, at: window(o, max(n or 10, 10), at)))
    yield Variant(
        f"{limit}: the last item of a page is missing",
        replace(CONFORMING, items=lambda found, w: items(found[:-1] or found, w)),
    )
    yield Variant(
        "page: the first item is repeated", replace(CONFORMING, items=lambda found, w: items(found[:1] + found[:-1], w))
    )
    yield Variant("page: reversed", replace(CONFORMING, items=lambda found, w: items(found[::-1], w)))
    yield Variant("page: an error after the end", replace(CONFORMING, items=_error_after_the_end))
    if RULES.total:
        yield Variant("total: counts the page", replace(CONFORMING, total=lambda n, found, w: len(found)))
        yield Variant("total: one too high", replace(CONFORMING, total=lambda n, found, w: n + 1))
        yield Variant("total: one too low", replace(CONFORMING, total=lambda n, found, w: max(0, n - 1)))
        yield Variant(
            "total: counts the remaining items", replace(CONFORMING, total=lambda n, found, w: max(0, n - w.skip))
        )
        yield Variant("total: capped", replace(CONFORMING, total=lambda n, found, w: min(n, 100)))
        yield Variant("total: ignores the filters", replace(CONFORMING, total=lambda n, found, w: 101))
        yield Variant("total: counts pages", replace(CONFORMING, total=lambda n, found, w: -(-n // max(1, w.take))))
        yield Variant(
            "total: zero on an empty page",
            replace(CONFORMING, total=lambda n, found, w: total(n, found, w) if found else 0),
        )


def _error_after_the_end(found: list[dict[str, Any]], window: PageWindow) -> list[dict[str, Any]]:
    if window.skip and not found:
        raise RefusedError("invalid_parameter", reason="offset")
    return found


# --- order -----------------------------------------------------------------------------------------------------------


def _orders() -> Iterator[Variant]:
    conforming, rules = CONFORMING.order, RULES.order
    if rules is None:
        return

    def with_order(change: Callable[[Any, Any, Any, Any, Any], str]) -> Overrides:
        return replace(CONFORMING, order=change)

    for key, pointer in rules.keys.items():
        yield from _orders_by(key, pointer, conforming, with_order)
    if rules.direction:
        yield Variant("direction: ignored", with_order(lambda r, c, i, k, d: conforming(r, c, i, k, None)))
        yield Variant(
            "direction: always descending", with_order(lambda r, c, i, k, d: conforming(r, c, i, k, rules.desc))
        )
        yield Variant("direction: inverted", with_order(lambda r, c, i, k, d: conforming(r, c, i, k, _other(d))))
        yield Variant(
            "direction: descending by default",
            with_order(lambda r, c, i, k, d: conforming(r, c, i, k, d or rules.desc)),
        )
    yield Variant(
        "order: random without a key", with_order(lambda r, c, i, k, d: conforming(r, c, i, k, d) if k else "random()")
    )


def _orders_by(key: str, pointer: str, conforming: Any, with_order: Any) -> Iterator[Variant]:
    def replaced(by: str) -> Any:
        return lambda r, c, i, k, d: conforming(r, c, i, k, d).replace(
            c[pointer].name, by.format(column=c[pointer].name, i=i.name)
        )

    def sorted_page(found: list[dict[str, Any]], _window: PageWindow) -> list[dict[str, Any]]:
        return sorted(found, key=lambda each: str(values_at(each, pointer)))

    yield Variant(f"order {key}: ignored", with_order(lambda r, c, i, k, d: conforming(r, c, i, None, d)))
    yield Variant(f"order {key}: by another property", with_order(replaced("{i}")))
    within = replace(CONFORMING, order=lambda r, c, i, k, d: "seq", items=sorted_page)
    yield Variant(f"order {key}: only within the page", within)
    yield Variant(f"order {key}: by month only", with_order(replaced("substr({column}, 1, 7)")))
    at_random = with_order(lambda r, c, i, k, d: f"{conforming(r, c, i, k, d).split(',')[0]}, random()")
    yield Variant(f"order {key}: ties in random order", at_random)


def _other(direction: Any) -> Any:
    rules = RULES.order
    assert rules is not None
    return rules.asc if direction == rules.desc else rules.desc


# --- items and bodies ------------------------------------------------------------------------------------------------


def _fields() -> Iterator[Variant]:
    for name in RULES.filters and OPERATION.fields:
        schema = OPERATION.fields[name]
        yield Variant(
            f"item {name}: has the wrong type",
            _edited(lambda item, name=name: _set(item, name, _wrong(item.get(name)))),
        )
        if schema.get("format") == "date-time":
            yield Variant(
                f"item {name}: without a time zone",
                _edited(lambda item, name=name: _text(item, name, lambda v: v.rstrip("Z"))),
            )
            yield Variant(
                f"item {name}: with a blank instead of T",
                _edited(lambda item, name=name: _text(item, name, lambda v: v.replace("T", " "))),
            )
            yield Variant(f"item {name}: in seconds since 1970", _edited(lambda item, name=name: _seconds(item, name)))
    for name in sorted(_required()):
        yield Variant(f"item {name}: missing", _edited(lambda item, name=name: item.pop(name, None)))
        yield Variant(f"item {name}: sometimes missing", _edited(lambda item, name=name: _now_and_then(item, name)))
        yield Variant(f"item {name}: null", _edited(lambda item, name=name: _set(item, name, None)))
    if OPERATION.state_property:
        name = OPERATION.state_property.strip("/")
        yield Variant(f"item {name}: in lower case", _edited(lambda item, name=name: _text(item, name, str.lower)))
    for pointer in RULES.scope.values():
        name = pointer.strip("/")
        yield Variant(f"item {name}: of another tenant", _edited(lambda item, name=name: _set(item, name, "f" * 32)))
    body = next(each for each in OPERATION.success.values() if isinstance(each, JsonObject))
    for name in body.required:
        yield Variant(f"body {name}: missing", _body(lambda data, name=name: data.pop(name)))
        yield Variant(f"body {name}: null", _body(lambda data, name=name: _set(data, name, None)))
        yield Variant(
            f"body {name}: as a string", _body(lambda data, name=name: _set(data, name, json.dumps(data[name])))
        )


def _edited(edit: Callable[..., Any]) -> Overrides:
    def items(found: list[dict[str, Any]], window: PageWindow) -> list[dict[str, Any]]:
        for item in found:
            edit(item)
        return found

    return replace(CONFORMING, items=items)


def _set(data: dict[str, Any], name: str, value: Any) -> None:
    data[name] = value


def _wrong(value: Any) -> Any:
    return {"value": value} if isinstance(value, list) else 7


def _text(item: dict[str, Any], name: str, change: Callable[[str], str]) -> None:
    if isinstance(item.get(name), str):
        item[name] = change(item[name])


def _seconds(item: dict[str, Any], name: str) -> None:
    if name in item:
        item[name] = (parse_instant(item[name]) or 0) // NANO


def _now_and_then(item: dict[str, Any], name: str) -> None:
    if sum(map(ord, str(item.get((RULES.identity or "").strip("/"))))) % 5 == 0:
        item.pop(name, None)


def _body(edit: Callable[..., Any]) -> Overrides:
    def finish(answer: SandboxResponse, _request: SandboxRequest) -> SandboxResponse:
        if answer.status >= 300 or isinstance(answer.body, bytes):
            return answer
        data = deepcopy(answer.body)
        edit(data)
        return replace(answer, body=data)

    return replace(CONFORMING, finish=finish)


# --- parameter values ------------------------------------------------------------------------------------------------


def _inputs() -> Iterator[Variant]:
    rules, order = RULES, RULES.order
    times = [p.name for p in OPERATION.parameters.values() if p.is_time]
    closed = [p.name for p in OPERATION.parameters.values() if p.closed and not p.is_array]
    for name in (rules.offset, rules.limit):
        yield Variant(
            f"input {name}: a value below the minimum is ignored", _accepting(name, lambda v: isinstance(v, int))
        )
        yield Variant(
            f"input {name}: a value that is not a number is ignored", _accepting(name, lambda v: not isinstance(v, int))
        )
        yield Variant(f"input {name}: a fraction is truncated", _converting(name, _cut))
        yield Variant(f"input {name}: trailing letters are ignored", _converting(name, _digits))
    for name in times:
        yield Variant(f"input {name}: an invalid time is ignored", _accepting(name, lambda v: True))
        yield Variant(f"input {name}: an invalid time causes a server error", _failing(name))
    for name in closed:
        yield Variant(f"input {name}: an unlisted value is ignored", _accepting(name, lambda v: True))
    for name in (rules.offset, rules.limit, *times, *closed):
        yield Variant(f"input {name}: every value is refused", _refusing(name, lambda text: True))
    for name, rule in rules.filters.items():
        values = OPERATION.parameters[name].values
        if values:
            yield Variant(f"input {name}: a listed value is refused", _refusing(name, partial(_holds, values[-1])))
        elif rule.op == "eq":
            yield Variant(f"input {name}: plain values are refused", _refusing(name, lambda text: "a" in text.lower()))
    if order:
        yield Variant(f"input {order.parameter}: refused", _refusing(order.parameter, lambda text: True))


def _holds(value: str, text: str) -> bool:
    return value in text


def _accepting(name: str, when: Callable[[Any], bool]) -> Overrides:
    """Ignore an invalid value."""

    def check_all(listing: Listing, values: Mapping[str, Any], unknown: Sequence[str]) -> None:
        for parameter in listing.operation.parameters.values():
            if parameter.name == name and name in values:
                try:
                    CONFORMING.check(parameter, values[name])
                except RefusedError:
                    values.pop(name)  # type: ignore[attr-defined]

    def check(parameter: Parameter, value: Any) -> None:
        if parameter.name != name or not when(value):
            CONFORMING.check(parameter, value)

    return replace(CONFORMING, check=check, check_all=check_all)


def _converting(name: str, convert: Callable[[str], Any]) -> Overrides:
    schema = OPERATION.parameters[name].schema
    return replace(
        CONFORMING, convert=lambda s, text: convert(text) if s is schema or s == schema else CONFORMING.convert(s, text)
    )


def _cut(text: str) -> Any:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return text


def _digits(text: str) -> Any:
    found = re.match(r"\s*(-?\d+)", text)
    return int(found[1]) if found else text


def _failing(name: str) -> Overrides:
    def check(parameter: Parameter, value: Any) -> None:
        try:
            CONFORMING.check(parameter, value)
        except RefusedError:
            if parameter.name == name:
                raise ValueError("not a time") from None
            raise

    return replace(CONFORMING, check=check)


def _refusing(name: str, when: Callable[[str], bool]) -> Overrides:
    def check(parameter: Parameter, value: Any) -> None:
        if parameter.name == name and when(",".join(value) if isinstance(value, list) else str(value)):
            raise RefusedError("invalid_parameter", reason=name)
        CONFORMING.check(parameter, value)

    return replace(CONFORMING, check=check)


# --- statuses, headers, bodies ---------------------------------------------------------------------------------------


def _responses() -> Iterator[Variant]:
    for status in (201, 202, 204, 206, 302):
        yield Variant(f"status: {status} for a success", _finishing(_status(status), True))
    for status in (200, 409, 422, 500, 302):
        yield Variant(f"status: {status} for a refusal", _finishing(_status(status), None))
    yield Variant(
        "content: HTML for a success",
        _finishing(lambda a: replace(a, body=b"<html>", headers={**a.headers, "Content-Type": "text/html"}), True),
    )
    yield Variant("content: JSON declared as text", _finishing(lambda a: _with(a, "Content-Type", "text/plain"), True))
    yield Variant("content: no content type", _finishing(lambda a: _with(a, "Content-Type", None), True))
    yield Variant(
        "content: errors as text",
        _finishing(
            lambda a: replace(a, body=b"wrong parameter", headers={**a.headers, "Content-Type": "text/plain"}), None
        ),
    )
    yield Variant("content: an empty success", _finishing(lambda a: replace(a, body=b""), True))
    yield Variant("content: truncated JSON", _finishing(lambda a: replace(a, body=a.content()[:-9]), True))
    yield Variant("header: no request id", _finishing(lambda a: _with(a, "X-Request-Id", None), True))
    yield Variant("header: an empty request id", _finishing(lambda a: _with(a, "X-Request-Id", ""), True))
    yield Variant("header: always the same request id", _finishing(lambda a: _with(a, "X-Request-Id", "42"), True))
    trace = 'Traceback (most recent call last):\n  File "/srv/app/views.py", line 4, in jobs\nValueError: x'
    java = "java.lang.IllegalArgumentException: x\n\tat com.example.Jobs.list(Jobs.java:42)"
    yield Variant("error: with a Python stack trace", _finishing(lambda a: _error(a, error_msg=trace), None))
    yield Variant("error: with a Java stack trace", _finishing(lambda a: _error(a, error_msg=java), None))
    yield Variant("error: without a code", _finishing(lambda a: _error(a, error_code=...), None))
    yield Variant("error: without a message", _finishing(lambda a: _error(a, error_msg=...), None))
    yield Variant("error: the code is a number", _finishing(lambda a: _error(a, error_code=3), None))
    yield Variant(
        "error: in the style of another framework", _finishing(lambda a: replace(a, body={"detail": "wrong"}), None)
    )


def _status(status: int) -> Callable[[SandboxResponse], SandboxResponse]:
    return lambda answer: replace(answer, status=status)


def _finishing(change: Callable[[SandboxResponse], SandboxResponse], success: bool | None) -> Overrides:
    """Change successes (True) or refusals of a parameter (None)."""

    def finish(answer: SandboxResponse, request: SandboxRequest) -> SandboxResponse:
        refused = answer.status == 400
        return change(answer) if (success and answer.status == 200) or (success is None and refused) else answer

    return replace(CONFORMING, finish=finish)


def _with(answer: SandboxResponse, name: str, value: str | None) -> SandboxResponse:
    headers = {key: text for key, text in answer.headers.items() if key.lower() != name.lower()}
    return replace(answer, headers={**headers, **({name: value} if value is not None else {})})


def _error(answer: SandboxResponse, **fields: Any) -> SandboxResponse:
    body = {**answer.body, **fields}
    return replace(answer, body={key: value for key, value in body.items() if value is not ...})


# --- authentication --------------------------------------------------------------------------------------------------

UNDETECTABLE_RULES = {
    "key_is_not_locked": "detecting it would lock a key",
    "identity_headers_are_signed": "the signing rules oblige a client to sign X-Sdk-Date only",
    "signed_headers_were_sent": "a signature over a missing header also breaks the next rule",
    "date_is_well_formed": "another rule also refuses a malformed date",
    "security_token_matches": "needs a temporary key pair and the security token of another one",
    "token_is_not_expired": "needs a token that has really expired (METASTUDIO_EXPIRED_TOKEN)",
    "project_header_matches": "the API reference does not state which project X-Project-Id may name",
}


def _auth() -> Iterator[Variant]:
    for name in auth.RULES:
        overrides = CONFORMING.with_rule(name, _any_key) if name == "key_is_known" else CONFORMING.without(name)
        if name == "key_is_known":
            overrides = overrides.without("signature_matches")
        yield Variant(f"auth: without {name}", overrides, undetectable=UNDETECTABLE_RULES.get(name, ""))
    days = CONFORMING.with_rule("date_is_within_tolerance", _near(12 * 3600))
    yield Variant("auth: a date may be 12 hours off", days)
    yield Variant("auth: only a late date is refused", CONFORMING.with_rule("date_is_within_tolerance", _near_or_early))
    unsigned = _also_accepts(lambda request: replace(request, query=b""))
    yield Variant(
        "auth: a signature without the query is accepted", CONFORMING.with_rule("signature_matches", unsigned)
    )
    other = _also_accepts(lambda request: replace(request, method="POST"))
    yield Variant("auth: a signature for another method is accepted", CONFORMING.with_rule("signature_matches", other))
    other = _also_accepts(lambda request: replace(request, path=request.path + b"/x"))
    yield Variant("auth: a signature for a sub-path is accepted", CONFORMING.with_rule("signature_matches", other))
    yield Variant("auth: requests without credentials are accepted", CONFORMING, no_authentication=True)
    yield Variant("auth: a refusal contains a stack trace", replace(CONFORMING, finish=_trace_in_refusal))
    yield Variant("auth: a refusal has status 200", replace(CONFORMING, finish=_refusal_as_success))
    yield Variant(
        "auth: a malformed signature causes a server error", replace(CONFORMING, parse_authorization=_fails_to_parse)
    )


def _any_key(attempt: auth.Attempt) -> None:
    """Treat an unknown key as that of the first account."""
    attempt.registry.keys.setdefault(attempt.authorization.access_key, next(iter(attempt.registry.keys.values())))


def _near(seconds: int) -> Callable[[auth.Attempt], None]:
    def date_is_within_tolerance(attempt: auth.Attempt) -> None:
        signed = attempt.request.header("x-sdk-date")[0]
        if abs((parse_instant(_rfc3339(signed)) or 0) / NANO - attempt.registry.now()) > seconds:
            auth.RULES["date_is_within_tolerance"](attempt)

    return date_is_within_tolerance


def _near_or_early(attempt: auth.Attempt) -> None:
    if (parse_instant(_rfc3339(attempt.request.header("x-sdk-date")[0])) or 0) / NANO > attempt.registry.now():
        auth.RULES["date_is_within_tolerance"](attempt)


def _rfc3339(date: str) -> str:
    return f"{date[:4]}-{date[4:6]}-{date[6:11]}:{date[11:13]}:{date[13:]}"


def _also_accepts(change: Callable[[SandboxRequest], SandboxRequest]) -> Callable[[auth.Attempt], None]:
    def signature_matches(attempt: auth.Attempt) -> None:
        try:
            auth.RULES["signature_matches"](attempt)
        except RefusedError:
            auth.RULES["signature_matches"](replace(attempt, request=change(attempt.request)))

    return signature_matches


def _trace_in_refusal(answer: SandboxResponse, _request: SandboxRequest) -> SandboxResponse:
    trace = "org.apache.CipherException: x\n\tat com.example.AccountRegistry.check(AccountRegistry.java:7)"
    return _error(answer, error_msg=trace) if answer.status in (401, 403) else answer


def _refusal_as_success(answer: SandboxResponse, _request: SandboxRequest) -> SandboxResponse:
    return replace(answer, status=200) if answer.status in (401, 403) else answer


def _fails_to_parse(value: str) -> Any:
    found = CONFORMING.parse_authorization(value)
    if found is None:
        raise IndexError("list index out of range")
    return found


# --- hand-written ----------------------------------------------------------------------------------------------------


def _by_hand() -> Iterator[Variant]:
    yield Variant("hand-written: filters are combined with OR", replace(CONFORMING, condition=_or_condition))
    yield Variant("hand-written: only the first filter counts", replace(CONFORMING, condition=_first_condition))
    yield Variant("hand-written: every third response is empty", replace(CONFORMING, items=_every(3, lambda found: [])))
    yield Variant(
        "hand-written: every seventh response is reversed",
        replace(CONFORMING, items=_every(7, lambda found: found[::-1])),
    )
    yield Variant("hand-written: every tenth request fails", replace(CONFORMING, items=_every(10, _fail)))
    yield Variant("hand-written: items of another project are included", replace(CONFORMING, scope=lambda *_: []))
    yield Variant(
        "hand-written: items of another project are included when sorted", replace(CONFORMING, scope=_leaking)
    )
    yield Variant("hand-written: a long text causes a server error", replace(CONFORMING, check=_fails_on_long))
    yield Variant("hand-written: a quote causes a server error", replace(CONFORMING, check=_fails_on_quote))
    yield Variant("hand-written: an empty list is a 404", replace(CONFORMING, finish=_empty_is_not_found))
    yield Variant("hand-written: an empty list is null", replace(CONFORMING, finish=_empty_is_null))
    yield Variant("hand-written: the first filtered page is cached", replace(CONFORMING, items=_cached()))
    yield Variant("hand-written: tags are joined with commas", _edited(lambda item: _text_of_list(item)))
    yield Variant("hand-written: an item is repeated in the list", replace(CONFORMING, items=_twice))


def _or_condition(rule: Filter, column: StoreColumn | None, values: Sequence[Any]) -> Condition | None:
    """The second filter widens the first, as with missing parentheses in SQL."""
    found = CONFORMING.condition(rule, column, values)
    return (
        Condition(f"1) OR ({found.sql}", found.arguments)
        if found and rule.op == "eq" and rule.parameter != "state"
        else found
    )


def _first_condition(rule: Filter, column: StoreColumn | None, values: Sequence[Any]) -> Condition | None:
    last = list(RULES.filters)[-1]
    return (
        None
        if rule.parameter == last and len(values) == 1 and values[0] != "4K"
        else CONFORMING.condition(rule, column, values)
    )


def _every(nth: int, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Any:
    count = iter(range(1, 10**9))

    def items(found: list[dict[str, Any]], window: PageWindow) -> list[dict[str, Any]]:
        return change(found) if next(count) % nth == 0 else found

    return items


def _fail(_found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    raise RuntimeError("injected fault")


def _leaking(rules: ListRules, columns: Mapping[str, StoreColumn], values: Mapping[str, Any]) -> list[Condition]:
    return [] if RULES.order and RULES.order.direction in values else CONFORMING.scope(rules, columns, values)


def _fails_on_long(parameter: Parameter, value: Any) -> None:
    if isinstance(value, str) and len(value) > 40:
        raise OverflowError("value too long for type character varying(40)")
    CONFORMING.check(parameter, value)


def _fails_on_quote(parameter: Parameter, value: Any) -> None:
    if isinstance(value, str) and re.search(r"['\"\\;&]", value):
        raise ValueError("unterminated quoted string")
    CONFORMING.check(parameter, value)


def _empty_is_not_found(answer: SandboxResponse, _request: SandboxRequest) -> SandboxResponse:
    empty = answer.status == 200 and not values_at(answer.body, f"{RULES.items}/*")
    return replace(answer, status=404, body={"error_code": "APIGW.0101", "error_msg": "none"}) if empty else answer


def _empty_is_null(answer: SandboxResponse, _request: SandboxRequest) -> SandboxResponse:
    if answer.status != 200 or values_at(answer.body, f"{RULES.items}/*"):
        return answer
    data = deepcopy(answer.body)
    set_at(data, RULES.items, None)
    return replace(answer, body=data)


def _cached() -> Any:
    known: dict[tuple[int, int], list[dict[str, Any]]] = {}

    def items(found: list[dict[str, Any]], window: PageWindow) -> list[dict[str, Any]]:
        return known.setdefault((window.skip, window.take), found)

    return items


def _text_of_list(item: dict[str, Any]) -> None:
    for name, value in item.items():
        if isinstance(value, list):
            item[name] = ",".join(value)


def _twice(found: list[dict[str, Any]], window: PageWindow) -> list[dict[str, Any]]:
    return [*found[:-1], found[0]] if len(found) > 20 else found


# --- conforming servers ----------------------------------------------------------------------------------------------


_INVALID_TOKEN = Refusal(400, "MSS.00010008", "Invalid token in the header.", with_request_id=False)
SERVICE_REFUSALS = {
    **CONFORMING.refusals,
    "unknown_token": _INVALID_TOKEN,
    "expired_token": _INVALID_TOKEN,
    "foreign_project": replace(_INVALID_TOKEN, code="MSS.00010009", message="urlTenantId is not equal tokenTenantId"),
}
"""Of a server whose service, not its gateway, checks tokens and projects: status 400
(docs/service-notes.md#refused-tokens)."""


def conforming_servers() -> list[Variant]:
    """Return all conforming servers, in which no run may find a breach."""
    from write_variants import conforming

    texts = [
        n
        for n, r in RULES.filters.items()
        if OPERATION.parameters[n].schema.get("type") == "string" and r.op in ("eq", "unstated")
    ]
    texts = [name for name in texts if not OPERATION.parameters[name].is_time]
    limit = RULES.limit
    newest = SandboxSettings(newer=True)
    return [
        Variant("conforming"),
        Variant("conforming, with other data", settings=SandboxSettings(seed=7, jobs=230)),
        Variant("few items", settings=SandboxSettings(jobs=3)),
        Variant("one item", settings=SandboxSettings(jobs=1)),
        Variant("more items than fit into many pages", settings=SandboxSettings(jobs=1100)),
        Variant("newer states, extra fields, nulls", settings=newest),
        Variant("unknown parameters are refused", replace(CONFORMING, check_all=_no_unknown)),
        Variant("an empty time range is refused", replace(CONFORMING, check_all=_no_empty_range)),
        Variant("HEAD is refused", replace(CONFORMING, methods=lambda _: ("GET",))),
        Variant("401 before 405", replace(CONFORMING, methods=lambda _: ("GET",), finish=_authenticate_first)),
        Variant("lax integers", replace(CONFORMING, convert=_lax)),
        Variant("values are trimmed", replace(CONFORMING, convert=lambda s, text: CONFORMING.convert(s, text.strip()))),
        Variant(
            "last repeated key wins",
            replace(CONFORMING, choose=lambda p, t: CONFORMING.choose(p, t if p.is_array and not p.joined else t[-1:])),
        ),
        Variant(
            "first repeated key wins",
            replace(CONFORMING, choose=lambda p, t: CONFORMING.choose(p, t if p.is_array and not p.joined else t[:1])),
        ),
        Variant("404 for a foreign project", replace(CONFORMING, refusals=_foreign_is_404())),
        Variant("authentication failures are 400", replace(CONFORMING, refusals=SERVICE_REFUSALS)),
        Variant("shorter texts", replace(CONFORMING, check=_lengths(texts, 1, 40))),
        Variant("longer texts", replace(CONFORMING, check=_lengths(texts, 0, 4000))),
        Variant("any characters in texts", replace(CONFORMING, check=_lengths(texts, 1, 64))),
        Variant("only plain characters in texts", replace(CONFORMING, check=_plain(texts))),
        Variant("limits above the maximum are clamped", replace(CONFORMING, check=_any_size(limit), window=_clamped)),
        Variant("larger limits are accepted", replace(CONFORMING, check=_any_size(limit))),
        Variant(
            "unlisted sort keys are refused",
            replace(CONFORMING, check=_listed_only(RULES.order.parameter if RULES.order else "")),
        ),
        Variant(
            "unlisted sort keys are accepted",
            replace(CONFORMING, check=_drop_check(RULES.order.parameter if RULES.order else "")),
        ),
        Variant("unlisted states are refused", replace(CONFORMING, check=_listed_only("state"))),
        Variant("states in lower case match nothing", replace(CONFORMING, check=_drop_check("state"))),
        Variant("times without a zone are UTC", replace(CONFORMING, convert=_zoneless)),
        Variant("only UTC times in whole seconds are accepted", replace(CONFORMING, check=_utc_only)),
        Variant("an absent resolution counts as 1080P", _condition("model_resolution", _default_resolution)),
        Variant("names match substrings", _condition("name", _as_op("substring"))),
        Variant("names match in any case", _condition("name", _any_case)),
        Variant("the order without a key is descending", replace(CONFORMING, order=_descending_without_key)),
        Variant(
            "the cover URL changes with each response",
            _edited(lambda item: _text(item, "cover_download_url", lambda v: f"{v}&t={random.random()}")),
        ),
        Variant(
            "response times have fractions",
            _edited(lambda item: _text(item, "last_update_time", lambda v: v[:-1] + ".250Z")),
        ),
        Variant("project IDs are masked", _edited(lambda item: _set(item, "project_id", "***"))),
        Variant("error bodies contain request IDs", replace(CONFORMING, finish=_request_id_in_errors)),
        Variant(
            "another default page length",
            replace(CONFORMING, window=lambda o, n, at: CONFORMING.window(o, 25 if n is None else n, at)),
        ),
        Variant("slow", settings=SandboxSettings(latency=0.05)),
        Variant("items are added during the run", mutate=_add),
        Variant("states change during the run", mutate=_change),
        Variant("items are deleted during the run", mutate=_delete),
        Variant("items are added and deleted during the run", mutate=_add_and_delete),
        Variant("everything changes during the run", mutate=_anything()),
        _counted_before_read(),
        _read_after_selected(),
        Variant("sometimes an HTML error page", replace(CONFORMING, finish=_error_page())),
        Variant(
            "sometimes a server error",
            settings=SandboxSettings(seed=3),
            mutate=None,
            overrides=replace(CONFORMING, items=_every(400, _fail)),
        ),
        *conforming(),
    ]


def _authenticate_first(answer: SandboxResponse, request: SandboxRequest) -> SandboxResponse:
    """Refuse another method without credentials with 401 instead of 405."""
    known = request.header("authorization") or request.header("x-auth-token")
    body = {"error_code": "APIGW.0301", "error_msg": "who are you?"}
    return answer if answer.status != 405 or known else replace(answer, status=401, body=body)


def _error_page() -> Callable[[SandboxResponse, SandboxRequest], SandboxResponse]:
    count = iter(range(1, 10**9))

    def finish(answer: SandboxResponse, _request: SandboxRequest) -> SandboxResponse:
        if next(count) % 300:
            return answer
        return SandboxResponse(500, b"<html>Internal Error</html>", {"Content-Type": "text/html"})

    return finish


def _no_unknown(_listing: Listing, _values: Mapping[str, Any], unknown: Sequence[str]) -> None:
    if unknown:
        raise RefusedError("invalid_parameter", reason="unknown")


def _no_empty_range(_listing: Listing, values: Mapping[str, Any], _unknown: Sequence[str]) -> None:
    low = [parse_instant(values[n]) for n, r in RULES.filters.items() if r.op == "ge" and n in values]
    high = [parse_instant(values[n]) for n, r in RULES.filters.items() if r.op == "le" and n in values]
    if low and high and (low[0] or 0) > (high[0] or 0):
        raise RefusedError("invalid_parameter", reason="since is later than until")


def _lax(schema: Mapping[str, Any], text: str) -> Any:
    if schema.get("type") == "integer":
        try:
            return int(text)
        except ValueError:
            return text
    return CONFORMING.convert(schema, text)


def _foreign_is_404() -> Any:
    refusals = dict(CONFORMING.refusals)
    refusals["foreign_project"] = replace(refusals["foreign_project"], status=404)
    return refusals


Checker = Callable[[Parameter, Any], None]


def _lengths(names: Sequence[str], least: int, most: int) -> Checker:
    def check(parameter: Parameter, value: Any) -> None:
        if parameter.name in names:
            if not least <= len(value) <= most:
                raise RefusedError("invalid_parameter", reason="length")
            return
        CONFORMING.check(parameter, value)

    return check


def _plain(names: Sequence[str]) -> Checker:
    def check(parameter: Parameter, value: Any) -> None:
        if parameter.name in names and not re.fullmatch(r"[\w-]+", value, re.ASCII):
            raise RefusedError("invalid_parameter", reason="characters")
        CONFORMING.check(parameter, value)

    return check


def _any_size(name: str) -> Checker:
    def check(parameter: Parameter, value: Any) -> None:
        if parameter.name != name or not isinstance(value, int) or value < 1:
            CONFORMING.check(parameter, value)

    return check


def _clamped(offset: int | None, limit: int | None, listing: Listing) -> PageWindow:
    return CONFORMING.window(offset, None if limit is None else min(limit, RULES.max_limit or limit), listing)


def _listed_only(name: str) -> Checker:
    def check(parameter: Parameter, value: Any) -> None:
        if parameter.name == name and any(
            each not in parameter.values for each in (value if isinstance(value, list) else [value])
        ):
            raise RefusedError("invalid_parameter", reason="not listed")
        CONFORMING.check(parameter, value)

    return check


def _drop_check(name: str) -> Checker:
    def check(parameter: Parameter, value: Any) -> None:
        if parameter.name != name:
            CONFORMING.check(parameter, value)

    return check


def _zoneless(schema: Mapping[str, Any], text: str) -> Any:
    if schema.get("format") == "date-time" and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text):
        return text + "Z"
    return CONFORMING.convert(schema, text)


def _utc_only(parameter: Parameter, value: Any) -> None:
    CONFORMING.check(parameter, value)
    if parameter.is_time and not re.fullmatch(r"[\d-]{10}T[\d:]{8}Z", value):
        raise RefusedError("invalid_parameter", reason="zone")


def _default_resolution(rule: Filter, column: StoreColumn, values: Sequence[Any]) -> Condition:
    return _or_absent(rule, column, values) if "1080P" in values else _conforming(rule, column, values)


def _descending_without_key(rules: Any, columns: Any, identity: Any, key: Any, direction: Any) -> str:
    return CONFORMING.order(rules, columns, identity, key, direction) if key in rules.keys else "seq DESC"


def _request_id_in_errors(answer: SandboxResponse, _request: SandboxRequest) -> SandboxResponse:
    return _error(answer, request_id="7f" * 16) if answer.status >= 400 and isinstance(answer.body, dict) else answer


IDENTITY = (RULES.identity or "").strip("/")


def _fresh(store: Any, number: int) -> dict[str, Any]:
    """Return an item that is newer than all others."""
    item = deepcopy(store.items()[number % 50])
    item[IDENTITY] = f"{number:032x}"
    item["create_time"] = format_instant((1_900_000_000 + number) * NANO)
    return item  # type: ignore[no-any-return]


def _add(store: Any, number: int) -> None:
    if number % 15 == 0:
        store.add(_fresh(store, number))


def _change(store: Any, number: int) -> None:
    if number % 10 == 0:
        item = store.items()[number % 90]
        states = list(OPERATION.states)
        item["state"] = states[number // 10 % len(states)]
        store.replace(item[IDENTITY], item)


def _delete(store: Any, number: int) -> None:
    if number % 20 == 0 and len(store.items()) > 60:
        store.remove(store.items()[number % 30][IDENTITY])


def _add_and_delete(store: Any, number: int) -> None:
    if number % 12 == 0:
        store.add(_fresh(store, number))
    if number % 12 == 4 and number > 12:
        store.remove(f"{number - 4:032x}")


def _anything() -> Change:
    """With every third request, add, change or delete an item at random, with a fixed seed."""
    dice = random.Random(1)

    def mutate(store: Any, number: int) -> None:
        if number % 3:
            return
        items = store.items()
        kind = dice.choice(("added", "changed", "deleted"))
        item = dice.choice(items)
        if kind == "added" and len(items) < 130:
            store.add(_fresh(store, number))
        elif kind == "deleted" and len(items) > 80:
            store.remove(item[IDENTITY])
        else:
            item["state"] = dice.choice(list(OPERATION.states))
            store.replace(item[IDENTITY], item)

    return mutate


def _counted_before_read() -> Variant:
    """Count the items, then read them; sometimes an item is added in between."""
    in_between = [""]

    def mutate(store: Any, number: int) -> None:
        in_between[0] = ""
        if number % 20 == 15:
            item = _fresh(store, number)
            in_between[0] = item[IDENTITY]
            store.add(item)

    def total(count: int, found: Sequence[Any], window: PageWindow) -> int:
        counted = CONFORMING.total(count, found, window)
        return counted - any(each[IDENTITY] == in_between[0] for each in found)

    settings = SandboxSettings(jobs=60)  # all on one page, where the difference is visible
    return Variant("items are counted before they are read", replace(CONFORMING, total=total), settings, mutate=mutate)


def _read_after_selected() -> Variant:
    """Select items by state, then read them; sometimes a state changes in between."""
    selected, changed = Counter[str](), list[dict[str, Any]]()

    def mutate(store: Any, _number: int) -> None:
        selected["now"] = 0
        for item in changed:
            if any(each[IDENTITY] == item[IDENTITY] for each in store.items()):
                store.replace(item[IDENTITY], item)

    def condition(rule: Filter, column: StoreColumn | None, values: Sequence[Any]) -> Condition | None:
        selected["now"] += rule.property == OPERATION.state_property
        return CONFORMING.condition(rule, column, values)

    def items(found: list[dict[str, Any]], window: PageWindow) -> list[dict[str, Any]]:
        changed.clear()
        if selected["now"] and found:
            selected["ever"] += 1
            if selected["ever"] % 20 == 3:
                item = found[len(found) // 2]
                states = list(OPERATION.states)
                item["state"] = states[(states.index(item["state"]) + 1) % len(states)]
                changed.append(deepcopy(item))
        return CONFORMING.items(found, window)

    return Variant(
        "items are read after they were selected", replace(CONFORMING, condition=condition, items=items), mutate=mutate
    )
