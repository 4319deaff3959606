"""Values are compared as their schema says: decimals and integers in texts, dates, times without a zone, texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from metastudio.tester import Report, Verdict, prove
from metastudio.tester.values import parse_instant, value_type
from metastudio.tester.verdicts import describe

SPEC = """
openapi: 3.0.3
info: {title: Goods, version: 1.0.0}
paths:
  /v1/{project_id}/goods:
    parameters: [{name: project_id, in: path, required: true, schema: {type: string}}]
    get:
      operationId: list_goods
      tags: [goods]
      parameters:
        - {name: offset, in: query, schema: {type: integer, minimum: 0}}
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 50}}
        - {name: sort, in: query, schema: {type: string, enum: [price, size, day, label, at]}}
        - {name: dir, in: query, schema: {type: string, enum: [asc, desc]}}
        - {name: price, in: query, schema: {type: string, format: decimal}}
        - {name: min_price, in: query, schema: {type: string, format: decimal}}
        - {name: max_size, in: query, schema: {type: integer}}
        - {name: until, in: query, schema: {type: string, format: date}}
        - {name: after_label, in: query, schema: {type: string}}
      responses:
        '200': {description: A page., content: {application/json: {schema: {$ref: '#/components/schemas/Page'}}}}
        '400': {description: Wrong., content: {application/json: {schema: {type: object}}}}
      x-list:
        items: /goods
        total: /total
        identity: /id
        page: {style: offset, offset: offset, limit: limit}
        order:
          key: {parameter: sort, values: {price: /price, size: /size, day: /day, label: /label, at: /at}}
          direction: {parameter: dir, asc: asc, desc: desc, default: asc}
          without_key: unstated
        filters:
          price: {property: /price, op: eq}
          min_price: {property: /price, op: ge}
          max_size: {property: /size, op: le}
          until: {property: /day, op: le}
          after_label: {property: /label, op: gt}
components:
  schemas:
    Page:
      type: object
      required: [total, goods]
      properties:
        total: {type: integer}
        goods: {type: array, items: {$ref: '#/components/schemas/Good'}}
    Good:
      type: object
      required: [id, price, size, day, label, at]
      properties:
        id: {type: integer}
        price: {type: string, format: decimal}
        size: {type: string, format: int64}
        day: {type: string, format: date}
        label: {type: string}
        at: {type: string, format: date-time, x-time-zone: '+08:00'}
