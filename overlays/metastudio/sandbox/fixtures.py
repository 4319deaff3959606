"""The items of a list: those of the contract's example, then made-up ones, the same for the same seed.

Everything follows from the schema of an item and from `x-list`. Made-up items hold every known value, equal times,
texts that contain one another or differ only in case, and lack optional properties now and then, so that every filter
has something to find and something to miss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from openapi_schema_validator import OAS30Validator

from metastudio.contract.compiler import known_values
from metastudio.contract.document import ContractError
from metastudio.contract.json_pointer import join, split
from metastudio.sandbox.listing import Listing, put, values_at

OTHER_ITEMS = 23
"""Items of every project but the main one: enough to show when they leak."""
_START, _SPAN = datetime(2023, 9, 10, tzinfo=UTC), 90 * 24 * 3600
_TEXTS = ("alpha", "alpha 2", "Alpha", "alphabet", "数字人", "数字", "été ☀", "50% + more", "a/b?c=d&e", "x; y")
_FORMATS: Mapping[str, Callable[[Random], str]] = {
    "uri": lambda random: f"https://files.example.com/{_digits(random)}?sign={_digits(random)}",
    "email": lambda random: f"user-{random.randrange(10)}@example.com",
    "uuid": lambda random: "-".join(_digits(random)[:length] for length in (8, 4, 4, 4, 12)),
    "date": lambda random: f"{_START + timedelta(days=random.randrange(90)):%Y-%m-%d}",
}
Make = Callable[[], Any]


def population(
    listing: Listing, projects: Sequence[str], count: int, seed: int, newer: bool
) -> Iterator[dict[str, Any]]:
    """Yield `count` items of the first project, then some of each other one.

    `newer` adds what a server newer than the contract sends. Raises ContractError for a property that nothing can be
    made up for.
    """
    for number, project in enumerate(projects if listing.rules.scope else projects[:1]):
        random = Random(f"{seed}/{number}/{listing.operation.id}")  # noqa: S311 - a dice, no secret
        maker = _Maker(listing, project, random, newer)
        examples = listing.examples[:count] if number == 0 else ()
        yield from (maker.adopt(example) for example in examples)
        yield from (maker.make() for _ in range((OTHER_ITEMS if number else count) - len(examples)))


def frame(listing: Listing) -> dict[str, Any]:
    """Return the answer of the contract's example without its items, or a made-up one where there is no example."""
    if listing.frame is not None:
        return deepcopy(dict(listing.frame))
    made: dict[str, Any] = _Maker(listing, "", Random(0), False).other(listing.body)  # noqa: S311 - as above
    return made


