"""The public clients: MetaStudio, AsyncMetaStudio and connect()."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self, Unpack

import attrs
import httpx
from metastudio_client.api import Api, AsyncApi
from metastudio_client.client import Client
from metastudio_client.contract import OPERATIONS, VERSION

from metastudio import config
from metastudio.auth.clock import Clock
from metastudio.auth.token import TokenFlow
from metastudio.config import Config
from metastudio.engine import AsyncEngine, Engine
from metastudio.errors import ConfigurationError
from metastudio.http.retry import RetryPolicy, check_timeouts
from metastudio.http.session import DEFAULT_TIMEOUT, AsyncSession, Session, TransportOptions

if TYPE_CHECKING:
    from metastudio.auth.credentials import Credentials


class Options(TransportOptions, total=False):
    """Keyword arguments of `MetaStudio`, `AsyncMetaStudio` and `connect`. All are optional.

    Args:
        region: Name of a region; else METASTUDIO_REGION, else the contract's default.
        project_id: ID of the project; else HUAWEICLOUD_SDK_PROJECT_ID, else the credentials file, else IAM is asked.
        credentials: An access key; else HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, else METASTUDIO_TOKEN, else the
            credentials file, else the metadata service of the cloud server.
        auth: Any `httpx.Auth`, instead of credentials.
        base_url: URL of the server; else that of `region`, else METASTUDIO_BASE_URL, else that of the default region.
        app_user_id: Sent with every request as X-App-UserId.
        timeout: Seconds for each wait of an attempt, or an `httpx.Timeout`. By default 30 s, and 10 s to connect.
        max_retries: Retries after a transient failure. By default 2.
        allow_http: Send credentials over plain http to another machine.
        max_response_size: Bytes that a response may have after decoding; None for no limit. By default 64 MiB.
        proxy, verify, cert, limits, event_hooks, transport, trust_env, http2: As for `httpx.Client`.
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


class MetaStudio(Api):
    """The service over blocking I/O. Threads may share it. Close it, or use it in a `with` statement.

    The operations are attributes by tag: `studio.training_jobs.list(limit=10)`.

    Args:
        options: See `Options`.

    Raises:
        ConfigurationError: An option is invalid.
        CredentialsError: The credentials found are incomplete or cannot be read.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        self.config, arguments = _configure(options)
        self._session = Session(**arguments)
        self._engine = Engine(self._session, self.config.project_id, self._find_project)
        super().__init__(self._engine)

    def _find_project(self, session: Session) -> str:
        from metastudio.auth import project

        return project.find_project_id(session, self.config.auth, region=self.config.region, iam=_iam_url(self.config))

    def close(self) -> None:
        """End running iterations, wait for their requests, and close the connections. Closing twice is harmless."""
        self._engine.close()
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or not issubclass(kind, KeyboardInterrupt):  # closing waits for requests, Ctrl-C must not
            self.close()

    def __repr__(self) -> str:
        return _shown(self)


class AsyncMetaStudio(AsyncApi):
    """The service over asyncio. Tasks of one loop may share it. Close it, or use it in an `async with` statement.

    The operations are attributes by tag: `await studio.training_jobs.list(limit=10)`.

    Args:
        options: See `Options`.

    Raises:
        ConfigurationError: An option is invalid.
        CredentialsError: The credentials found are incomplete or cannot be read.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        self.config, arguments = _configure(options)
        self._session = AsyncSession(**arguments)
        self._engine = AsyncEngine(self._session, self.config.project_id, self._find_project)
        super().__init__(self._engine)

    async def _find_project(self, session: AsyncSession) -> str:
        from metastudio.auth import project

        iam = _iam_url(self.config)
        return await project.afind_project_id(session, self.config.auth, region=self.config.region, iam=iam)

    async def aclose(self) -> None:
        """Cancel running iterations and close the connections. Closing twice is harmless."""
        await self._engine.aclose()
        await self._session.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return _shown(self)


