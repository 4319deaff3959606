"""Going through a list: checks the options at the call, chooses the plan, and runs it.

Plain iteration reads by offset, ahead of the reader (`metastudio.lists.offset`); `consistent=True` walks along the order
(`metastudio.lists.keyset`). How an operation pages, orders and bounds comes from its `x-list`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast

from metastudio_client._engine import Page
from metastudio_client.types import UNSET

from metastudio.contract.arguments import check_time
from metastudio.contract.json_pointer import pointer_getter
from metastudio.contract.operation import ListRules, Operation
from metastudio.lists.executor import AsyncIterations, Iterations
from metastudio.lists.keyset import Walk, route
from metastudio.lists.offset import OffsetPlan, Plan
from metastudio.lists.prefetch import AsyncFetch, Fetch, async_pages, pages

if TYPE_CHECKING:
    from metastudio_client._engine import IterateOptions

T = TypeVar("T")


def iterate_pages(
    operation: Operation,
    fetch: Fetch[T],
    arguments: Mapping[str, Any],
    iterations: Iterations,
    **options: Unpack[IterateOptions],
) -> Generator[Page[T], None, None]:
    """Return the pages of a list, lazily.

    `fetch` is given keyword arguments of the generated function: those of `arguments`, and plain text, integers and
    aware times for paging, order and bounds. It may be called from several threads at once. Errors as in `plan`.
    """
    chosen: Plan[T] = plan(operation, arguments, **options)
    return pages(chosen, fetch, iterations, concurrency=options["concurrency"], max_rate=options["max_rate"])


def async_iterate_pages(
    operation: Operation,
    fetch: AsyncFetch[T],
    arguments: Mapping[str, Any],
    iterations: AsyncIterations,
    **options: Unpack[IterateOptions],
) -> AsyncGenerator[Page[T], None]:
    """Return the pages of a list, lazily, like `iterate_pages`. Checked at the call, not at the first page."""
    chosen: Plan[T] = plan(operation, arguments, **options)
    return async_pages(chosen, fetch, iterations, concurrency=options["concurrency"], max_rate=options["max_rate"])


def find(operation: Operation, fetch: Fetch[T], parameter: str, identity: str) -> T | None:
    """Return the item of a list whose ID is `identity`, None where there is none.

    Asks with the filter `parameter` (a keyword argument) and compares what comes: a server that takes the filter for
    part of an ID, or ignores it, is read on.

    Raises:
        TypeError, ValueError: an ID that is no text, or empty, which would ask for everything.
    """
    search: Plan[T] = _search(operation, parameter, identity)
    identity_of = _identity(operation)
    while not search.done and (request := search.next()):
        page = search.take(request, fetch(request.arguments))
        for item in page.items if page else ():
            if identity_of(item) == identity:
                return item
    return None


async def async_find(operation: Operation, fetch: AsyncFetch[T], parameter: str, identity: str) -> T | None:
    """Do as `find` does."""
    search: Plan[T] = _search(operation, parameter, identity)
    identity_of = _identity(operation)
    while not search.done and (request := search.next()):
        page = search.take(request, await fetch(request.arguments))
        for item in page.items if page else ():
            if identity_of(item) == identity:
                return item
    return None


def _search(operation: Operation, parameter: str, identity: object) -> Plan[Any]:
    if not isinstance(identity, str):
        raise TypeError(f"{parameter} is text; not {identity!r}")
    if not identity.strip():
        raise ValueError(f"{parameter} is empty, which would ask for everything; say which one")
    page_size = min(100, _rules(operation).max_limit or 100)
    return _by_offset(operation, {parameter: identity}, page_size, None)


def plan(operation: Operation, arguments: Mapping[str, Any], **options: Unpack[IterateOptions]) -> Plan[Any]:
    """Check everything that can be wrong with a call, and return how to go through the list.

    Raises:
        TypeError: an option of the wrong type, or a paging parameter among the arguments.
        ValueError: an option out of its range, a time without a zone, a time window that ends before it begins, or
            `consistent` where the contract states nothing that a walk could go by.
    """
    rules = _rules(operation)
    arguments = {name: value for name, value in arguments.items() if value is not None and value is not UNSET}
    _check_options(rules, options)
    _check_arguments(operation, rules, arguments)
    page_size, max_items = options["page_size"], options["max_items"]
    if options["consistent"]:
        return Walk(route(operation), arguments, page_size=page_size, max_items=max_items)
    return _by_offset(operation, arguments, page_size, max_items)


def _by_offset(
    operation: Operation, arguments: Mapping[str, Any], page_size: int, max_items: int | None
) -> OffsetPlan[Any]:
    rules = _rules(operation)
    return OffsetPlan(
        arguments,
        offset=operation.parameters[rules.offset].python_name,
        limit=operation.parameters[rules.limit].python_name,
        identity=_identity(operation),
        page_size=page_size,
        max_items=max_items,
    )


def _rules(operation: Operation) -> ListRules:
    if operation.list_rules is None:
        raise ValueError(f"{operation.id} is no list: its contract has no x-list")
    return operation.list_rules


def _identity(operation: Operation) -> Callable[[Any], Any]:
    return pointer_getter(_rules(operation).identity)


def _check_options(rules: ListRules, options: IterateOptions) -> None:
    _check_integer("page_size", options["page_size"], 1, rules.max_limit)
    _check_integer("concurrency", options["concurrency"], 1)
    if options["max_items"] is not None:
        _check_integer("max_items", options["max_items"], 0)
    rate = cast(object, options["max_rate"])
    if rate is not None:
        if isinstance(rate, bool) or not isinstance(rate, int | float):
            raise TypeError(f"max_rate is a number of requests a second, or None; not {rate!r}")
        if not rate > 0:
            raise ValueError(f"max_rate is a number of requests a second above 0, or None; not {rate!r}")


def _check_integer(name: str, value: object, least: int, most: int | None = None) -> None:
    allowed = f"{least} or more" if most is None else f"from {least} to {most}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is an integer, {allowed}; not {value!r}")
    if value < least or (most is not None and value > most):
        raise ValueError(f"{name} is {allowed}; not {value}")


def _check_arguments(operation: Operation, rules: ListRules, arguments: Mapping[str, Any]) -> None:
    for parameter in (rules.offset, rules.limit):
        name = operation.parameters[parameter].python_name
        if name in arguments:
            raise TypeError(f"iterating does the paging, so it takes no {name}; it takes page_size and max_items")
    by_name = operation.by_python_name
    times = {name: value for name, value in arguments.items() if name in by_name and by_name[name].is_time}
    for name, value in times.items():
        check_time(name, value)
    bounds = [(each, operation.parameters[each.parameter].python_name) for each in rules.filters.values()]
    for lower, since in bounds:
        for upper, until in bounds:
            reversible = lower.property == upper.property and lower.op in ("ge", "gt") and upper.op in ("le", "lt")
            if reversible and since in times and until in times and times[since] > times[until]:
                raise ValueError(f"{since} is later than {until}, so nothing can match; swap them")
