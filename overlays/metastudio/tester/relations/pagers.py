"""The requests for the pages of a list, by the style of paging in the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from metastudio.contract.operation import ListRules
from metastudio.tester.http_client import HttpResponse
from metastudio.tester.values import query_text, values_at

Query = Mapping[str, str | tuple[str, ...]]
"""Query parameters by name; a tuple repeats the parameter."""


class Pager:
    """The requests for the pages of a list, by offset. Subclasses are the other styles."""

    is_random = True
    """Whether any page can be requested. Then each page but the last is full, otherwise a page may be shorter."""

    def __init__(self, rules: ListRules) -> None:
        self._rules = rules

    def at(self, position: int, size: int) -> Query | None:
        """Return the query of the page that starts at a position of the list, None if no page starts there."""
        return {self._rules.offset: str(position), self._rules.limit: str(size)}

    def positions(self, count: int, size: int) -> tuple[int, ...]:
        """Return positions in a list of `count` items where pages start: at its start, in its middle and at its end."""
        marks = {0, 1, 2, count // 2, max(0, count - size), count - 1}
        return tuple(sorted(each for each in marks if 0 <= each < max(count, 1)))

    def following(self, response: HttpResponse, end: int, size: int) -> Query | str | None:
        """Return the query or the link of the page after a response, which ends at `end`. None: it is the last."""
        return self.at(end, size)


class NumberPager(Pager):
    """Pages by number. A page starts at a multiple of the page length."""

    def at(self, position: int, size: int) -> Query | None:  # noqa: D102 - as in Pager
        paging, page = self._rules.paging, position // size
        number = paging.first + page * (paging.stride or size)
        return None if position % size else {self._rules.offset: str(number), self._rules.limit: str(size)}

    def positions(self, count: int, size: int) -> tuple[int, ...]:  # noqa: D102 - as in Pager
        return tuple(
            sorted({each // size * size for each in (0, size, count // 2, count - 1) if 0 <= each < max(count, 1)})
        )


class CursorPager(Pager):
    """Pages by a cursor, which each page has for the next one."""

    is_random = False

    def at(self, position: int, size: int) -> Query | None:  # noqa: D102 - as in Pager
        return None if position else {self._rules.limit: str(size)}

    def positions(self, count: int, size: int) -> tuple[int, ...]:  # noqa: D102 - as in Pager
        return (0,)

    def following(self, response: HttpResponse, end: int, size: int) -> Query | str | None:  # noqa: D102 - as in Pager
        cursor = _first(response.json, self._rules.paging.next)
        return {self._rules.offset: query_text(cursor), self._rules.limit: str(size)} if cursor else None


class LinkPager(CursorPager):
    """Pages by a link, which each page has to the next one, in the body or in the header `Link`."""

    def following(self, response: HttpResponse, end: int, size: int) -> Query | str | None:  # noqa: D102 - as in Pager
        pointer = self._rules.paging.next
        found = _first(response.json, pointer) if pointer else _link_header(response.headers)
        return found if isinstance(found, str) and found else None


def pager(rules: ListRules) -> Pager:
    """Return the pager of a list."""
    styles = {"offset": Pager, "page": NumberPager, "cursor": CursorPager, "link": LinkPager}
    return styles[rules.paging.style](rules)


def _link_header(headers: httpx.Headers) -> str | None:
    links = httpx.Response(200, headers=headers).links
    return links.get("next", {}).get("url")


def _first(value: Any, pointer: str) -> Any:
    return next(iter(values_at(value, pointer)), None)
