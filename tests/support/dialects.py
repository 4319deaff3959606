"""Small servers that follow the documented behaviour of seven frameworks, with the contracts of docs/your-api.

A server filters, orders and cuts a list of articles; a dialect says how a framework spells that. A `DialectChange`
replaces a part, for faulty servers and for conforming ones that differ where the contract allows it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cmp_to_key
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

CONTRACTS = Path(__file__).parents[2] / "docs" / "your-api"
STATUSES = ("draft", "review", "published")
TITLES = ("alpha", "Alpha", "alphabet", "beta", "beta_one", "betaXone", "100%", "100 percent", "gamma", "xalphax")
TAGS: Sequence[list[str]] = (["art"], ["art", "artist"], ["artist", "news"], [], ["News"], ["art", "artist", "news"])
Article = dict[str, Any]
Query = dict[str, list[str]]
Test = Callable[[Any, list[str]], bool]


def articles(count: int) -> list[Article]:
    """Return articles whose properties repeat in different rhythms."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        {
            "id": n + 1,
            "title": TITLES[n % 10] + (f" {n // 10}" if n % 4 == 1 else ""),
            "created": (start + timedelta(hours=n * 7919 % 97)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "words": None if n % 7 == 3 else n * 37 % 23,
            "status": STATUSES[n * 5 % 3],
            "tags": TAGS[n % 6],
            "author": None if n % 5 == 0 else ("ann", "Bob", "bob", "cy")[n % 4],
        }
        for n in sorted(range(count), key=lambda n: n * 31 % 53)
    ]


class RefusedQueryError(Exception):
    """The server refuses a request with this status."""

    def __init__(self, status: int = 400) -> None:
        super().__init__(status)
        self.status = status


def integer(text: str, least: int | None = None) -> int:
    """Return a text as a number, or refuse it."""
    if not re.fullmatch(r"-?\d{1,400}", text, re.ASCII) or (least is not None and int(text) < least):
        raise RefusedQueryError
    return int(text)


