"""`metastudio curl`: a GET for any service of this cloud, signed; and sent, printed as a curl command, or explained."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from metastudio.cli.connection import connection_options, current
from metastudio.cli.exits import Exit, Refusal
from metastudio.cli.sections import Command, Option
from metastudio.cli.terminal import Terminal
from metastudio.contract.operation import operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx

    from metastudio.config import Config

PROJECT = "{project_id}"
_OURS = frozenset({"authorization", "x-auth-token", "x-security-token", "x-sdk-date", "host"})


def curl_command() -> click.Command:
    """Make the command."""
    own = [
        Option(["--header", "-H"], multiple=True, metavar="'NAME: VALUE'", help="Send this header, too. Repeatable."),
        Option(["--include", "-i"], is_flag=True, help="Write status and headers of the answer before its body."),
        Option(["--print", "printed"], is_flag=True, help="Send nothing; print a curl command, good for 15 minutes."),
        Option(
            ["--explain"],
            is_flag=True,
            help="Send nothing; show the canonical request and the string to sign, to compare with what the gateway "
            "has. Tokens are masked.",
        ),
        Option(
            ["--allow-host"],
            multiple=True,
            metavar="HOST",
            help="Let this host have the credentials, which is neither of this cloud nor the configured server.",
        ),
    ]
    return Command(
        "curl",
        callback=_curl,
        params=[click.Argument(["url"]), *own, *connection_options(own)],
        help="Sign a GET for any service of this cloud, send it, and write the answer's body. A URL that begins with a "
        f"slash is below the configured server; {PROJECT} in it is replaced.",
        notes={
            "Examples": f"""
                metastudio curl '{next(iter(operations().values())).path}'
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
    settings = resolve(**{name: given[name] for name in names if name in given})
    request = _request(settings, url, header, allow_host)
    if printed or explain:
        flow = settings.auth.sync_auth_flow(request)
        try:
            signed = next(flow)
        finally:
            flow.close()
        (_explain if explain else _print)(signed)
    else:
        _send(settings, request, include=include, timeout=given.get("timeout"))


def _request(settings: Config, url: str, headers: Sequence[str], allowed: Sequence[str]) -> httpx.Request:
    import httpx

    from metastudio.auth.aksk import AkSkAuth
    from metastudio.auth.origin_policy import is_loopback, require_https

    if PROJECT in url:
        if settings.project_id is None:
            raise Refusal("the project is not known", "set HUAWEICLOUD_SDK_PROJECT_ID or --project-id", Exit.USAGE)
        url = url.replace(PROJECT, settings.project_id)
    if url.startswith("/"):
        url = str(settings.base_url).rstrip("/") + url
    target = require_https(url, allow_http=settings.allow_http)
    cloud = _cloud()
    known = is_loopback(target.host) or target.host.endswith(f".{cloud}") or target.host == settings.base_url.host
    if not known and target.host not in allowed:
        raise Refusal(
            f"{target.host} is no host of {cloud}, nor the configured server: it gets no credentials",
            f"--allow-host {target.host} if it shall",
            Exit.USAGE,
        )
    request = httpx.Request("GET", target, headers=dict(_headers(headers)))
    in_path = settings.project_id is not None and settings.project_id in target.path.split("/")
    if in_path and isinstance(settings.auth, AkSkAuth):
        request.headers.setdefault("X-Project-Id", str(settings.project_id))
    return request


def _cloud() -> str:
    """The domain of all services of this cloud."""
    from metastudio_client.contract import SERVER

    domain: str = SERVER.template.rpartition("}.")[2]
    return domain


def _headers(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise click.UsageError(f"-H takes 'NAME: VALUE', not {line!a}", click.get_current_context())
        if name.strip().lower() in _OURS:
            raise click.UsageError(f"{name.strip()} is set by the command itself", click.get_current_context())
        yield name.strip(), value.strip()


def _send(settings: Config, request: httpx.Request, *, include: bool, timeout: float | None) -> None:
    import httpx

    from metastudio.http.error_mapping import api_error
    from metastudio.http.tls import DEFAULT_TIMEOUT
    from metastudio.http.transport_errors import connection_failure

    with httpx.Client(auth=settings.auth, timeout=timeout or DEFAULT_TIMEOUT) as client:
        request.headers = httpx.Headers({**client.headers, **request.headers})
        try:
            response = client.send(request)
        except httpx.RequestError as error:
            raise connection_failure(error, request, retries=0).error from None
    out = sys.stdout.buffer
    if include:
        out.write(f"{response.http_version} {response.status_code} {response.reason_phrase}\n".encode())
        out.writelines(name + b": " + value + b"\n" for name, value in response.headers.raw)
        out.write(b"\n")
    out.write(response.content)
    if sys.stdout.isatty() and not response.content.endswith(b"\n"):
        out.write(b"\n")
    out.flush()
    if not response.is_success:
        raise api_error(response)


def _print(signed: httpx.Request) -> None:
    """A curl command. It has the signature, which ends with its date; tokens, which do not, it reads from variables."""
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
        Terminal(sys.stderr).write(f"The token is not shown; the shell that runs this needs it in {variable}.\n")


def _explain(signed: httpx.Request) -> None:
    """What the signature covers, remade from the request as it would go out."""
    from metastudio.auth import signature
    from metastudio.redaction import mask_canonical_request

    _, _, covered = signed.headers.get("Authorization", "").partition("SignedHeaders=")
    if not covered:
        raise Refusal("nothing is signed: a token is the credential here", code=Exit.USAGE)
    headers = {name: signed.headers[name] for name in covered.partition(",")[0].split(";")}
    path, _, query = signed.url.raw_path.decode("ascii").partition("?")
    canonical = signature.canonical_request(signed.method, path, query, headers)
    text = signature.string_to_sign(headers["x-sdk-date"], canonical)
    terminal = Terminal(sys.stdout)
    for title, body in (("canonical request", mask_canonical_request(canonical)), ("string to sign", text)):
        terminal.write(f"{terminal.style(f'--- {title}', bold=True)}\n{body}\n")