def connect(**options: Unpack[Options]) -> Client:
    """Return the generated client for the generated functions, sync and async: signed, retried, with typed errors.

        client = connect(region="cn-north-4")
        page = list_training_jobs.sync(project_id, client=client, limit=10)

    Args:
        options: See `Options`; `transport` and `event_hooks` must be of the kind, sync or async, that is used.

    Raises:
        ConfigurationError: An option is invalid.
        CredentialsError: The credentials found are incomplete or cannot be read.
    """
    found, arguments = _configure(options)
    return ConnectedClient(
        base_url=str(arguments.pop("base_url")),
        headers=arguments.pop("headers"),
        timeout=arguments.pop("timeout"),
        max_retries=arguments.pop("retry").max_retries,
        config=found,
        session_arguments=arguments,
    )


@attrs.define(repr=False)
class ConnectedClient(Client):
    """The generated client. It makes a session on first use, also on copies by `with_headers` and `with_timeout`."""

    config: Config = attrs.field(kw_only=True)
    _max_retries: int = attrs.field(kw_only=True, alias="max_retries")
    _session_arguments: dict[str, Any] = attrs.field(kw_only=True, alias="session_arguments")
    _session_lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def get_httpx_client(self) -> httpx.Client:
        """Return the session, making it under a lock, because threads may ask at once."""
        if self._client is None:
            with self._session_lock:
                self._client = self._client or Session(**self._arguments())
        return self._client

    def get_async_httpx_client(self) -> httpx.AsyncClient:
        """Return the asynchronous session."""
        if self._async_client is None:
            with self._session_lock:
                self._async_client = self._async_client or AsyncSession(**self._arguments())
        return self._async_client

    def _arguments(self) -> dict[str, Any]:
        timeout = _timeout(self._timeout or DEFAULT_TIMEOUT)
        return {
            **self._session_arguments,
            "operations": OPERATIONS.values(),
            "base_url": self._base_url,
            "headers": self._headers,
            "timeout": timeout,
            "retry": RetryPolicy.within(timeout, max_retries=self._max_retries),
        }

    def __repr__(self) -> str:
        return _shown(self)


def _configure(options: Options) -> tuple[Config, dict[str, Any]]:
    """Return the settings found, and the keyword arguments for the session."""
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown option {', '.join(sorted(unknown))}; known are {', '.join(Options.__annotations__)}")
    found = config.resolve(
        region=options.get("region"),
        project_id=options.get("project_id"),
        credentials=options.get("credentials"),
        auth=options.get("auth"),
        base_url=options.get("base_url"),
        allow_http=options.get("allow_http", False),
        clock=Clock(),
    )
    if isinstance(found.auth, TokenFlow):
        found.auth.trust(found.base_url)
    timeout = _timeout(options.get("timeout", DEFAULT_TIMEOUT))
    return found, {
        "auth": found.auth,
        "base_url": found.base_url,
        "headers": {"User-Agent": f"metastudio-client/{VERSION}", **_app_user(options.get("app_user_id"))},
        "timeout": timeout,
        "retry": RetryPolicy.within(timeout, max_retries=options.get("max_retries", 2)),
        **{name: value for name, value in options.items() if name in TransportOptions.__annotations__},
    }


def _iam_url(found: Config) -> str:
    from metastudio.auth import iam

    return iam.endpoint(found.region, found.iam_endpoint, allow_http=found.allow_http)


def _timeout(given: float | httpx.Timeout) -> httpx.Timeout:
    if isinstance(given, httpx.Timeout):
        return check_timeouts(given)
    if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        raise ConfigurationError(f"timeout must be a number of seconds above 0, or an httpx.Timeout, not {given!r}")
    return check_timeouts(httpx.Timeout(given, pool=None))


def _app_user(app_user_id: str | None) -> dict[str, str]:
    if app_user_id is None:
        return {}
    if not (app_user_id and app_user_id.isascii() and app_user_id.isprintable() and app_user_id == app_user_id.strip()):
        raise ConfigurationError(
            f"app_user_id must be printable ASCII without line breaks or blanks at its ends, not {app_user_id!a}"
        )
    return {"X-App-UserId": app_user_id}


def _shown(client: object) -> str:
    found: Config | None = getattr(client, "config", None)
    if found is None:  # the constructor has failed
        return f"<{type(client).__name__}>"
    return f"<{type(client).__name__} {found.base_url} project={found.project_id} auth={found.auth!r}>"
