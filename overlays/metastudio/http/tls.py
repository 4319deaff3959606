"""TLS contexts, created once per process and handed to httpx by its public `verify=`.

httpx builds a context for each client, at 30 ms and more, because it reads a file of CA certificates each time.
"""

from __future__ import annotations

import ssl
from functools import cache
from os import environ, path

import httpx

from metastudio.errors import ConfigurationError


def ssl_context(
    verify: bool | str | ssl.SSLContext = True,
    cert: str | tuple[str, ...] | None = None,
    *,
    http2: bool = False,
    trust_env: bool = True,
) -> ssl.SSLContext:
    """Return a TLS context. The default one is cached per process.

    Args:
        verify: True, False, a file or folder of CA certificates, or a context.
        cert: A client certificate: the file, or file and key, or file, key and password.
        http2: Whether the connections use HTTP/2. They get a context of their own, because httpx writes the protocols
            on offer into it.
        trust_env: Whether `SSL_CERT_FILE` and `SSL_CERT_DIR` count.

    Raises:
        ConfigurationError: A CA or certificate file cannot be used.
    """
    if isinstance(verify, ssl.SSLContext) and not cert:
        return verify
    try:
        if verify is True and not cert:
            paths = (environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")) if trust_env else (None, None)
            return _default(http2, *paths)
        if isinstance(verify, str):
            context = _with_ca(verify)
        elif isinstance(verify, ssl.SSLContext):
            context = verify
        else:
            context = httpx.create_ssl_context(verify, trust_env=trust_env)
        if cert:
            context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            f"the CA or client certificate (verify, cert, SSL_CERT_FILE) cannot be used: {error}"
        ) from None
    return context


@cache
def _default(_http2: bool, ca_file: str | None, ca_folder: str | None) -> ssl.SSLContext:  # _http2 is part of the key
    ca_path = ca_file or ca_folder
    return _with_ca(ca_path) if ca_path else httpx.create_ssl_context(trust_env=False)


def _with_ca(ca_path: str) -> ssl.SSLContext:
    folder = path.isdir(ca_path)
    return ssl.create_default_context(cafile=None if folder else ca_path, capath=ca_path if folder else None)
