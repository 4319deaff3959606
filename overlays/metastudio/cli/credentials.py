"""`metastudio whoami` and `metastudio curl`: which credentials are used, and any GET request signed with them."""

from __future__ import annotations

import re
import shlex
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from metastudio_client.contract import OPERATIONS

from metastudio.cli.errors import CommandError, ExitCode, styled
from metastudio.cli.options import Command, ConnectionOptions, Option, connection_options, current
from metastudio.cli.output import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx

    from metastudio.config import Config

PROJECT = "{project_id}"
_RESERVED_HEADERS = frozenset({"authorization", "x-auth-token", "x-security-token", "x-sdk-date", "host"})


def whoami_command() -> click.Command:
    """Return the command."""
    return Command(
        "whoami",
        callback=_whoami,
        params=[*connection_options()],
        help="Show region, server, credentials and project, and where each was found. One request checks whether the "
        "server accepts them. Secrets are not shown.",
        notes={"Examples": "metastudio whoami\nmetastudio whoami --region cn-east-3"},
    )


def _whoami() -> None:
    from metastudio.cli.lists import ListPages

    connection = current()

    def show(name: str, value: str, source: str | None = None) -> None:
        origin = styled(f"  from {escaped(source)}", dim=True) if source else ""
        click.echo(f"{styled(f'{name:<13}', bold=True)}{escaped(value)}{origin}")

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
    from metastudio.http.retry import http_date

    server_time = http_date(response.headers.get("Date", ""))
    if server_time is None:
        return "unknown: the response has no valid date"
    ahead = time.time() - server_time
    if abs(ahead) < 3:  # Date has whole seconds, and the response took some time
        return "agrees with the server's"
    amount = f"{abs(ahead):.0f} s" if abs(ahead) < 120 else f"{abs(ahead) / 60:.0f} min"
    return f"{amount} {'ahead of' if ahead > 0 else 'behind'} the server's"


def curl_command() -> click.Command:
    """Return the command."""
    option = partial(Option, "Options")
    own = [
        option("--header -H", "Add this header. Repeatable.", multiple=True, metavar="'NAME: VALUE'"),
        option("--include -i", "Show the response's status and headers.", is_flag=True),
        option("--print printed", "Do not send; print a curl command that is valid for 15 minutes.", is_flag=True),
        option("--explain", "Do not send; show the canonical request and the string to sign, to compare with those of "
               "the gateway. Tokens are masked.", is_flag=True),
        option("--allow-host", "Send credentials to this host even if it is not a Huawei Cloud host or the configured "
               "server.", multiple=True, metavar="HOST"),
    ]  # fmt: skip
    return Command(
        "curl",
        callback=_curl,
        params=[click.Argument(["url"]), *own, *connection_options(own)],
        help="Sign and send a GET request for any service of Huawei Cloud, and print the response body. A URL that "
        f"begins with a slash is relative to the configured server. {PROJECT} is replaced with the project ID.",
        notes={
            "Examples": f"""
                metastudio curl '{next(iter(OPERATIONS.values())).path}'
                metastudio curl https://iam.{_cloud()}/v3/projects --explain
            """
        },
    )


def _curl(
    url: str, header: Sequence[str], include: bool, printed: bool, explain: bool, allow_host: Sequence[str]
) -> None:
    from metastudio.config import resolve

    given = current().given
    names = ("profile", "region", "project_id", "base_url", "allow_http")
    config = resolve(**{name: given[name] for name in names if name in given})
    request = _request(config, url, header, allow_host)
    if printed or explain:
        flow = config.auth.sync_auth_flow(request)
        try:
            signed = next(flow)
        finally:
            flow.close()
        (_explain if explain else _print)(signed)
    else:
        _send(config, request, include=include, timeout=given.get("timeout"))


def _request(config: Config, url: str, headers: Sequence[str], allowed: Sequence[str]) -> httpx.Request:
    import httpx

    from metastudio.auth.aksk import AkSkAuth
    from metastudio.auth.origin_policy import require_https
    from metastudio.http.proxies import is_loopback

    if PROJECT in url:
        if config.project_id is None:
            raise CommandError("no project ID", "set HUAWEICLOUD_SDK_PROJECT_ID or --project-id", ExitCode.USAGE)
        url = url.replace(PROJECT, config.project_id)
    if url.startswith("/"):
        url = str(config.base_url).rstrip("/") + url
    target = require_https(url, allow_http=config.allow_http, query=True)
    cloud = _cloud()
    known = is_loopback(target.host) or target.host.endswith(f".{cloud}") or target.host == config.base_url.host
    if not known and target.host not in allowed:
        raise CommandError(
            f"{target.host} is neither a host of {cloud} nor the configured server; credentials are not sent to it",
            f"add --allow-host {target.host} to send them anyway",
            ExitCode.USAGE,
        )
    request = httpx.Request("GET", target, headers=dict(_headers(headers)))
    in_path = config.project_id is not None and config.project_id in target.path.split("/")
    if in_path and isinstance(config.auth, AkSkAuth):
        request.headers.setdefault("X-Project-Id", str(config.project_id))
    return request


