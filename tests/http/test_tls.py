"""Settings of the connections over real TLS and real proxies on the loopback interface."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import h2.config
import h2.connection
import h2.events
import httpx
import pytest
import trustme
from metastudio.errors import ApiConnectionError, ConfigurationError
from metastudio.http.session import AsyncSession, Session
from session_calls import KINDS, PATH, Kind, call

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

GOOD = json.dumps({"count": 1, "jobs": [{"job_id": "a"}]}).encode()
GUARD = 10.0


@contextlib.contextmanager
def listening(serve_one: Callable[[socket.socket], None]) -> Generator[int, None, None]:
    """Call `serve_one` in a thread for each connection; gives the port."""
    threads: list[threading.Thread] = []

    def run(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(GUARD)
            serve_one(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threads.append(threading.Thread(target=run, args=(listener.accept()[0],)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(GUARD)
        assert not thread.is_alive()


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        part = connection.recv(1)
        if not part:
            return b""
        head += part
    return head


def answer_http1(connection: socket.socket) -> None:
    while read_head(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(GOOD), GOOD))


def answer_http2(connection: socket.socket) -> None:
    h2_side = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    h2_side.initiate_connection()
    connection.sendall(h2_side.data_to_send())
    while data := connection.recv(65536):
        for event in h2_side.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                assert event.stream_id is not None
                h2_side.send_headers(event.stream_id, [(":status", "200")])
                h2_side.send_data(event.stream_id, GOOD, end_stream=True)
        connection.sendall(h2_side.data_to_send())


def over_tls(context: ssl.SSLContext, serve_one: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    def serve_tls(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            serve_one(secure)

    return serve_tls


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(scope="module")
def tls(server_context: ssl.SSLContext) -> Iterator[str]:
    with listening(over_tls(server_context, answer_http1)) as port:
        yield f"https://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
class TestTls:
    def test_an_unknown_authority(self, kind: Kind, tls: str) -> None:
        result = call(kind, tls)
        error = result.raised(ApiConnectionError)
        assert "CERTIFICATE_VERIFY_FAILED" in str(error)
        assert "Pass the file of a private CA as `verify`" in str(error)
        assert (error.retries, result.time.slept) == (0, [])

    def test_verify(self, kind: Kind, tls: str, ca_file: str, authority: trustme.CA) -> None:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        for verify in (ca_file, context, False):
            assert call(kind, tls, verify=verify).response

    def test_verify_with_a_directory(self, kind: Kind, tls: str, ca_file: str, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="cannot be used"):
            call(kind, tls, verify=str(tmp_path / "missing.pem"))
        assert "CERTIFICATE_VERIFY_FAILED" in str(call(kind, tls, verify=str(tmp_path)).raised(ApiConnectionError))

    def test_the_environment_s_authority(
        self, kind: Kind, tls: str, ca_file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", ca_file)
        monkeypatch.setenv("NO_PROXY", "*")
        assert call(kind, tls, trust_env=True).response
        assert call(kind, tls, trust_env=False).error

    def test_wrong_host(self, kind: Kind, tls: str, ca_file: str) -> None:
        url = tls.replace("127.0.0.1", "localhost")
        assert "mismatch" in str(call(kind, url, verify=ca_file).raised(ApiConnectionError)).lower()

    def test_client_certificate(
        self, kind: Kind, authority: trustme.CA, server_context: ssl.SSLContext, ca_file: str, tmp_path: Path
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        issued = authority.issue_cert("client")
        chain, key, both = str(tmp_path / "chain.pem"), str(tmp_path / "key.pem"), str(tmp_path / "both.pem")
        issued.cert_chain_pems[0].write_to_path(chain)
        issued.private_key_pem.write_to_path(key)
        issued.private_key_and_cert_chain_pem.write_to_path(both)
        with listening(over_tls(context, answer_http1)) as port:
            url = f"https://127.0.0.1:{port}"
            assert call(kind, url, verify=ca_file, cert=both).response
            assert call(kind, url, verify=ca_file, cert=(chain, key)).response
            assert call(kind, url, verify=ca_file).error
            with pytest.raises(ConfigurationError, match="cannot be used"):
                call(kind, url, verify=ca_file, cert=chain)

    def test_http2(self, kind: Kind, authority: trustme.CA, ca_file: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        context.set_alpn_protocols(["h2"])
        with listening(over_tls(context, answer_http2)) as port:
            response = call(kind, f"https://127.0.0.1:{port}", verify=ca_file, http2=True).response
        assert response is not None
        assert response.http_version == "HTTP/2"
        assert response.json()["count"] == 1

    def test_http2_through_the_shared_context(
        self, kind: Kind, authority: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A client with HTTP/2 and one without must not write their protocols into one context."""
        monkeypatch.setenv("SSL_CERT_FILE", ca_file)
        monkeypatch.setenv("NO_PROXY", "*")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        context.set_alpn_protocols(["h2", "http/1.1"])

        def either(connection: socket.socket) -> None:
            assert isinstance(connection, ssl.SSLSocket)
            (answer_http2 if connection.selected_alpn_protocol() == "h2" else answer_http1)(connection)

        with listening(over_tls(context, either)) as port:
            for http2, version in ((False, "HTTP/1.1"), (True, "HTTP/2"), (False, "HTTP/1.1")):
                response = call(kind, f"https://127.0.0.1:{port}", http2=http2, trust_env=True).response
                assert response is not None
                assert response.http_version == version

    def test_plain_http_where_tls_is_meant(self, kind: Kind) -> None:
        def answer_in_clear(connection: socket.socket) -> None:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with listening(answer_in_clear) as port:
            error = call(kind, f"https://127.0.0.1:{port}").raised(ApiConnectionError)
        assert "SSL" in str(error)
        assert error.retries == 2


