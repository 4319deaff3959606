"""Requests as curl commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterable


def curl_command(
    options: Iterable[str],
    url: str,
    headers: Iterable[tuple[str, str]] = (),
    expanded: Iterable[tuple[str, str]] = (),
) -> list[str]:
    """Return the parts of a curl command, quoted for a shell: the first has options and URL, each other one a header.

    Args:
        options: Options of curl.
        url: The URL as a word of the shell, "" if an option gives it.
        headers: Names and values.
        expanded: Names and values in which the shell expands variables, as between double quotes.
    """
    first = " ".join(filter(None, ["curl", *options, url]))
    # `Name;` is the form in which curl sends an empty header.
    quoted = [f"-H {shlex.quote(f'{name}: {value}' if value else f'{name};')}" for name, value in headers]
    return [first, *quoted, *(f'-H "{name}: {value}"' for name, value in expanded)]