"""
LABELS = ("apple", "Banana", "cherry", "Date", "elder")
GOODS: list[dict[str, Any]] = [
    {
        "id": number,
        "price": str(Decimal(number * 37 % 211) / 20),
        "size": str(number * 7 % 120),
        "day": date.fromordinal(738_000 + number * 5 % 90).isoformat(),
        "label": LABELS[number % 5],
        "at": f"2024-01-{number % 28 + 1:02}T{number % 24:02}:00:00" + ("Z" if number % 3 == 0 else ""),
    }
    for number in range(40)
]
CONVERTED: dict[str, Callable[[str], Any]] = {
    "price": Decimal,
    "size": int,
    "day": date.fromisoformat,
    "label": str.casefold,
    "at": lambda text: parse_instant(text, "+08:00"),
}


class GoodsApp:
    """A conforming server of `SPEC`; `converted` makes values comparable."""

    def __init__(self, **converted: Callable[[str], Any]) -> None:
        self.converted = {**CONVERTED, **converted}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        try:
            status, body = 200, self.respond(dict(parse_qsl(scope["query_string"].decode())))
        except (ValueError, ArithmeticError, KeyError):
            status, body = 400, {}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    def respond(self, query: dict[str, str]) -> Any:
        offset, limit = int(query.get("offset", "0")), int(query.get("limit", "10"))
        if offset < 0 or not 1 <= limit <= 50 or query.get("dir", "asc") not in ("asc", "desc"):
            raise ValueError
        tests: list[tuple[str, Callable[[Any, Any], bool], Any]] = []
        filters: tuple[tuple[str, str, Callable[[Any, Any], bool]], ...] = (
            ("price", "price", lambda have, wanted: have == wanted),
            ("min_price", "price", lambda have, wanted: have >= wanted),
            ("max_size", "size", lambda have, wanted: have <= wanted),
            ("until", "day", lambda have, wanted: have <= wanted),
            ("after_label", "label", lambda have, wanted: have > wanted),
        )
        for name, key, holds in filters:
            if name in query:
                tests.append((key, holds, self.converted[key](query[name])))
        found = [
            item for item in GOODS if all(holds(self.converted[key](item[key]), wanted) for key, holds, wanted in tests)
        ]
        if "sort" in query:
            convert = self.converted[query["sort"]]
            found.sort(key=lambda item: (convert(item[query["sort"]]), item["id"]), reverse=query.get("dir") == "desc")
        return {"total": len(found), "goods": found[offset : offset + limit]}


def proven(folder: Path, app: GoodsApp, spec: str = SPEC, only: tuple[str, ...] = ("meaning",)) -> Report:
    file = folder / "goods.yaml"
    file.write_text(spec, encoding="utf-8")
    report = prove(app, spec=file, project_id="p1", only=only, max_examples=1)
    assert report.failure is None, report.failure
    return report


def test_conforming_server_is_not_blamed(tmp_path: Path) -> None:
    report = proven(tmp_path, GoodsApp(), only=("meaning", "shapes"))
    assert not [describe(each) for each in report.breaches]
    for name in ("filter.price", "filter.min_price", "filter.max_size", "filter.until", "order.at.ascending"):
        assert report[f"meaning/{name}"].verdict is Verdict.PASS, name


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("price", {"filter.min_price", "order.price.ascending"}),
        ("size", {"filter.max_size", "order.size.ascending"}),
    ],
)
def test_comparing_numbers_as_texts_is_found(key: str, names: set[str], tmp_path: Path) -> None:
    report = proven(tmp_path, GoodsApp(**{key: str}), only=("filter.*", "order.*.ascending"))
    assert names <= {each.property.id for each in report.breaches}


def test_order_of_texts_is_stated_by_a_collation_only(tmp_path: Path) -> None:
    only = ("order.label.ascending", "filter.after_label")
    report = proven(tmp_path, GoodsApp(), only=only)
    assert report["meaning/order.label.ascending"].verdict is Verdict.NOT_STATED
    assert "case-insensitive: as ordered" in report["meaning/order.label.ascending"].observations
    assert report["meaning/filter.after_label"].verdict is Verdict.NOT_STATED
    assert not report.breaches
    stated = SPEC.replace("label: {type: string}", "label: {type: string, x-collation: codepoint}")
    assert stated != SPEC
    broken = proven(tmp_path, GoodsApp(), stated, only)
    assert {"order.label.ascending", "filter.after_label"} <= {each.property.id for each in broken.breaches}


def test_time_without_a_zone_is_in_the_stated_zone(tmp_path: Path) -> None:
    in_utc = GoodsApp(at=lambda text: parse_instant(text, "Z"))
    report = proven(tmp_path, in_utc, only=("order.at.*",))
    assert report["meaning/order.at.ascending"].verdict is Verdict.BREACH
    unstated = SPEC.replace(", x-time-zone: '+08:00'", "")
    assert not proven(tmp_path, in_utc, unstated, ("order.at.*",)).breaches


def test_times_without_any_zone_are_not_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for item in GOODS:
        monkeypatch.setitem(item, "at", item["at"].removesuffix("Z"))
    report = proven(tmp_path, GoodsApp(), SPEC.replace(", x-time-zone: '+08:00'", ""), ("order.at.*",))
    assert report["meaning/order.at.ascending"].verdict is Verdict.NOT_STATED


@pytest.mark.parametrize(
    ("schema", "texts"),
    [
        ({"type": "string", "format": "decimal"}, ["1.49", "1.50", "1.51"]),
        ({"type": "string", "format": "date"}, ["2024-02-28", "2024-02-29", "2024-03-01"]),
        ({"type": "string", "format": "date"}, ["9999-12-30", "9999-12-31"]),
        ({"type": "integer"}, ["-1", "0", "1"]),
        ({"type": "string", "format": "date-time"}, ["2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z"]),
    ],
)
def test_neighbours_of_a_value(schema: dict[str, Any], texts: list[str]) -> None:
    assert set(texts) <= set(value_type(schema).neighbours(value_type(schema).comparable(texts[1])))


@pytest.mark.parametrize("value", ["1e999999999", "NaN", "x", "9" * 100, True, None, {"a": 1}, [1]])
def test_value_of_another_type_is_not_comparable(value: object) -> None:
    for schema in ({"type": "number"}, {"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}):
        assert value_type(schema).comparable(value) is None