def tunnel(connection: socket.socket) -> None:
    """What a proxy does: CONNECT makes a tunnel, else the whole URL is in the request line."""
    head = read_head(connection)
    method, target, _ = head.split(b" ", 2)
    if method != b"CONNECT":
        body = b'{"count": 1, "jobs": [], "proxied": "%b"}' % target
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        return
    host, _, port = target.decode().rpartition(":")
    with socket.create_connection((host, int(port))) as upstream:
        upstream.settimeout(GUARD)
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=pump, args=(upstream, connection))
        back.start()
        pump(connection, upstream)
        back.join()


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("kind", KINDS)
class TestProxies:
    def test_plain(self, kind: Kind) -> None:
        with listening(tunnel) as port:
            response = call(kind, "http://nowhere.invalid", proxy=f"http://127.0.0.1:{port}").response
        assert response is not None
        assert response.json()["proxied"] == f"http://nowhere.invalid{PATH}"

    def test_tls_through_a_tunnel(self, kind: Kind, tls: str, ca_file: str) -> None:
        with listening(tunnel) as port:
            assert call(kind, tls, proxy=f"http://127.0.0.1:{port}", verify=ca_file).response

    def test_of_the_environment(self, kind: Kind, tls: str, ca_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The shared context serves proxied connections too."""
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("SSL_CERT_FILE", ca_file)
        with listening(tunnel) as port:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
            proxied = call(kind, "http://nowhere.invalid", trust_env=True).response
            assert proxied is not None
            assert "proxied" in proxied.json()
            assert call(kind, tls, trust_env=True).response
            assert call(kind, tls, trust_env=False, verify=ca_file).response

    def test_that_refuses(self, kind: Kind) -> None:
        def refuse(connection: socket.socket) -> None:
            read_head(connection)
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        with listening(refuse) as port:
            result = call(kind, "https://nowhere.invalid", proxy=f"http://user:pa55word@127.0.0.1:{port}")
        error = result.raised(ApiConnectionError)
        assert "407" in str(error)
        assert "HTTPS_PROXY" in str(error)
        assert "pa55word" not in str(error)


@pytest.mark.parametrize("cls", [Session, AsyncSession])
@pytest.mark.parametrize(
    "settings",
    [
        {"proxy": "gopher://user:pa55word@127.0.0.1"},
        {"proxy": "http://user:pa55word@host:port"},
        {"base_url": "http://user:pa55word@host:port"},
        {"headers": {"X": "pa55word\u4e2d"}},
        {"no_such_setting": 1},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_settings_that_cannot_work(cls: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        cls(**settings)
    assert "pa55word" not in str(caught.value)


def test_a_bad_ca_file_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        Session()


@pytest.mark.parametrize("module", ["h2", "socksio"])
def test_what_is_not_installed(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    settings: Any = {"http2": True} if module == "h2" else {"proxy": "socks5://127.0.0.1"}
    with pytest.raises(ConfigurationError, match=module):
        Session(**settings)


def test_a_transport_of_the_caller_has_no_limits_of_ours() -> None:
    import asyncio

    running, most = 0, 0

    async def handler(request: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return httpx.Response(200)

    async def main() -> None:
        async with AsyncSession(transport=httpx.MockTransport(handler)) as session:
            await asyncio.gather(*(session.get("http://127.0.0.1/") for _ in range(100)))

    asyncio.run(main())
    assert most > 32


class TestSharedContext:
    def test_is_built_once_in_a_process(self, tls: str, ca_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
        built: list[object] = []
        original = ssl.create_default_context

        def counted(*args: Any, **kwargs: Any) -> ssl.SSLContext:
            built.append(kwargs)
            return original(*args, **kwargs)

        monkeypatch.setattr(ssl, "create_default_context", counted)
        monkeypatch.setenv("SSL_CERT_FILE", f"{ca_file}")
        monkeypatch.setenv("SSL_CERT_DIR", "made-up-so-that-this-test-has-a-context-of-its-own")
        for kind in KINDS * 2:
            assert call(kind, tls, trust_env=True).response
        assert built == [{"cafile": ca_file, "capath": None}]

    def test_is_httpx_s_own_otherwise(self) -> None:
        """Same certificates, same checks: what an httpx user gets without saying anything."""
        program = (
            "import ssl, httpx; from metastudio.http.tls import ssl_context\n"
            "ours = ssl_context(); theirs = httpx.create_ssl_context()\n"
            "assert ssl_context() is ours and ssl_context(http2=True) is not ours\n"
            "assert ours.cert_store_stats() == theirs.cert_store_stats()\n"
            "assert (ours.verify_mode, ours.check_hostname) == (ssl.CERT_REQUIRED, True)\n"
            "assert (ours.options, ours.verify_flags) == (theirs.options, theirs.verify_flags)\n"
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SSL_")}
        subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
