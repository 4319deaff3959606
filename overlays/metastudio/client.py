"""The front door: settings in, generated client out, with everything that a specification cannot say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

import attrs
import httpx
from metastudio_client._contract import VERSION
from metastudio_client.api import Api, AsyncApi
from metastudio_client.client import Client

from metastudio import config
from metastudio.auth.aksk import AkSkAuth
from metastudio.auth.clock import Clock
from metastudio.auth.token import TokenFlow
from metastudio.contract import operation
from metastudio.engine import AsyncEngine, Engine
from metastudio.errors import ConfigurationError
from metastudio.http.retry import RetryPolicy
from metastudio.http.session import AsyncSession, Session
from metastudio.http.tls import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    import ssl

    from metastudio.auth.credentials import Credentials

_building = threading.Lock()


class Options(TypedDict, total=False):
    """Keyword arguments of `MetaStudio`, `AsyncMetaStudio` and `connect`; each may be left out.

    region: name of a region, any; else METASTUDIO_REGION, else the contract's default.
    project_id: ID of the project; else HUAWEICLOUD_SDK_PROJECT_ID, else the credentials file, else IAM is asked.
    credentials: an access key; else HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, else METASTUDIO_TOKEN, else the
        credentials file, else the metadata of the cloud machine this runs on.
    auth: any `httpx.Auth`, used as it is instead of credentials.
    base_url: of the server; else METASTUDIO_BASE_URL, else the region's.
    app_user_id: sent with every request as X-App-UserId.
    timeout: seconds for each wait of an attempt, or an `httpx.Timeout`. 30, and 10 to connect.
    max_retries: repeats after a failure that may pass. 2.
    allow_http: send credentials over plain http to another machine.
    proxy, verify, cert, limits, event_hooks, transport, trust_env, http2: as for `httpx.Client`.
    """

    region: str | None
    project_id: str | None
    credentials: Credentials | None
    auth: httpx.Auth | None
    base_url: str | httpx.URL | None
    app_user_id: str | None
    timeout: float | httpx.Timeout
    max_retries: int
    allow_http: bool
    proxy: httpx.Proxy | httpx.URL | str | None
    verify: bool | str | ssl.SSLContext
    cert: str | tuple[str, str] | tuple[str, str, str] | None
    limits: httpx.Limits | None
    event_hooks: Mapping[str, list[Callable[..., Any]]] | None
    transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None
    trust_env: bool
    http2: bool


_CONNECTION = frozenset({"proxy", "verify", "cert", "limits", "event_hooks", "transport", "trust_env", "http2"})


class MetaStudio(Api):
    """The service over blocking I/O. May be shared by threads; close it, or use it in a `with` statement.

    The operations are attributes by tag: `studio.training_jobs.list(limit=10)`. Arguments: see `Options`.

    Raises:
        ConfigurationError, CredentialsError: settings that cannot work, at once.
        MetaStudioError: its subclasses, by the calls.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        self._connected = _connect(options)
        self.settings = self._connected.found
        self._engine = Engine(self._connected, self.settings)
        super().__init__(self._engine)

    def close(self) -> None:
        """End running iterations, wait for their requests, and close the connections. A second time does nothing."""
        self._engine.close()
        self._connected.get_httpx_client().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return _shown(self, self.settings)


