"""The public clients: MetaStudio, AsyncMetaStudio and connect()."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Never, ParamSpec, Self, TypeVar

import httpx
from metastudio_client.api import Api, AsyncApi

from metastudio import config
from metastudio.auth.clock import Clock
from metastudio.auth.flow import AuthFlow
from metastudio.config import Config
from metastudio.engine import AsyncEngine, Engine
from metastudio.errors import ConfigurationError
from metastudio.http.call_settings import CallSettings
from metastudio.http.proxies import check_proxies
from metastudio.http.response import MAX_RESPONSE_SIZE
from metastudio.http.retry import RetryPolicy, check_timeout
from metastudio.http.session import DEFAULT_TIMEOUT, AsyncSession, Session, TransportOptions

if TYPE_CHECKING:
    from metastudio_client.client import Client

    from metastudio.auth.credentials import Credentials

P = ParamSpec("P")
R = TypeVar("R")


_KINDS: Mapping[str, tuple[type, ...]] = {
    "region": (str,), "project_id": (str,), "profile": (str,), "base_url": (str, httpx.URL), "app_user_id": (str,),
    "proxy": (str, httpx.URL, httpx.Proxy), "limits": (httpx.Limits,), "event_hooks": (Mapping,),
    "allow_http": (bool,), "trust_env": (bool,), "http2": (bool,),
}  # fmt: skip
"""Types of options that nothing else checks before they are used."""


class _ClientBase:
    """What both clients share: their options.

    Attributes:
        config: The settings found, and where each comes from.
    """

    config: Config

    def __init__(
        self,
        *,
        region: str | None = None,
        project_id: str | None = None,
        credentials: Credentials | None = None,
        auth: httpx.Auth | None = None,
        profile: str | None = None,
        base_url: str | httpx.URL | None = None,
        app_user_id: str | None = None,
        timeout: float | httpx.Timeout = DEFAULT_TIMEOUT,
        max_retries: int = 2,
        allow_http: bool = False,
        max_response_size: int | None = MAX_RESPONSE_SIZE,
        verify: bool | str | ssl.SSLContext = True,
        cert: str | tuple[str, str] | tuple[str, str, str] | None = None,
        proxy: httpx.Proxy | httpx.URL | str | None = None,
        trust_env: bool = True,
        http2: bool = False,
        limits: httpx.Limits | None = None,
        transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None = None,
        event_hooks: Mapping[str, list[Callable[..., Any]]] | None = None,
        **_unknown: Never,
    ) -> None:
        """Set up the client. Sends no request.

        Args:
            region: Name of a region, such as cn-north-4; else METASTUDIO_REGION, else the credentials file's, else the
                contract's default.
            project_id: ID of the project; else HUAWEICLOUD_SDK_PROJECT_ID, else that of the credentials file, else IAM
                is asked.
            credentials: An access key; else HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, else METASTUDIO_TOKEN, else the
                credentials file, else the metadata service of the cloud server.
            auth: Any `httpx.Auth`, such as `TokenAuth` or `IamTokenAuth`, instead of credentials.
            profile: Section of the credentials file, whose keys, region and project then precede the environment; else
                HUAWEICLOUD_SDK_PROFILE, else "basic".
            base_url: URL of the server; else that of the argument `region`, else METASTUDIO_BASE_URL, else that of the
                region found.
            app_user_id: Sent with every request as X-App-UserId.
            timeout: Seconds for each wait of an attempt, or an `httpx.Timeout`. By default 30 s, and 10 s to connect.
            max_retries: Retries after a transient failure. 0 turns them off.
            allow_http: Whether to send credentials over plain http to another machine.
            max_response_size: Bytes that a response may have after decoding; None for no limit. By default 64 MiB.
            verify: False to accept any certificate, or a file or folder of CA certificates, or an `ssl.SSLContext`.
            cert: File of a client certificate, or a tuple of certificate, key and password.
            proxy: URL of a proxy. By default HTTPS_PROXY, ALL_PROXY and NO_PROXY apply.
            trust_env: Whether variables such as HTTPS_PROXY and SSL_CERT_FILE apply.
            http2: Whether to offer HTTP/2, which needs the extra `http2`.
            limits: An `httpx.Limits`. By default 32 connections.
            transport: An `httpx.BaseTransport`, or an `httpx.AsyncBaseTransport` for the asynchronous client.
            event_hooks: Lists of functions under "request" and "response", as for `httpx.Client`.

        Raises:
            ConfigurationError: An option is invalid.
            CredentialsError: The credentials found are incomplete or cannot be read.
            TypeError: There is no such option.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "_unknown")}
        self.config, arguments = _configure({**given, **_unknown})
        self._settings = CallSettings(arguments["timeout"], arguments["retry"])
        self._shares_connections = False
        self._start(arguments)

    def _start(self, arguments: dict[str, Any]) -> None:
        """Make the session from its keyword arguments, and the engine. Each of the two clients has its own."""
        raise NotImplementedError

    def _with_settings(self, settings: CallSettings) -> Self:
        """Return a copy with other settings on the same connections. Each of the two clients has its own."""
        raise NotImplementedError

    def with_options(
        self,
        *,
        timeout: float | httpx.Timeout | None = None,
        max_retries: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Return a client with other options for its calls. It shares the connections of this client.

            studio.with_options(timeout=5, max_retries=0).training_jobs.list()

        It need not be closed: closing it does nothing, and closing this client ends both.

        Args:
            timeout: As for the client; None keeps its value.
            max_retries: As for the client; None keeps its value.
            headers: Sent with each request, in addition to the headers it has.

        Raises:
            ConfigurationError: An option is invalid.
        """
        settings = self._settings.changed(
            timeout=None if timeout is None else check_timeout(timeout), max_retries=max_retries, headers=headers
        )
        studio = self._with_settings(settings)
        for name in vars(Api):  # what was imported so far calls with the settings of this client
            vars(studio).pop(name, None)
        studio._settings = settings
        studio._shares_connections = True
        return studio

    def __repr__(self) -> str:
        found: Config | None = getattr(self, "config", None)  # there is none if the constructor has failed
        return f"<{type(self).__name__} {found.summary()}>" if found else f"<{type(self).__name__}>"


class MetaStudio(_ClientBase, Api):
    """The service over blocking I/O. Threads may share it. Close it, or use it in a `with` statement.

    The operations are attributes by tag: `studio.training_jobs.list(limit=10)`.
    """

    def _start(self, arguments: dict[str, Any]) -> None:
        self._session = Session(**arguments)
        self._engine = Engine(self._session, self.config.project_id, self._find_project)

    def _with_settings(self, settings: CallSettings) -> Self:
        studio = copy(self)
        studio._engine = self._engine.with_settings(settings)
        return studio

    def _find_project(self, session: Session) -> str:
        from metastudio.auth import project

        return project.find_project_id(session, self.config.auth, region=self.config.region, iam=_iam_url(self.config))

    def close(self) -> None:
        """End running iterations, wait for their requests, and close the connections. Closing twice is harmless."""
        if not self._shares_connections:
            try:
                self._engine.close()
            finally:
                self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or not issubclass(kind, KeyboardInterrupt):  # closing waits for requests, Ctrl-C must not
            self.close()


class AsyncMetaStudio(_ClientBase, AsyncApi):
    """The service over asyncio. Tasks of one loop may share it. Close it, or use it in an `async with` statement.

    The operations are attributes by tag: `await studio.training_jobs.list(limit=10)`.
    """

    def _start(self, arguments: dict[str, Any]) -> None:
        self._session = AsyncSession(**arguments)
        self._engine = AsyncEngine(self._session, self.config.project_id, self._find_project)

    def _with_settings(self, settings: CallSettings) -> Self:
        studio = copy(self)
        studio._engine = self._engine.with_settings(settings)
        return studio

    async def _find_project(self, session: AsyncSession) -> str:
        from metastudio.auth import project

        iam = _iam_url(self.config)
        return await project.afind_project_id(session, self.config.auth, region=self.config.region, iam=iam)

    async def aclose(self) -> None:
        """Cancel running iterations and close the connections. Closing twice is harmless."""
        if not self._shares_connections:
            try:
                await self._engine.aclose()
            finally:
                await self._session.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _options_of(client: Callable[P, Any]) -> Callable[[Callable[..., R]], Callable[P, R]]:
    """Give a function the keyword parameters of a client, for type checkers, `help()` and `inspect.signature`."""
    from inspect import signature

    def decorate(function: Callable[..., R]) -> Callable[P, R]:
        returned = signature(function).return_annotation
        function.__signature__ = signature(client).replace(return_annotation=returned)  # type: ignore[attr-defined]
        return function

    return decorate


@_options_of(MetaStudio)
def connect(**options: Any) -> Client:
    """Return the generated client for the generated functions, sync and async: signed, retried, with typed errors.

        client = connect(region="cn-north-4")
        page = list_training_jobs.sync(project_id, client=client, limit=10)

    Args:
        options: Those of `MetaStudio`; `transport` and `event_hooks` must be of the kind, sync or async, that is used.

    Raises:
        ConfigurationError: An option is invalid.
        CredentialsError: The credentials found are incomplete or cannot be read.
        TypeError: There is no such option.
    """
    from metastudio.connected_client import ConnectedClient

    found, arguments = _configure(options)
    return ConnectedClient(
        base_url=str(arguments.pop("base_url")),
        headers=arguments.pop("headers"),
        timeout=arguments.pop("timeout"),
        max_retries=arguments.pop("retry").max_retries,
        config=found,
        session_arguments=arguments,
    )


def _configure(given: Mapping[str, Any]) -> tuple[Config, dict[str, Any]]:
    """Return the settings found, and the keyword arguments for the session."""
    from metastudio_client.contract import VERSION

    defaults = _ClientBase.__init__.__kwdefaults__ or {}
    for name in given.keys() - defaults.keys():
        from difflib import get_close_matches

        close = get_close_matches(name, defaults, 1)
        remedy = f"did you mean {close[0]}?" if close else f"known are {', '.join(defaults)}"
        raise TypeError(f"unknown option {name}; {remedy}")
    options: dict[str, Any] = {**defaults, **given}
    for name, kinds in _KINDS.items():
        value = options[name]
        if value is not None and not isinstance(value, kinds):
            *others, last = [kind.__name__ for kind in kinds]
            known = f"{', '.join(others)} or {last}" if others else last
            raise ConfigurationError(f"{name} must be {known}, not {type(value).__name__}")
        if value == "":
            raise ConfigurationError(f"{name} must not be empty; leave it out to use the environment")
    check_proxies(options["proxy"], trust_env=False)  # the session checks the environment
    found = config.resolve(
        region=options["region"],
        project_id=options["project_id"],
        credentials=options["credentials"],
        auth=options["auth"],
        profile=options["profile"],
        base_url=options["base_url"],
        allow_http=options["allow_http"],
        clock=Clock(),
    )
    if isinstance(found.auth, AuthFlow):
        found.auth.trust(found.base_url)
    timeout = check_timeout(options["timeout"])
    return found, {
        "auth": found.auth,
        "base_url": found.base_url,
        "headers": {"User-Agent": f"metastudio-client/{VERSION}", **_app_user(options["app_user_id"])},
        "timeout": timeout,
        "retry": RetryPolicy.within(timeout, max_retries=options["max_retries"]),
        **{name: value for name, value in options.items() if name in TransportOptions.__annotations__},
    }


def _iam_url(found: Config) -> str:
    from metastudio.auth import iam

    return iam.endpoint(found.region, found.iam_endpoint, allow_http=found.allow_http)


def _app_user(app_user_id: str | None) -> dict[str, str]:
    if app_user_id is None:
        return {}
    if not (app_user_id and app_user_id.isascii() and app_user_id.isprintable() and app_user_id == app_user_id.strip()):
        raise ConfigurationError(
            f"app_user_id must be printable ASCII without line breaks or blanks at its ends, not {app_user_id!a}"
        )
    return {"X-App-UserId": app_user_id}
