"""Mistakes in `x-list`: each is an error with line and column. What only the tester understands is not generated."""

from __future__ import annotations

from pathlib import Path

import pytest
from dialects import CONTRACTS, DIALECTS
from generator_limits import check_generator
from metastudio.contract import ContractError, check, compile_contract, load
from metastudio.sandbox import SandboxApp, SandboxSettings

# the contract, what to replace, by what, what the message must say
# ruff: noqa: E501 (a case is a row)
# fmt: off
BROKEN = {
    "unknown style": ("drf", "style: page,", "style: pages,", "style is offset, page, cursor or link"),
    "key of another style": ("drf", "end: refused}", "cursor: page}", "a page of style page has number, size"),
    "page without a size": ("drf", "size: page_size, ", "", "'size' is a required property"),
    "cursor that no response has": ("cursor", "next: /next_cursor", "next: /next", "the response has no property /next"),
    "link that no response has": ("json-api", "next: /links/next", "next: /links/following", "the response has no property /links/following"),
    "total that no response has": ("drf", "total: /count", "total: /number", "the response has no property /number"),
    "total in two places": ("json-server", "{header: X-Total-Count,", "{header: X-Total-Count, property: /total,", "total is a JSON pointer, or"),
    "direction and key in one parameter": ("fastapi", "direction: {parameter: descending", "direction: {parameter: order_by", "order_by is already order/key/parameter on line"),
    "filter that pages": ("fastapi", "          q: {property", "          skip: {property", "skip is already page/offset on line"),
    "directions that are the same": ("drf", "asc: '', desc: '-'}", "asc: '-', desc: '-'}", "asc and desc are both '-'"),
    "direction in a parameter and in the key": ("drf", "{as: prefix,", "{as: prefix, parameter: status,", "either parameter, or as: prefix or suffix of the key"),
    "several keys with one direction": ("fastapi", "          nulls: last\n", "          nulls: last\n          several: ','\n", "several keys need their directions in the keys"),
    "ties by an unknown property": ("fastapi", "ties: {property: /id}", "ties: {property: /key}", "/key is no property of an item"),
    "nulls nowhere": ("drf", "nulls: low", "nulls: top", "nulls is first, last, low or high"),
    "reading that is no text op": ("cursor", "op: [eq, substring, prefix]", "op: [eq, ge]", "or a list of those that a server may choose from"),
    "filter that excludes itself": ("cursor", "excludes: [author_prefix]", "excludes: [author]", "author excludes itself"),
    "filter that excludes an unknown one": ("cursor", "excludes: [author_prefix]", "excludes: [writer]", "writer is no parameter of this operation"),
    "constant of an unknown parameter": ("cursor", "constants: {version:", "constants: {versions:", "versions is no parameter of this operation; did you mean version?"),
    "constant without a value": ("cursor", "constants: {version: 2026-01}", "constants: {version: []}", "is not of type"),
    "policy for an unknown parameter": ("drf", "invalid: {page_size: clamp", "invalid: {pagesize: clamp", "pagesize is no parameter of this operation"),
    "unknown policy": ("drf", "invalid: {page_size: clamp", "invalid: {page_size: cut", "invalid is refuse, ignore, clamp or unstated"),
    "total that an unknown parameter asks for": ("cursor", "when: {include_total: true}", "when: {count: true}", "count is no parameter of this operation"),
}
# fmt: on


@pytest.mark.parametrize("case", BROKEN)
def test_each_mistake_is_named_with_its_place(tmp_path: Path, case: str) -> None:
    name, old, new, message = BROKEN[case]
    text = (CONTRACTS / f"{name}.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = tmp_path / "openapi.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ContractError) as caught:
        check(load(path))
    assert message in str(caught.value)
    line = int(str(caught.value).split(":")[1])
    assert abs(line - (text[: text.index(old)].count("\n") + 1)) <= 1


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda each: each.name)
def test_generator_and_sandbox_refuse_what_only_the_tester_understands(dialect: type) -> None:
    spec = CONTRACTS / f"{dialect.name}.yaml"  # type: ignore[attr-defined]
    document = load(spec)
    check(document)
    for refuse in (lambda: check_generator(document), lambda: SandboxApp(SandboxSettings(spec=spec))):
        with pytest.raises(ContractError, match=rf"{spec.name}:\d+:\d+: only the contract tester understands this"):
            refuse()


def test_repr_has_only_what_differs_from_the_defaults() -> None:
    rules = compile_contract(load(CONTRACTS / "cursor.yaml")).operations["list_articles"].list_rules
    assert rules is not None
    assert "several='all'" in repr(rules.filters["tags"])
    assert "wildcards" not in repr(rules)