class AsyncMetaStudio(AsyncApi):
    """The service over asyncio. May be shared by tasks of one loop; close it, or use it in an `async with` statement.

    The operations are attributes by tag: `await studio.training_jobs.list(limit=10)`. Arguments: see `Options`.

    Raises:
        ConfigurationError, CredentialsError: settings that cannot work, at once.
        MetaStudioError: its subclasses, by the calls.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        self._connected = _connect(options)
        self.settings = self._connected.found
        self._engine = AsyncEngine(self._connected, self.settings)
        super().__init__(self._engine)

    async def aclose(self) -> None:
        """Cancel running iterations and close the connections. A second time does nothing."""
        await self._engine.aclose()
        await self._connected.get_async_httpx_client().aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return _shown(self, self.settings)


def connect(**options: Unpack[Options]) -> Client:
    """Return the generated client, ready for the generated functions, sync and async: signed, retried, typed errors.

        client = connect(region="cn-north-4")
        page = list_training_jobs.sync(project_id, client=client, limit=10)

    Arguments: see `Options`; `transport` and `event_hooks` must be of the kind, sync or async, that is used.

    Raises:
        ConfigurationError, CredentialsError: settings that cannot work.
    """
    return _connect(options)


@attrs.define(repr=False)
class _Connected(Client):
    """The generated client, whose httpx clients are sessions of ours, made when they are first needed."""

    found: config.Config = attrs.field(kw_only=True)
    retry: RetryPolicy = attrs.field(kw_only=True)
    connection: dict[str, Any] = attrs.field(kw_only=True)

    def get_httpx_client(self) -> httpx.Client:
        """Return the session, making it under a lock: threads may ask at once."""
        if self._client is None:
            with _building:
                self._client = self._client or _ProjectSession(retry=self.retry, **self._session_arguments())
        return self._client

    def get_async_httpx_client(self) -> httpx.AsyncClient:
        """Return the async session."""
        if self._async_client is None:
            with _building:
                arguments = self._session_arguments()
                self._async_client = self._async_client or _AsyncProjectSession(retry=self.retry, **arguments)
        return self._async_client

    def _session_arguments(self) -> dict[str, Any]:
        return {
            "find_operation": operation.find,
            "auth": self.found.auth,
            "base_url": self._base_url,
            "headers": self._headers,
            "cookies": self._cookies,
            "timeout": self._timeout,
            **self.connection,
        }

    def __repr__(self) -> str:
        return _shown(self, self.found)


class _ProjectSession(Session):
    """Names the project of the path in X-Project-Id too, which a signature of this cloud covers (facts.md 1)."""

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request:
        return _name_project(super().build_request(*args, **kwargs), self)


class _AsyncProjectSession(AsyncSession):
    """As `_ProjectSession`."""

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request:
        return _name_project(super().build_request(*args, **kwargs), self)


def _name_project(request: httpx.Request, session: httpx.Client | httpx.AsyncClient) -> httpx.Request:
    if isinstance(session.auth, AkSkAuth):
        path = request.url.path.removeprefix(session.base_url.path.rstrip("/"))
        found_operation = operation.find(request.method, path)
        match = found_operation and found_operation.path_pattern.match(path)
        if match and "project_id" in match.groupdict():
            request.headers.setdefault("X-Project-Id", match["project_id"])
    return request


def _connect(options: Options) -> _Connected:
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown option {', '.join(sorted(unknown))}; there are {', '.join(Options.__annotations__)}")
    found = config.resolve(
        region=options.get("region"),
        project_id=options.get("project_id"),
        credentials=options.get("credentials"),
        auth=options.get("auth"),
        base_url=options.get("base_url"),
        allow_http=options.get("allow_http", False),
        clock=Clock(),
    )
    timeout = _timeout(options.get("timeout", DEFAULT_TIMEOUT))
    if isinstance(found.auth, TokenFlow):
        found.auth.trust(found.base_url)
    return _Connected(
        base_url=str(found.base_url),
        headers={"User-Agent": f"metastudio-client/{VERSION}", **_app_user(options.get("app_user_id"))},
        timeout=timeout,
        found=found,
        retry=RetryPolicy.within(timeout, max_retries=options.get("max_retries", 2)),
        connection={name: value for name, value in options.items() if name in _CONNECTION},
    )


def _timeout(given: float | httpx.Timeout) -> httpx.Timeout:
    if isinstance(given, httpx.Timeout):
        return given
    if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        raise ConfigurationError(f"timeout is a number of seconds above 0, or an httpx.Timeout, not {given!r}")
    return httpx.Timeout(given, pool=None)


def _app_user(app_user_id: str | None) -> dict[str, str]:
    if app_user_id is None:
        return {}
    if not (app_user_id and app_user_id.isascii() and app_user_id.isprintable() and app_user_id == app_user_id.strip()):
        raise ConfigurationError(f"app_user_id is visible ASCII characters without line breaks, not {app_user_id!a}")
    return {"X-App-UserId": app_user_id}


def _shown(client: object, found: config.Config) -> str:
    return f"<{type(client).__name__.lstrip('_')} {found.base_url} project={found.project_id} auth={found.auth!r}>"
