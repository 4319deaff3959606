"""The URLs and origins that credentials may be sent to."""

from __future__ import annotations

import httpx
import pytest
from metastudio.auth.origin_policy import TrustedOrigins, origin, require_https
from metastudio.errors import ConfigurationError


@pytest.mark.parametrize(
    "url",
    [
        "https://metastudio.cn-north-4.myhuaweicloud.com",
        "HTTPS://H.test:8443/base/",
        "http://localhost:8080",
        "http://api.localhost",
        "http://127.0.0.1",
        "http://[::1]:8080/",
    ],
)
def test_accepts_urls(url: str) -> None:
    assert require_https(url) == require_https(httpx.URL(url)) == httpx.URL(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://metastudio.test", "clear text"),
        ("http://10.0.0.1", "clear text"),
        ("http://0.0.0.0", "clear text"),
        ("http://localhost.evil.test", "clear text"),
        ("http://127.0.0.1.evil.test", "clear text"),
        ("http://127.9.9.9:1", "clear text"),
        ("http://169.254.169.254", "clear text"),
        ("http://[::ffff:10.0.0.1]", "clear text"),
        ("metastudio.test", "write https://host"),
        ("metastudio.test:443", "write https://host"),
        ("//metastudio.test", "write https://host"),
        ("https://", "write https://host"),
        ("https:///path", "write https://host"),
        ("ftp://metastudio.test", "write https://host"),
        ("", "write https://host"),
        ("https://user:MADEUP@h.test", "contains a user name or password"),
        ("http://user:MADEUP@h.test", "contains a user name or password"),
        ("ftp://user:MADEUP@h.test/?k=MADEUP", "write https://host"),
        ("https://h.test:port", "not a URL"),
        ("https://h.test/\n", "not a URL"),
    ],
)
def test_rejects_urls(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        require_https(url)
    assert "MADEUP" not in str(caught.value)


def test_accepts_plain_http_with_allow_http() -> None:
    assert require_https("http://10.0.0.1:80/", allow_http=True).host == "10.0.0.1"


def test_an_origin_is_scheme_host_and_port() -> None:
    trusted = TrustedOrigins()
    trusted.trust("https://H.test/base?x=1")
    trusted.check(httpx.URL("https://h.test:443/other"))
    for other in ("http://h.test", "https://h.test:444", "https://i.test", "https://h.test.evil.test"):
        with pytest.raises(ConfigurationError):
            trusted.check(httpx.URL(other))


def test_an_international_name_is_one_origin_in_both_spellings() -> None:
    assert origin(httpx.URL("https://bücher.test")) == origin(httpx.URL("https://xn--bcher-kva.test:443"))
    assert origin(httpx.URL("https://bücher.test"))[1] == "xn--bcher-kva.test"
