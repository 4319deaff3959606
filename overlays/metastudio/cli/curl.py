"""`metastudio curl`: sign a GET request for any service of Huawei Cloud, and send, print or explain it."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import click
from metastudio_client.contract import OPERATIONS

from metastudio.cli.columns import printable
from metastudio.cli.connection import connection_options, current
from metastudio.cli.exits import CommandError, ExitCode
from metastudio.cli.sections import Command, Option
from metastudio.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx

    from metastudio.config import Config

PROJECT = "{project_id}"
_RESERVED_HEADERS = frozenset({"authorization", "x-auth-token", "x-security-token", "x-sdk-date", "host"})


def curl_command() -> click.Command:
    """Return the command."""
    own = [
        Option(["--header", "-H"], multiple=True, metavar="'NAME: VALUE'", help="Add this header. Repeatable."),
        Option(["--include", "-i"], is_flag=True, help="Show the response's status and headers."),
        Option(
            ["--print", "printed"], is_flag=True, help="Do not send; print a curl command that is valid for 15 minutes."
        ),
        Option(
            ["--explain"],
            is_flag=True,
            help="Do not send; show the canonical request and the string to sign, to compare with those of the "
            "gateway. Tokens are masked.",
        ),
        Option(
            ["--allow-host"],
            multiple=True,
            metavar="HOST",
            help="Send credentials to this host even if it is not a Huawei Cloud host or the configured server.",
        ),
    ]
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
    names = ("region", "project_id", "base_url", "allow_http")
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
    from metastudio.http.proxies import plain_client
    from metastudio.http.response import MAX_RESPONSE_SIZE, ResponseBody
    from metastudio.http.retry import RetryPolicy, check_timeouts
    from metastudio.http.session import DEFAULT_TIMEOUT
    from metastudio.http.transport_errors import connection_failure

    def limit_body(response: httpx.Response) -> None:
        response.stream = ResponseBody(response, MAX_RESPONSE_SIZE)

    timeouts = check_timeouts(httpx.Timeout(timeout)) if timeout else DEFAULT_TIMEOUT
    hooks: dict[str, Any] = {"request": [limit_connections], "response": [limit_body]}
    with (
        deadline(RetryPolicy.within(timeouts).deadline),
        plain_client(auth=config.auth, timeout=timeouts, event_hooks=hooks) as client,
    ):
        request.headers = httpx.Headers({**client.headers, **request.headers})
        try:
            response = client.send(request)
        except httpx.RequestError as error:
            raise connection_failure(error, request, retries=0).error from None
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
    lines = (printable(line.expandtabs()) for line in text.splitlines())
    Terminal(sys.stdout).write("".join(f"{line}\n" for line in lines))


def _print(signed: httpx.Request) -> None:
    """Print a curl command.

    It contains the signature, which expires, but reads tokens from environment variables.
    """
    from metastudio.auth.chain import SECURITY_TOKEN
    from metastudio.config import TOKEN

    left_out = {"x-auth-token": TOKEN, "x-security-token": SECURITY_TOKEN}
    parts = [f"curl --globoff {shlex.quote(str(signed.url))}"]
    variables: list[str] = []
    for raw_name, value in signed.headers.raw:
        name = raw_name.decode("ascii")
        if name.lower() == "host":
            continue
        if variable := left_out.get(name.lower()):
            variables.append(variable)
            parts.append(f'-H "{name}: ${variable}"')
        else:
            parts.append(f"-H {shlex.quote(f'{name}: {value.decode()}')}")
    Terminal(sys.stdout).write(" \\\n  ".join(parts) + "\n")
    for variable in variables:
        Terminal(sys.stderr).write(f"The command reads the token from the environment variable {variable}.\n")


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
    terminal = Terminal(sys.stdout)
    for title, body in (("canonical request", mask_canonical_request(canonical)), ("string to sign", text)):
        terminal.write(f"{terminal.style(f'--- {title}', bold=True)}\n{body}\n")
