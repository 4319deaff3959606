"""Which credentials were found where, for which server and project, and whether they are accepted."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from metastudio.cli.columns import printable
from metastudio.cli.connection import Connection, connection_options, current
from metastudio.cli.sections import Command
from metastudio.cli.terminal import Terminal
from metastudio.contract.operation import operations

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from metastudio.config import Config


def whoami_command() -> click.Command:
    """Make the command."""
    return Command(
        "whoami",
        callback=_show,
        params=[*connection_options()],
        help="Show which credentials were found where, for which region, server and project, and ask the server with "
        "one request whether it accepts them. Secrets are not shown.",
        notes={"Examples": "metastudio whoami\nmetastudio whoami --region cn-east-3"},
    )


def _show() -> None:
    from metastudio.cli.pages import Pages

    connection, terminal = current(), Terminal(sys.stdout)

    def tell(name: str, value: str, source: str | None = None) -> None:
        text = f"{terminal.style(f'{name:<13}', bold=True)}{printable(value)}"
        terminal.write(text + (terminal.style(f"  from {printable(source)}", dim=True) if source else "") + "\n")

    answers: list[httpx.Response] = []
    with connection.studio(event_hooks={"response": [answers.append]}) as studio:
        for name, value, source in _found(connection, studio.settings):
            tell(name, value, source)
        operation = next(each for each in operations().values() if each.list_rules)
        pages = Pages(studio, operation, {}, limit=1)
        try:
            list(pages)
        finally:
            if answers:
                request = answers[-1].request
                if key := re.search(r"Access=(\w{1,4})", request.headers.get("Authorization", "")):
                    tell("access key", f"{key[1]}***")
                below = request.url.path.removeprefix(studio.settings.base_url.path.rstrip("/"))
                match = operation.path_pattern.match(below)
                if studio.settings.project_id is None and match:
                    tell("project", match.groupdict().get("project_id", ""), "IAM")
                tell("clock", _clock(answers[-1]))
        counted = "" if pages.total is None else f", {pages.total:,} {operation.tag.replace('_', ' ')}"
        tell("accepted", f"yes{counted}")


def _found(connection: Connection, settings: Config) -> Iterator[tuple[str, str, str | None]]:
    """What was found, and where, in the order in which it matters."""
    given = connection.given
    region_from = "--region" if "region" in given else settings.region_source
    yield "region", settings.region, region_from
    yield "server", str(settings.base_url), "--base-url" if "base_url" in given else settings.base_url_source
    yield "credentials", "a token" if "Token" in type(settings.auth).__name__ else "an access key", settings.auth_source
    if settings.project_id is not None:
        source = "--project-id" if "project_id" in given else settings.project_source
        yield "project", settings.project_id, source


def _clock(answer: httpx.Response) -> str:
    from email.utils import parsedate_to_datetime

    try:
        there = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return "unknown: the server says no date"
    off = (datetime.now(UTC) - (there if there.tzinfo else there.replace(tzinfo=UTC))).total_seconds()
    if abs(off) < 3:  # its date has whole seconds, and the answer was on its way
        return "agrees with the server's"
    amount = f"{abs(off):.0f} s" if abs(off) < 120 else f"{abs(off) / 60:.0f} min"
    return f"{amount} {'ahead of' if off > 0 else 'behind'} the server's"
