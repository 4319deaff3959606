"""`metastudio whoami`: credentials, server and project, where each was found, and whether the server accepts them."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from metastudio_client.contract import OPERATIONS

from metastudio.cli.columns import printable
from metastudio.cli.connection import ConnectionOptions, connection_options, current
from metastudio.cli.sections import Command
from metastudio.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from metastudio.config import Config


def whoami_command() -> click.Command:
    """Return the command."""
    return Command(
        "whoami",
        callback=_show,
        params=[*connection_options()],
        help="Show region, server, credentials and project, and where each was found. One request checks whether the "
        "server accepts them. Secrets are not shown.",
        notes={"Examples": "metastudio whoami\nmetastudio whoami --region cn-east-3"},
    )


def _show() -> None:
    from metastudio.cli.pages import ListPages

    connection, terminal = current(), Terminal(sys.stdout)

    def show(name: str, value: str, source: str | None = None) -> None:
        text = f"{terminal.style(f'{name:<13}', bold=True)}{printable(value)}"
        terminal.write(text + (terminal.style(f"  from {printable(source)}", dim=True) if source else "") + "\n")

    responses: list[httpx.Response] = []
    with connection.studio(event_hooks={"response": [responses.append]}) as studio:
        for name, value, source in _found(connection, studio.config):
            show(name, value, source)
        operation = next(each for each in OPERATIONS.values() if each.list_rules)
        pages = ListPages(studio, operation, {}, limit=1)
        try:
            list(pages)
        finally:
            if responses:
                request = responses[-1].request
                if key := re.search(r"Access=(\w{1,4})", request.headers.get("Authorization", "")):
                    show("access key", f"{key[1]}***")
                below = request.url.path.removeprefix(studio.config.base_url.path.rstrip("/"))
                match = operation.path_pattern.match(below)
                if studio.config.project_id is None and match:
                    show("project", match.groupdict().get("project_id", ""), "IAM")
                show("clock", _clock(responses[-1]))
        count = "" if pages.total is None else f", {pages.total:,} {operation.tag.replace('_', ' ')}"
        show("accepted", f"yes{count}")


def _found(connection: ConnectionOptions, config: Config) -> Iterator[tuple[str, str, str | None]]:
    """Yield name, value and source of each setting."""
    given = connection.given
    yield "region", config.region, "--region" if "region" in given else config.region_source
    url_source = "--base-url" if "base_url" in given else config.base_url_source
    yield "server", str(config.base_url), url_source
    yield "credentials", "a token" if "Token" in type(config.auth).__name__ else "an access key", config.auth_source
    if config.project_id is not None:
        source = "--project-id" if "project_id" in given else config.project_source
        yield "project", config.project_id, source


def _clock(response: httpx.Response) -> str:
    from email.utils import parsedate_to_datetime

    try:
        server_time = parsedate_to_datetime(response.headers.get("Date", ""))
    except (ValueError, OverflowError):
        return "unknown: the response has no valid date"
    ahead = (
        datetime.now(UTC) - (server_time if server_time.tzinfo else server_time.replace(tzinfo=UTC))
    ).total_seconds()
    if abs(ahead) < 3:  # Date has whole seconds, and the response took some time
        return "agrees with the server's"
    amount = f"{abs(ahead):.0f} s" if abs(ahead) < 120 else f"{abs(ahead) / 60:.0f} min"
    return f"{amount} {'ahead of' if ahead > 0 else 'behind'} the server's"
