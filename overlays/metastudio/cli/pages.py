"""A list, page by page as the server sent it, for every command that goes through one."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from metastudio.cli.rules import rules_of
from metastudio.cli.terminal import Terminal
from metastudio.contract.naming import method_suffix, python_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from metastudio import AsyncMetaStudio, MetaStudio
    from metastudio.contract.operation import Operation

Item = dict[str, Any]


def method(studio: MetaStudio | AsyncMetaStudio, operation: Operation, stem: str, end: str = "") -> Callable[..., Any]:
    """Return a method of an operation: `iterate`, `find` or `wait`, or with the end `_pages`."""
    resource = getattr(studio, python_name(operation.tag))
    found: Callable[..., Any] = getattr(resource, stem + method_suffix(operation.id, operation.tag) + end)
    return found


class Pages:
    """The pages of a list, to be gone through once. `total` is how many items the server counts, from the first on.

    Raises:
        click.UsageError: an argument cannot be sent as what it is meant to be.
    """

    def __init__(
        self, studio: MetaStudio, operation: Operation, arguments: Mapping[str, Any], *, limit: int | None = None
    ) -> None:
        self.total: int | None = None
        self._limit = limit
        size = min(rules_of(operation).max_limit or 100, 100)
        try:
            self._pages = method(studio, operation, "iterate", "_pages")(
                max_items=limit, page_size=min(size, limit or size), **arguments
            )
        except (TypeError, ValueError) as error:
            raise click.UsageError(str(error), click.get_current_context()) from None

    def __iter__(self) -> Iterator[list[Item]]:
        """Yield the items of each page."""
        with closing(self._pages) as pages:
            for page in pages:
                self.total = page.total
                yield [item.to_dict() for item in page.items]

    def shown(self) -> Iterator[list[Item]]:
        """Yield the same, and say on standard error how far it is: if somebody looks, and there is more than a page."""
        terminal, come, said = Terminal(sys.stderr), 0, 0
        try:
            for items in self:
                yield items
                come += len(items)
                last = min(sys.maxsize if self.total is None else self.total, self._limit or sys.maxsize)
                if terminal.is_one and come < last:
                    text = f"{come:,}" if last == sys.maxsize else f"{come:,} of {last:,}"
                    terminal.write("\r" + terminal.style(text, dim=True))
                    said = len(text)
        finally:
            if said:
                terminal.write("\r" + " " * said + "\r")