class _Maker:
    """Makes the items of one project. The schema is walked once; what it gives is a function that makes an item."""

    def __init__(self, listing: Listing, project: str, random: Random, newer: bool) -> None:
        self._listing = listing
        self._random = random
        self._newer = newer
        self._scope = {pointer: project for name, pointer in listing.rules.scope.items() if name == "project_id"}
        self._compared = {each.property for each in listing.rules.filters.values()}
        order = listing.rules.order
        self._sort_keys = [*order.keys.values()] if order else []
        self._made, self._time = 0, _START
        self._item = self._maker(listing.item, "")

    def adopt(self, example: Mapping[str, Any]) -> dict[str, Any]:
        """Return an item of the contract's example, as one of this project."""
        item = deepcopy(dict(example))
        for pointer, project in self._scope.items():
            put(item, pointer, project)
        return item

    def other(self, schema: Mapping[str, Any]) -> Any:
        """Return a made-up value that is no item."""
        return self._maker(schema, "#")()

    def make(self) -> dict[str, Any]:
        """Return a made-up item."""
        if self._made % 5:  # so that every fifth item is as old as the one before it
            self._time = _START + timedelta(seconds=self._random.randrange(_SPAN))
        item: dict[str, Any] = self._item()
        if self._newer and not self._made % 7:
            item["added_later"] = True
        self._made += 1
        return item

    def _maker(self, schema: Mapping[str, Any], pointer: str) -> Make:
        """Return what makes a value for a schema; `pointer` is where in an item it goes."""
        if pointer in self._scope:
            return lambda: self._scope[pointer]
        values, closed = known_values(schema)
        if values:
            return self._choice(values, closed)
        for kind in ("anyOf", "oneOf"):
            if kind in schema:
                return self._maker(schema[kind][0], pointer)
        for part in schema.get("allOf", []):
            schema = {**schema, **part, "properties": {**schema.get("properties", {}), **part.get("properties", {})}}
        if "properties" in schema or schema.get("type") == "object":
            return self._object(schema, pointer)
        if schema.get("type") == "array":
            return self._array(schema, pointer)
        if schema.get("type") == "boolean":
            return lambda: self._random.random() < 0.5
        if schema.get("type") in ("integer", "number"):
            return self._number(schema, pointer)
        return self._text(schema, pointer)

    def _choice(self, values: Sequence[Any], closed: bool) -> Make:
        def make() -> Any:
            if self._newer and not closed and self._random.random() < 0.1:
                return f"{self._random.choice(values)}_NEXT"
            return values[self._made] if self._made < len(values) else self._random.choice(values)

        return make

    def _object(self, schema: Mapping[str, Any], pointer: str) -> Make:
        required = schema.get("required", [])
        parts = [
            (name, name in required, bool(each.get("nullable")), self._maker(each, pointer + join([name])))
            for name, each in schema.get("properties", {}).items()
        ]

        def make() -> dict[str, Any]:
            made: dict[str, Any] = {}
            for name, is_required, nullable, value in parts:
                if is_required or self._random.random() < 0.7:
                    made[name] = value()
                elif self._newer and nullable:
                    made[name] = None
            return made

        return make

    def _array(self, schema: Mapping[str, Any], pointer: str) -> Make:
        element = self._maker(schema.get("items", {}), f"{pointer}/*")
        least, most = schema.get("minItems", 0), schema.get("maxItems", max(3, schema.get("minItems", 0)))

        def make() -> list[Any]:
            found: list[Any] = []
            for _ in range(self._random.randint(least, min(most, least + 3))):
                value = element()
                if value not in found or len(found) < least:
                    found.append(value)
            return found

        return make

    def _number(self, schema: Mapping[str, Any], pointer: str) -> Make:
        least = schema.get("minimum", min(0, schema.get("maximum", 0)))
        most = min(schema.get("maximum", least + 20), least + 20)
        if pointer == self._listing.rules.identity:
            return lambda: least + 1 + self._made
        if schema["type"] == "integer":
            return lambda: self._random.randint(int(least), int(most))
        return lambda: round(self._random.uniform(least, most), 2)

    def _text(self, schema: Mapping[str, Any], pointer: str) -> Make:
        if schema.get("format") == "date-time":
            if pointer in self._sort_keys[:1]:
                return lambda: f"{self._time:%Y-%m-%dT%H:%M:%SZ}"
            later = 3 * 24 * 3600
            return lambda: f"{self._time + timedelta(seconds=self._random.randrange(later)):%Y-%m-%dT%H:%M:%SZ}"
        name = (split(pointer) or ["value"])[-1].replace("*", "value").replace("_", "-")
        checked = OAS30Validator(schema)
        if pointer == self._listing.rules.identity:
            return self._unique(name, checked)
        if schema.get("format") in _FORMATS:
            return lambda: _FORMATS[schema["format"]](self._random)
        known = [value for item in self._listing.examples for value in values_at(item, pointer)]
        known += _TEXTS if pointer in self._compared else ()
        known = known or [f"{name}-{number}" for number in range(1, 10)]
        short, long = schema.get("minLength", 0), schema.get("maxLength")
        last = [name, _digits(self._random), "0", "A", "a"]
        fitting = [str(value).ljust(short, "x")[:long] for value in [*known, *last]]
        usable = [value for value in dict.fromkeys(fitting[: len(known)]) if checked.is_valid(value)]
        usable = usable or [value for value in fitting if checked.is_valid(value)][:1]
        if not usable:
            raise ContractError(
                f"the sandbox cannot make up a value for {pointer} of {self._listing.operation.id}: "
                "give the property a value in the example of the answer"
            )
        return lambda: self._random.choice(usable)

    def _unique(self, name: str, checked: Any) -> Make:
        makers: list[Make] = [lambda: _digits(self._random), lambda: f"{name}-{self._made}", lambda: str(self._made)]
        return next((make for make in makers if checked.is_valid(make())), makers[0])


def _digits(random: Random) -> str:
    return f"{random.getrandbits(128):032x}"
