"""Entry points for reading a list: they check the arguments and choose how to read.

Plain iteration reads by offset (`metastudio.lists.offset`), `consistent=True` along an order by time
(`metastudio.lists.keyset`). The contract's `x-list` names the parameters for paging, order and bounds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, closing
from itertools import permutations
from typing import Any, TypeVar

from metastudio.contract.operation import Operation
from metastudio.lists.base import AsyncFetch, Fetch, Paginator, list_rules
from metastudio.lists.executor import AsyncExecutor, Executor
from metastudio.lists.keyset import KeysetPaginator
from metastudio.lists.offset import OffsetPaginator
from metastudio.lists.options import IterateOptions, Page
from metastudio.lists.prefetch import async_pages, pages

T = TypeVar("T")

DEFAULT_PAGE_SIZE = 100


def iterate_pages(
    operation: Operation,
    fetch: Fetch[T],
    arguments: Mapping[str, Any],
    executor: Executor,
    options: IterateOptions,
) -> Generator[Page[T], None, None]:
    """Return the pages of a list, lazily.

    Args:
        operation: The list operation.
        fetch: Sends one request. May be called from several threads at once.
        arguments: Keyword arguments of the operation, already checked by themselves. Those for paging, order and bounds
            are added as integers, plain text and times with a zone.
        executor: Runs the requests that are sent ahead.
        options: How to read.

    Raises:
        TypeError, ValueError: See `choose_paginator`; raised at the call, not at the first page.
    """
    return pages(choose_paginator(operation, arguments, options), fetch, executor, options)


def async_iterate_pages(
    operation: Operation,
    fetch: AsyncFetch[T],
    arguments: Mapping[str, Any],
    executor: AsyncExecutor,
    options: IterateOptions,
) -> AsyncGenerator[Page[T], None]:
    """Return the pages of a list, lazily, like `iterate_pages`."""
    return async_pages(choose_paginator(operation, arguments, options), fetch, executor, options)


def items(found: Generator[Page[T], None, None]) -> Generator[T, None, None]:
    """Yield the items of pages."""
    with closing(found):
        for page in found:
            yield from page.items


async def async_items(found: AsyncGenerator[Page[T], None]) -> AsyncGenerator[T, None]:
    """Yield the items of pages."""
    async with aclosing(found):
        async for page in found:
            for item in page.items:
                yield item


def find(operation: Operation, fetch: Fetch[T], parameter: str, identity: str) -> T | None:
    """Return the item with this identity, or None if the list has none.

    The identities of the response are compared: a server may take the filter for part of an identity, or ignore it.

    Args:
        operation: The list operation.
        fetch: Sends one request.
        parameter: Keyword argument of the filter by identity.
        identity: The identity.

    Raises:
        TypeError: The identity is not text.
        ValueError: The identity is blank, which would match every item.
    """
    search: Paginator[T] = _search(operation, parameter, identity)
    while not search.done and (request := search.next_request()):
        page = search.receive(request, fetch(request.arguments, None))
        for item in page.items if page else ():
            if search.identity_of(item) == identity:
                return item
    return None


async def async_find(operation: Operation, fetch: AsyncFetch[T], parameter: str, identity: str) -> T | None:
    """Return the item with this identity, or None, like `find`."""
    search: Paginator[T] = _search(operation, parameter, identity)
    while not search.done and (request := search.next_request()):
        page = search.receive(request, await fetch(request.arguments, None))
        for item in page.items if page else ():
            if search.identity_of(item) == identity:
                return item
    return None


def _search(operation: Operation, parameter: str, identity: str) -> Paginator[Any]:
    value = [identity] if operation.by_python_name[parameter].is_array else identity
    return choose_paginator(operation, {parameter: value}, IterateOptions())


def choose_paginator(operation: Operation, arguments: Mapping[str, Any], options: IterateOptions) -> Paginator[Any]:
    """Return the paginator for a list, after checking what the contract says about arguments and options.

    Raises:
        TypeError: The arguments hold one for paging.
        ValueError: The operation is not a list, the page size is above the contract's maximum, the bounds of a time are
            swapped, or `consistent` is not possible.
    """
    rules = list_rules(operation)
    for parameter in (rules.offset, rules.limit):
        name = operation.parameters[parameter].python_name
        if name in arguments:
            raise TypeError(f"{name} is not an argument of an iteration; use page_size and max_items")
    _check_bounds(operation, arguments)
    page_size, largest = options.page_size, rules.max_limit
    if page_size is None:
        page_size = DEFAULT_PAGE_SIZE if largest is None else min(DEFAULT_PAGE_SIZE, largest)
    elif largest is not None and page_size > largest:
        raise ValueError(f"page_size must be at most {largest}, the largest page of this list, not {page_size}")
    paginator = KeysetPaginator[Any] if options.consistent else OffsetPaginator[Any]
    return paginator(operation, arguments, page_size=page_size, max_items=options.max_items)


def _check_bounds(operation: Operation, arguments: Mapping[str, Any]) -> None:
    """Raise ValueError if a time window ends before it begins."""
    parameters = operation.parameters
    for lower, upper in permutations(list_rules(operation).filters.values(), 2):
        since, until = parameters[lower.parameter], parameters[upper.parameter]
        if lower.property != upper.property or lower.op not in ("ge", "gt") or upper.op not in ("le", "lt"):
            continue
        start, end = arguments.get(since.python_name), arguments.get(until.python_name)
        if since.is_time and until.is_time and start is not None and end is not None and start > end:
            raise ValueError(f"{since.python_name} is later than {until.python_name}; swap them")
