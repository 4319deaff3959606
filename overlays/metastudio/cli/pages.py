"""The pages of a list, as the server sends them."""

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


def client_method(
    studio: MetaStudio | AsyncMetaStudio, operation: Operation, stem: str, end: str = ""
) -> Callable[..., Any]:
    """Return a client method of an operation: `iterate`, `find` or `wait`; with the end `_pages`, the pages."""
    resource = getattr(studio, python_name(operation.tag))
    method: Callable[..., Any] = getattr(resource, stem + method_suffix(operation.id, operation.tag) + end)
    return method


class ListPages:
    """The pages of a list; may be iterated once. `total` is the server's total, known after the first page.

    Args:
        studio: The client.
        operation: The list operation.
        arguments: Arguments of the client's `iterate` method.
        limit: Maximum number of items.

    Raises:
        click.UsageError: An argument is invalid.
    """

    def __init__(
        self, studio: MetaStudio, operation: Operation, arguments: Mapping[str, Any], *, limit: int | None = None
    ) -> None:
        self.total: int | None = None
        self._limit = limit
        size = min(rules_of(operation).max_limit or 100, 100)
        try:
            self._pages = client_method(studio, operation, "iterate", "_pages")(
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

    def with_progress(self) -> Iterator[list[Item]]:
        """Yield the items of each page, and show progress if standard error is a terminal."""
        terminal, received, shown_width = Terminal(sys.stderr), 0, 0
        try:
            for items in self:
                yield items
                received += len(items)
                expected = min(sys.maxsize if self.total is None else self.total, self._limit or sys.maxsize)
                if terminal.interactive and received < expected:
                    text = f"{received:,}" if expected == sys.maxsize else f"{received:,} of {expected:,}"
                    terminal.write("\r" + terminal.style(text, dim=True))
                    shown_width = len(text)
        finally:
            if shown_width:
                terminal.write("\r" + " " * shown_width + "\r")