def _cloud() -> str:
    """Return the domain of all services of Huawei Cloud."""
    from metastudio_client.contract import SERVER

    domain: str = SERVER.template.rpartition("}.")[2]
    return domain


def _headers(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise click.UsageError(f"-H needs 'NAME: VALUE', not {line!a}", click.get_current_context())
        if name.strip().lower() in _RESERVED_HEADERS:
            raise click.UsageError(f"-H must not set {name.strip()}; the command sets it", click.get_current_context())
        yield name.strip(), value.strip()


def _send(config: Config, request: httpx.Request, *, include: bool, timeout: float | None) -> None:
    import httpx

    from metastudio.http.deadline import deadline, limit_connections
    from metastudio.http.error_mapping import api_error
    from metastudio.http.proxies import plain_client, proxy_of
    from metastudio.http.response import MAX_RESPONSE_SIZE, ResponseBody
    from metastudio.http.retry import RetryPolicy, check_timeout
    from metastudio.http.session import DEFAULT_TIMEOUT
    from metastudio.http.transport_errors import connection_failure

    def limit_body(response: httpx.Response) -> None:
        response.stream = ResponseBody(response, MAX_RESPONSE_SIZE)

    timeouts = check_timeout(timeout) if timeout else DEFAULT_TIMEOUT
    hooks: dict[str, Any] = {"request": [limit_connections], "response": [limit_body]}
    with (
        deadline(RetryPolicy.within(timeouts).deadline),
        plain_client(auth=config.auth, timeout=timeouts, event_hooks=hooks) as client,
    ):
        request.headers = httpx.Headers({**client.headers, **request.headers})
        try:
            response = client.send(request)
        except httpx.RequestError as error:
            proxy = partial(proxy_of, given=None, trust_env=True)
            raise connection_failure(error, request, retries=0, proxy_of=proxy).error from None
    head = b""
    if include:
        lines = [f"{response.http_version} {response.status_code} {response.reason_phrase}".encode()]
        lines += [name + b": " + value for name, value in response.headers.raw]
        head = b"\n".join([*lines, b"", b""])
    if sys.stdout.isatty():
        _show(head.decode("latin-1") + response.text)
    else:
        sys.stdout.buffer.write(head + response.content)
        sys.stdout.buffer.flush()
    if not response.is_success:
        raise api_error(response)


def _show(text: str) -> None:
    """Show a response on a terminal, which it must not control."""
    for line in text.splitlines():
        click.echo(escaped(line.expandtabs()))


def _print(signed: httpx.Request) -> None:
    """Print a curl command.

    It contains the signature, which expires, but reads tokens from environment variables.
    """
    from metastudio.auth.chain import SECURITY_TOKEN
    from metastudio.config import TOKEN
    from metastudio.http.curl import curl_command

    left_out = {"x-auth-token": TOKEN, "x-security-token": SECURITY_TOKEN}
    headers = [(name.decode("ascii"), value.decode()) for name, value in signed.headers.raw if name.lower() != b"host"]
    variables = [(name, left_out[name.lower()]) for name, _ in headers if name.lower() in left_out]
    shown = [(name, value) for name, value in headers if name.lower() not in left_out]
    read = [(name, f"${variable}") for name, variable in variables]
    click.echo(" \\\n  ".join(curl_command(["--globoff"], shlex.quote(str(signed.url)), shown, read)))
    for _, variable in variables:
        click.echo(f"The command reads the token from the environment variable {variable}.", err=True)


def _explain(signed: httpx.Request) -> None:
    """Print the canonical request and the string to sign of a signed request."""
    from metastudio.auth import signature
    from metastudio.redaction import mask_canonical_request

    _, _, covered = signed.headers.get("Authorization", "").partition("SignedHeaders=")
    if not covered:
        raise CommandError("--explain needs an access key; requests with a token are not signed", code=ExitCode.USAGE)
    headers = {name: signed.headers[name] for name in covered.partition(",")[0].split(";")}
    path, _, query = signed.url.raw_path.decode("ascii").partition("?")
    canonical = signature.canonical_request(signed.method, path, query, headers)
    text = signature.string_to_sign(headers["x-sdk-date"], canonical)
    for title, body in (("canonical request", mask_canonical_request(canonical)), ("string to sign", text)):
        click.echo(f"{styled(f'--- {title}', bold=True)}\n{body}")
