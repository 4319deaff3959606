"""The items of a list: those of the contract's example, then generated ones, reproducible by seed.

Items are generated from the item's schema and `x-list`. They include every listed value, equal times, texts that
contain each other or differ only in case, and missing optional properties, so that every filter matches some items and
excludes others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from openapi_schema_validator import OAS30Validator

from metastudio.contract.compiler import known_values
from metastudio.contract.document import ContractError
from metastudio.contract.instants import NANO, parse_instant
from metastudio.contract.json_pointer import join, set_at, split, values_at
from metastudio.contract.operation import EPOCHS
from metastudio.sandbox.listing import PROJECT, Listing, is_time, object_properties
from metastudio.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from metastudio.sandbox.store import Store

OTHER_ITEMS = 23
"""Number of items of each project but the main one, so that a leak between projects is visible."""
SHARE = 0.3
"""Share of the moving tasks that move in each step of `advance`."""
_START, _SPAN_SECONDS = datetime(2023, 9, 10, tzinfo=UTC), 90 * 24 * 3600
_TEXTS = ("alpha", "alpha 2", "Alpha", "alphabet", "数字人", "数字", "été ☀", "50% + more", "a/b?c=d&e", "x; y")
_FORMATS: Mapping[str, Callable[[Random], str]] = {
    "uri": lambda random: f"https://files.example.com/{_digits(random)}?sign={_digits(random)}",
    "email": lambda random: f"user-{random.randrange(10)}@example.com",
    "uuid": lambda random: "-".join(_digits(random)[:length] for length in (8, 4, 4, 4, 12)),
    "date": lambda random: f"{_START + timedelta(days=random.randrange(90)):%Y-%m-%d}",
}
Generate = Callable[[], Any]


def generate_items(listing: Listing, settings: SandboxSettings) -> list[dict[str, Any]]:
    """Return the first items of a list: as many as the settings say in the main project, some in each other one.

    Raises:
        ContractError: No value can be generated for a property.
    """
    items: list[dict[str, Any]] = []
    for number, account in enumerate(settings.accounts if listing.rules.scope else settings.accounts[:1]):
        random = Random(f"{settings.seed}/{number}/{listing.operation.id}")  # noqa: S311 - not used for secrets
        scope = {pointer: account.project_id for name, pointer in listing.rules.scope.items() if name == PROJECT}
        generator = ItemGenerator(listing, random, scope=scope, newer=settings.newer)
        count = OTHER_ITEMS if number else settings.jobs
        examples = [] if number else [deepcopy(each) for each in listing.examples[:count]]
        for item in examples:
            for pointer, value in scope.items():
                set_at(item, pointer, value)
        items += examples + [generator.item() for _ in range(count - len(examples))]
    return _recent(items, listing, settings.now()) if settings.recent else items


class ItemGenerator:
    """Generates items of a list. The schema is compiled once into a function that generates an item.

    Args:
        listing: The list operation; None for values that are not items.
        random: The source of all values.
        scope: Values that all items have, by JSON pointer.
        newer: Add unlisted values, unknown properties and nulls.
        sparse: Leave out optional properties.
        count: Number of items generated before.
    """

    def __init__(
        self,
        listing: Listing | None,
        random: Random,
        *,
        scope: Mapping[str, Any] | None = None,
        newer: bool = False,
        sparse: bool = False,
        count: int = 0,
    ) -> None:
        self._listing, self._random, self._scope = listing, random, scope or {}
        self._newer, self._sparse, self._count, self._time = newer, sparse, count, _START
        self._known: Mapping[str, Sequence[Any]] = {}
        if listing:
            self._known = {listing.rules.scope[name]: each for name, each in listing.scope_values.items() if each}
            self._item = self._compile(listing.item_schema, "")

    def value(self, schema: Mapping[str, Any]) -> Any:
        """Return a generated value of another schema."""
        return self._compile(schema, "#")()

    def item(self) -> dict[str, Any]:
        """Return a generated item."""
        if self._count % 5:  # every fifth item has the time of the one before it
            self._time = _START + timedelta(seconds=self._random.randrange(_SPAN_SECONDS))
        item: dict[str, Any] = self._item()
        if self._newer and not self._count % 7:
            item["added_later"] = True
        self._count += 1
        return item

    def _compile(self, schema: Mapping[str, Any], pointer: str) -> Generate:
        """Return a function that generates values of a schema; `pointer` is their place in the item."""
        random, kind = self._random, schema.get("type")
        if pointer in self._scope:
            return lambda: self._scope[pointer]
        values, closed = (self._known[pointer], True) if pointer in self._known else known_values(schema)
        if values:
            return lambda: self._choice(values, closed)
        if branches := schema.get("anyOf") or schema.get("oneOf"):
            return self._compile(branches[0], pointer)
        if "allOf" in schema or "properties" in schema or kind == "object":
            return self._object(schema, pointer)
        if kind == "array":
            element, least = self._compile(schema.get("items", {}), f"{pointer}/*"), schema.get("minItems", 0)
            most = min(schema.get("maxItems", max(3, least)), least + 3)
            return lambda: self._array(element, least, most)
        if kind == "boolean":
            return lambda: random.random() < 0.5
        if schema.get("format") in ("date-time", *EPOCHS):
            order, later = self._listing.rules.order if self._listing else None, 3 * 24 * 3600
            if order and pointer in [*order.keys.values()][:1]:
                return lambda: stamp(self._time, schema)
            return lambda: stamp(self._time + timedelta(seconds=random.randrange(later)), schema)
        if kind not in ("integer", "number"):
            return self._text(schema, pointer)
        low = schema.get("minimum", min(0, schema.get("maximum", 0)))
        high = min(schema.get("maximum", low + 20), low + 20)
        if self._listing and pointer == self._listing.rules.identity:
            return lambda: low + 1 + self._count
        return lambda: random.randint(int(low), int(high)) if kind == "integer" else round(random.uniform(low, high), 2)

    def _choice(self, values: Sequence[Any], closed: bool) -> Any:
        if self._newer and not closed and self._random.random() < 0.1:
            return f"{self._random.choice(values)}_NEXT"
        return values[self._count] if self._count < len(values) else self._random.choice(values)

    def _object(self, schema: Mapping[str, Any], pointer: str) -> Generate:
        required = {name for each in [schema, *schema.get("allOf", [])] for name in each.get("required", [])}
        properties = [
            (name, name in required, bool(each.get("nullable")), self._compile(each, pointer + join([name])))
            for name, each in object_properties(schema).items()
        ]

        def generate() -> dict[str, Any]:
            generated: dict[str, Any] = {}
            for name, is_required, nullable, value in properties:
                if is_required or (not self._sparse and self._random.random() < 0.7):
                    generated[name] = value()
                elif self._newer and nullable:
                    generated[name] = None
            return generated

        return generate

    def _array(self, element: Generate, least: int, most: int) -> list[Any]:
        elements: list[Any] = []
        for _ in range(self._random.randint(least, most)):
            value = element()
            if value not in elements or len(elements) < least:
                elements.append(value)
        return elements

    def _text(self, schema: Mapping[str, Any], pointer: str) -> Generate:
        random, listing, validator = self._random, self._listing, OAS30Validator(schema)
        name = (split(pointer) or ["value"])[-1].replace("*", "value").replace("_", "-")
        if listing and pointer == listing.rules.identity:
            unique: list[Generate] = [
                lambda: _digits(random),
                lambda: f"{name}-{self._count}",
                lambda: str(self._count),
            ]
            return next((each for each in unique if validator.is_valid(each())), unique[0])
        if schema.get("format") in _FORMATS:
            return lambda: _FORMATS[schema["format"]](random)
        known: list[Any] = []
        if listing:
            known = [value for item in listing.examples for value in values_at(item, pointer)]
            known += _TEXTS if any(each.property == pointer for each in listing.rules.filters.values()) else ()
        known = known or [f"{name}-{number}" for number in range(1, 10)]
        short, long = schema.get("minLength", 0), schema.get("maxLength")
        fitting = [str(value).ljust(short, "x")[:long] for value in [*known, name, _digits(random), "0", "A", "a"]]
        valid = [value for value in dict.fromkeys(fitting) if validator.is_valid(value)]
        usable = [value for value in valid if value in fitting[: len(known)]] or valid[:1]
        if not usable:
            raise ContractError(
                f"the sandbox cannot generate a value for {pointer} ({schema.get('pattern', 'its schema')}): "
                "give the property a value in the example response"
            )
        return lambda: random.choice(usable)


def _recent(items: list[dict[str, Any]], listing: Listing, now: float) -> list[dict[str, Any]]:
    """Move all times by whole days, so that the newest are of the last 24 hours."""
    schemas = {name: each for name, each in listing.listed.items() if is_time(each)}
    times = [(item, name, _parse(item[name])) for item in items for name in schemas if item.get(name) is not None]
    if times:
        days = (datetime.fromtimestamp(now, UTC) - max(time for *_, time in times)) // timedelta(days=1)
        for item, name, time in times:
            item[name] = stamp(time + timedelta(days=days), schemas[name])
    return items


def advance(store: Store, random: Random) -> None:
    """Move some of the tasks in a store by one state: to the next one in which a task goes on or succeeds."""
    states, pointer = store.listing.operation.states, store.listing.operation.state_property
    going = [name for name, each in states.items() if not each.at_rest and each.phase != "failed"]
    goals = [name for name, each in states.items() if name in going or each.ended == "success"]
    order = list(states)
    for position, item in store.positions() if pointer else ():
        for state in values_at(item, pointer or ""):
            moves = state in states and not states[state].at_rest
            later = [each for each in goals if order.index(each) > order.index(state)] if moves else []
            if later and random.random() < SHARE:
                set_at(item, pointer or "", later[0])
                store.put(position, item)


def stamp(time: datetime, schema: Mapping[str, Any]) -> str | int:
    """Return a time as a schema has it: in RFC 3339, or in seconds or milliseconds since 1970."""
    if schema.get("format") in EPOCHS:
        return int(time.timestamp()) * EPOCHS[schema["format"]]
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _parse(time: str | int) -> datetime:
    seconds = (parse_instant(time) or 0) // NANO if isinstance(time, str) else time / 1000 if time > 1e11 else time
    return datetime.fromtimestamp(seconds, UTC)


def _digits(random: Random) -> str:
    return f"{random.getrandbits(128):032x}"