def moment(text: str) -> datetime:
    """Return a text as a time, or refuse it."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise RefusedQueryError from None
    if found.tzinfo is None:
        raise RefusedQueryError
    return found


def _compared(have: Any, text: str) -> tuple[Any, Any]:
    """Return a value and a filter value in comparable form."""
    if isinstance(have, str) and re.match(r"\d{4}-\d\d-\d\dT", have):
        return moment(have), moment(text)
    return (have, integer(text)) if isinstance(have, int) else (have, text)


def _each(test: Callable[[Any, Any], bool]) -> Test:
    """Return a test of a property, or of an element of it, against any of the values."""

    def matches(have: Any, texts: list[str]) -> bool:
        values = have if isinstance(have, list) else [have]
        return any(test(*_compared(value, text)) for value in values if value is not None for text in texts)

    return matches


def _text(test: Callable[[str, str], bool], fold: Callable[[str], str] = str) -> Test:
    return _each(lambda have, text: test(fold(str(have)), fold(str(text))))


def _like(pattern: str) -> str:
    return "".join({"%": ".*", "_": "."}.get(each, re.escape(each)) for each in pattern)


def _is_true(texts: list[str]) -> bool:
    if texts[0] not in ("true", "false"):
        raise RefusedQueryError
    return texts[0] == "true"


_READ: Mapping[str, Callable[[str], Any]] = {"words": integer, "id": integer, "created": moment}
TESTS: Mapping[str, Test] = {
    "eq": _each(lambda have, text: have == text),
    "ne": lambda have, texts: have is not None and not TESTS["eq"](have, texts),
    "ge": _each(lambda have, text: have >= text),
    "gt": _each(lambda have, text: have > text),
    "le": _each(lambda have, text: have <= text),
    "lt": _each(lambda have, text: have < text),
    "eq folded": _text(lambda have, text: have == text, str.lower),
    "substring": _text(lambda have, text: text in have),
    "substring folded": _text(lambda have, text: text in have, str.lower),
    "prefix": _text(str.startswith),
    "prefix folded": _text(str.startswith, str.lower),
    "suffix": _text(str.endswith),
    "substring, wildcards work": _text(lambda have, text: re.search(_like(text), have, re.I | re.DOTALL) is not None),
    "prefix, wildcards work": _text(lambda have, text: re.match(_like(text), have, re.I | re.DOTALL) is not None),
    "eq for long values, else substring": _text(lambda have, text: have == text if len(text) > 4 else text in have),
    "like": _text(lambda have, text: re.fullmatch(_like(text), have, re.DOTALL) is not None),
    "like folded": _text(lambda have, text: re.fullmatch(_like(text), have, re.DOTALL) is not None, str.lower),
    "all": lambda have, texts: all(TESTS["eq"](have, [text]) for text in texts),
    "first of several": lambda have, texts: TESTS["eq"](have, texts[:1]),
    "last of several": lambda have, texts: TESTS["eq"](have, texts[-1:]),
    "nothing of several": lambda have, texts: len(texts) == 1 and TESTS["eq"](have, texts),
    "between": lambda have, texts: have is not None and integer(texts[0]) <= have <= integer(texts[1]),
    "between, upper bound exclusive": lambda have, texts: have is not None and int(texts[0]) <= have < int(texts[1]),
    "between, lower bound exclusive": lambda have, texts: have is not None and int(texts[0]) < have <= int(texts[1]),
    "exists": lambda have, texts: (have is not None) is _is_true(texts),
    "absent": lambda have, texts: (have is None) is _is_true(texts),
}
"""Tests of a property against the values of a filter, by name."""


@dataclass(frozen=True)
class Window:
    """A page: the positions from `start` to `stop` of a list of `total` items."""

    start: int
    stop: int
    total: int


@dataclass(frozen=True)
class DialectChange:
    """The parts of a server that a test replaces.

    Args:
        query: changes the query before it is read.
        filters: replaces tests of filters, by parameter: the name of the test, or a function.
        found: changes the items that match.
        key: changes the sort keys, each a property and whether it is descending.
        order: changes the items in their order.
        window: changes the window.
        page: changes the items of a page.
        total: changes the total.
        following: changes the cursor or link of the next page.
        answer: changes status, headers and body.
        settings: replaces attributes of the server, such as `largest`.
    """

    query: Callable[[Query], Query] = lambda query: query
    filters: Mapping[str, str | Test] = field(default_factory=dict[str, Any])
    found: Callable[[list[Article], Query], list[Article]] = lambda found, query: found
    key: Callable[[list[tuple[str, bool]]], list[tuple[str, bool]]] = lambda keys: keys
    order: Callable[[list[Article]], list[Article]] = lambda found: found
    window: Callable[[Window], Window] = lambda window: window
    page: Callable[[list[Article]], list[Article]] = lambda page: page
    total: Callable[[int, list[Article], Window], int] = lambda total, page, window: total
    following: Callable[[str | None, Window], str | None] = lambda following, window: following
    answer: Callable[[int, dict[str, str], Any], tuple[int, dict[str, str], Any]] = lambda *answer: answer
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Dialect:
    """An ASGI application that lists articles. Subclasses spell the parameters and the answer of a framework."""

    name = ""
    filters: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """The property and the test of each filter."""
    joined: Sequence[str] = ()
    """Filters whose values are joined by a comma."""
    ignored: Sequence[str] = ()
    """Filters whose invalid values are ignored."""
    limit, offset, largest, default = "limit", "offset", 20, 10
    nulls = "last"
    ranked = False
    ties: bool | None = None
    """Whether the identity orders equal items; None in the direction of the key."""
    refusal = 400
    after_the_end = "empty"

    def __init__(self, items: Sequence[Article], fault: DialectChange | None = None) -> None:
        self.items = list(items)
        self.fault = fault or DialectChange()
        for name, value in self.fault.settings.items():
            setattr(self, name, value)

    @property
    def spec(self) -> Path:
        """The contract."""
        return CONTRACTS / f"{self.name}.yaml"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            raise NotImplementedError
        pairs = parse_qsl(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True)
        query = Query()
        for name, value in pairs:
            query.setdefault(name, []).append(value)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        try:
            status, more, body = self.answer(self.fault.query(query), headers)
            if scope["method"] != "GET":
                raise RefusedQueryError(405)
        except RefusedQueryError as error:
            status, more, body = (self.refusal if error.status == 400 else error.status), {}, {"message": "refused"}
        status, more, body = self.fault.answer(status, more, body)
        fields = [(b"content-type", b"application/json")]
        fields += [(name.lower().encode(), value.encode()) for name, value in more.items()]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    def answer(self, query: Query, headers: Mapping[str, str]) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and body for a query."""
        wanted = self.wanted(query)
        found = [each for each in self.items if all(test(each[name], texts) for name, test, texts in wanted)]
        found = self.fault.found(found, query)
        keys = self.fault.key(self.keys(query))
        found = self.fault.order(self.ordered(found, keys))
        start, size = self.start_and_size(query)
        if start and start >= len(found) and self.after_the_end == "refused":
            raise RefusedQueryError(404)
        window = self.fault.window(Window(start, min(start + size, len(found)), len(found)))
        page = self.fault.page(found[max(0, window.start) : window.stop])
        total = self.fault.total(window.total, page, window)
        following = self.following(query, window) if window.stop < window.total else None
        return self.response(page, total, window, self.fault.following(following, window), headers, query)

    # what a framework spells differently

    def wanted(self, query: Query) -> list[tuple[str, Test, list[str]]]:
        """Return the filters of a query: property, test and values. Refuse invalid values."""
        found = list[tuple[str, Test, list[str]]]()
        for name, (property_, default) in self.filters.items():
            if name in query:
                test, texts = self.fault.filters.get(name, default), self.values(name, query[name])
                if default in ("exists", "absent"):
                    if name in self.ignored and texts[0] not in ("true", "false"):
                        continue
                    _is_true(texts)
                elif property_ in _READ:
                    for text in texts:
                        _READ[property_](text)
                found.append((property_, TESTS[test] if isinstance(test, str) else test, texts))
        return found

    def values(self, name: str, texts: list[str]) -> list[str]:
        """Return the values of a filter."""
        if name in ("status", "filter[status]"):
            known = [each for text in texts for each in (text.split(",") if name in self.joined else [text])]
            if not set(known) <= set(STATUSES):
                raise RefusedQueryError
            return known
        return texts[0].split(",") if name in self.joined else texts[-1:]

    def keys(self, query: Query) -> list[tuple[str, bool]]:
        """Return the sort keys: property, and whether it is descending."""
        found = [(text.lstrip("-"), text.startswith("-")) for text in self.sort_texts(query)]
        if any(name not in self.sortable for name, _ in found):
            raise RefusedQueryError
        return found

    sort = "sort"
    sortable: tuple[str, ...] = ("created", "words")

    def sort_texts(self, query: Query) -> list[str]:
        """Return the words of the sort parameter."""
        return [each for text in query.get(self.sort, [])[-1:] for each in text.split(",")]

    def start_and_size(self, query: Query) -> tuple[int, int]:
        """Return the position of the page and its length."""
        return integer(query.get(self.offset, ["0"])[-1], 0), self.size(query)

    def size(self, query: Query) -> int:
        """Return the length of the page."""
        size = integer(query.get(self.limit, [str(self.default)])[-1], 1)
        if size > self.largest:
            raise RefusedQueryError
        return size

    def following(self, query: Query, window: Window) -> str | None:
        """Return the cursor or link of the next page."""
        return str(window.stop)

    def response(
        self,
        page: list[Article],
        total: int,
        window: Window,
        following: str | None,
        headers: Mapping[str, str],
        query: Query,
    ) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and body of a page."""
        raise NotImplementedError

    def ordered(self, found: list[Article], keys: list[tuple[str, bool]]) -> list[Article]:
        """Return the articles in order."""

        def compare(left: Article, right: Article) -> int:
            for name, descending in keys:
                sign = self.compare(name, left[name], right[name], descending)
                if sign:
                    return sign
            tie = self.ties if self.ties is not None else (keys[0][1] if keys else False)
            sign = int(left["id"] > right["id"]) - int(left["id"] < right["id"])
            return -sign if tie else sign

        return sorted(found, key=cmp_to_key(compare))

    def compare(self, name: str, left: Any, right: Any, descending: bool) -> int:
        """Compare two values of a property."""
        if left is None or right is None:
            low = {"first": True, "last": False, "low": not descending, "high": descending}[self.nulls]
            sign = int(right is None) - int(left is None)
            return sign if low else -sign
        if self.ranked and name == "status":
            left, right = STATUSES.index(left), STATUSES.index(right)
        sign = int(left > right) - int(left < right)
        return -sign if descending else sign


class Drf(Dialect):
    """Django REST framework: page numbers, `ordering` with a sign, filters with lookups."""

    name = "drf"
    filters: ClassVar = {
        "status": ("status", "eq"), "words__gte": ("words", "ge"), "words__lt": ("words", "lt"),
        "title__iexact": ("title", "eq folded"), "title__icontains": ("title", "substring folded"),
        "title__startswith": ("title", "prefix"), "author__isnull": ("author", "absent"), "id__in": ("id", "eq"),
        "created__gte": ("created", "ge"),
    }  # fmt: skip
    joined, nulls, after_the_end, limit = ("id__in",), "low", "refused", "page_size"
    ignored = ("author__isnull",)
    sort, sortable, ties = "ordering", ("created", "words", "id"), False

    def keys(self, query: Query) -> list[tuple[str, bool]]:
        found = [(text.lstrip("-"), text.startswith("-")) for text in self.sort_texts(query)]
        return [each for each in found if each[0] in self.sortable]

    def start_and_size(self, query: Query) -> tuple[int, int]:
        text = query.get("page_size", [str(self.default)])[-1]
        size = min(int(text), self.largest) if re.fullmatch(r"0*[1-9]\d{0,8}", text, re.ASCII) else self.default
        try:
            return (integer(query.get("page", ["1"])[-1], 1) - 1) * size, size
        except RefusedQueryError:
            raise RefusedQueryError(404) from None

    def response(self, page: Any, total: int, window: Window, following: Any, headers: Any, query: Any) -> Any:
        return 200, {}, {"count": total, "next": following, "previous": None, "results": page}


class FastApi(Dialect):
    """FastAPI: skip and limit, an array as the answer, 422 for what is invalid."""

    name = "fastapi"
    filters: ClassVar = {
        "status": ("status", "eq"), "tag": ("tags", "eq"), "min_words": ("words", "ge"), "max_words": ("words", "le"),
        "q": ("title", "substring folded"), "created_after": ("created", "gt"),
    }  # fmt: skip
    offset, refusal, ranked, ties = "skip", 422, True, False
    sort, sortable = "order_by", ("created", "words", "status")

    def values(self, name: str, texts: list[str]) -> list[str]:
        return texts if name == "tag" else super().values(name, texts)

    def keys(self, query: Query) -> list[tuple[str, bool]]:
        descending = _is_true(query.get("descending", ["false"])[-1:])
        return [(name, descending) for name, _ in super().keys(query)]

    def response(self, page: Any, total: int, window: Window, following: Any, headers: Any, query: Any) -> Any:
        return 200, {}, page


class JsonApi(Dialect):
    """JSON:API: links to the next page, `sort` with a sign, `filter[...]`."""

    name = "json-api"
    filters: ClassVar = {
        "filter[status]": ("status", "eq"), "filter[tags]": ("tags", "all"), "filter[title]": ("title", "eq folded"),
        "filter[author]": ("author", "eq"),
    }  # fmt: skip
    joined, limit, offset = ("filter[status]", "filter[tags]"), "page[size]", "page[after]"
    base = "/articles"

    def following(self, query: Query, window: Window) -> str | None:
        pairs = [(name, value) for name, values in query.items() for value in values if name != self.offset]
        return f"{self.base}?{urlencode([*pairs, (self.offset, str(window.stop))])}"

    def response(self, page: Any, total: int, window: Window, following: Any, headers: Any, query: Any) -> Any:
        data = [
            {"type": "articles", "id": str(each["id"]), "attributes": {k: v for k, v in each.items() if k != "id"}}
            for each in page
        ]
        return 200, {}, {"data": data, "links": {"next": following}, "meta": {"total": total}}


class SpringData(Dialect):
    """Spring Data: pages from zero, a repeated `sort` with the direction after a comma."""

    name = "spring-data"
    filters: ClassVar = {
        "status": ("status", "eq"), "titlePrefix": ("title", "prefix folded"), "wordsFrom": ("words", "ge"),
        "wordsTo": ("words", "le"),
    }  # fmt: skip
    limit, offset, nulls, ties = "size", "page", "high", False
    sortable = ("created", "status", "words")

    def keys(self, query: Query) -> list[tuple[str, bool]]:
        parts = [text.partition(",") for text in query.get("sort", [])]
        if any(name not in self.sortable or word not in ("", "asc", "desc") for name, _, word in parts):
            raise RefusedQueryError
        return [(name, word == "desc") for name, _, word in parts]

    def start_and_size(self, query: Query) -> tuple[int, int]:
        number, size = query.get("page", ["0"])[-1], query.get("size", [str(self.default)])[-1]
        page = int(number) if re.fullmatch(r"\d{1,9}", number, re.ASCII) else 0
        length = max(1, min(int(size), self.largest)) if re.fullmatch(r"-?\d{1,9}", size, re.ASCII) else self.default
        return page * length, length

    def response(self, page: Any, total: int, window: Window, following: Any, headers: Any, query: Any) -> Any:
        more = {"totalPages": -(-window.total // 10), "number": 0, "size": len(page), "last": following is None}
        return 200, {}, {"content": page, "totalElements": total, **more}


class JsonServer(Dialect):
    """json-server 0.17: an array as the answer, the total in a header if a page is asked for."""

    name = "json-server"
    filters: ClassVar = {
        "status": ("status", "eq"), "author": ("author", "eq"), "status_ne": ("status", "ne"),
        "words_gte": ("words", "ge"), "words_lte": ("words", "le"),
    }  # fmt: skip
    limit, offset, ties = "_limit", "_page", False
    sort, sortable = "_sort", ("created", "words", "id")

    def values(self, name: str, texts: list[str]) -> list[str]:
        return texts if name in ("status", "author", "status_ne") else super().values(name, texts)

    def keys(self, query: Query) -> list[tuple[str, bool]]:
        return [(name, query.get("_order", ["asc"])[-1] == "desc") for name, _ in super().keys(query)]

    def start_and_size(self, query: Query) -> tuple[int, int]:
        if "_limit" not in query and "_page" not in query:
            return 0, len(self.items)
        size = self.size(query)
        return (integer(query.get("_page", ["1"])[-1], 1) - 1) * size, size

    def response(self, page: Any, total: int, window: Window, following: Any, headers: Any, query: Any) -> Any:
        return 200, {"X-Total-Count": str(total)} if "_limit" in query or "_page" in query else {}, page


class PostgRest(Dialect):
    """PostgREST: operators in the values, the total in `Content-Range` if the header `Prefer` asks for it."""

    name = "postgrest"
    filters: ClassVar = {
        "status": ("status", "eq"), "words": ("words", "ge"), "title": ("title", "like folded"),
        "author": ("author", "absent"),
    }  # fmt: skip
    operators: ClassVar = {"status": "eq", "words": "gte", "title": "ilike", "author": "is"}
    sort, sortable, nulls, ties = "order", ("created", "words", "id"), "high", False

    def values(self, name: str, texts: list[str]) -> list[str]:
        operator, _, value = texts[-1].partition(".")
        if operator != self.operators[name] or (name == "author" and value != "null"):
            raise RefusedQueryError
        return ["true"] if name == "author" else super().values(name, [value])

    def keys(self, query: Query) -> list[tuple[str, bool]]:
        parts = [text.partition(".") for text in self.sort_texts(query)]
        if any(name not in self.sortable or word not in ("", "asc", "desc") for name, _, word in parts):
            raise RefusedQueryError
        return [(name, word == "desc") for name, _, word in parts]

    def response(self, page: Any, total: int, window: Window, following: Any, headers: Any, query: Any) -> Any:
        counted = headers.get("prefer") == "count=exact"
        if counted and window.start > window.total:
            raise RefusedQueryError(416)
        span = f"{window.start}-{window.start + len(page) - 1}" if page else "*"
        status = 206 if counted and len(page) < window.total else 200
        return status, {"Content-Range": f"{span}/{total if counted else '*'}"}, page


class Cursor(Dialect):
    """An API with opaque cursors, a total on demand, and a version in every request."""

    name = "cursor"
    filters: ClassVar = {
        "title": ("title", "substring"), "tags": ("tags", "all"), "words": ("words", "between"),
        "author": ("author", "eq folded"), "author_prefix": ("author", "prefix"), "has_author": ("author", "exists"),
    }  # fmt: skip
    joined, offset, ranked = ("tags",), "cursor", True
    sortable = ("created", "status", "words")
    closing: str | None = None
    exclusive = True

    def values(self, name: str, texts: list[str]) -> list[str]:
        if name == "words":
            found = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", texts[-1], re.ASCII)
            if not found:
                raise RefusedQueryError
            return [found[1], found[2]]
        return super().values(name, texts)

    def keys(self, query: Query) -> list[tuple[str, bool]]:
        parts = [text.partition(":") for text in self.sort_texts(query)]
        if any(name not in self.sortable or word not in ("", "desc") for name, _, word in parts):
            raise RefusedQueryError
        return [(name, word == "desc") for name, _, word in parts]

    def start_and_size(self, query: Query) -> tuple[int, int]:
        both = self.exclusive and "author" in query and "author_prefix" in query
        if query.get("version") != ["2026-01"] or both or query.get("include_total", ["false"])[-1] not in (
            "true", "false"
        ):  # fmt: skip
            raise RefusedQueryError
        cursor, size = query.get("cursor", ["c0"])[-1], query.get("limit", [str(self.default)])[-1]
        if not re.fullmatch(r"c\d{1,9}", cursor, re.ASCII):
            raise RefusedQueryError
        return int(cursor[1:]), max(1, min(integer(size), self.largest))

    def following(self, query: Query, window: Window) -> str | None:
        return f"c{window.stop}"

    def response(self, page: Any, total: int, window: Window, following: Any, headers: Any, query: Any) -> Any:
        body: dict[str, Any] = {"articles": page, "next_cursor": following or self.closing}
        return 200, {}, body | ({"total": total} if query.get("include_total") == ["true"] else {})


DIALECTS: tuple[type[Dialect], ...] = (Drf, FastApi, JsonApi, SpringData, JsonServer, PostgRest, Cursor)
