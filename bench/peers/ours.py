"""This client over blocking I/O."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from metastudio import AkSkAuth, Credentials, MetaStudio
from metastudio.auth import signature
from metastudio.http.url import normalize_query
from peers import ACCESS_KEY, PATH, PROJECT_ID, SECRET_KEY
from peers.base import Peer


def options(url: str, ca: str | None) -> dict[str, Any]:
    return {
        "base_url": url,
        "project_id": PROJECT_ID,
        "credentials": Credentials(ACCESS_KEY, SECRET_KEY),
        "verify": ca or True,
    }


class MetaStudioPeer(Peer):
    def __init__(self, url: str, ca: str | None = None) -> None:
        self._studio = MetaStudio(**options(url, ca))

    def page(self, offset: int, limit: int) -> tuple[int, list[Any]]:
        page = self._studio.training_jobs.list(offset=offset, limit=limit)
        return page.count, page.jobs

    def everything(self, page_size: int, concurrency: int | None, seen: Callable[[object], None]) -> None:
        chosen = {"concurrency": concurrency} if concurrency else {}
        for job in self._studio.training_jobs.iterate(page_size=page_size, **chosen):
            seen(job)

    def close(self) -> None:
        self._studio.close()

    def signer(self) -> Callable[[int], object]:
        """Return a function that computes the Authorization header from the parts of a request."""

        headers = {"host": "metastudio.cn-north-4.myhuaweicloud.com", "x-project-id": PROJECT_ID}
        sign = signature.keyed_signature(SECRET_KEY)

        def signed(number: int) -> str:
            date = signature.format_date(datetime.now(UTC))
            query = normalize_query(f"limit=100&offset={number}")
            all_headers = {**headers, "x-sdk-date": date}
            canonical = signature.canonical_request("GET", PATH, query, all_headers)
            text = signature.string_to_sign(date, canonical)
            return signature.authorization(ACCESS_KEY, signature.signed_headers(all_headers), sign(text))

        return signed

    def client_signer(self) -> Callable[[int], object]:
        """Return a function that signs a request as httpx does, headers included."""
        import httpx

        auth = AkSkAuth(ACCESS_KEY, SECRET_KEY, project_id=PROJECT_ID)
        client = httpx.Client(base_url="https://metastudio.cn-north-4.myhuaweicloud.com")
        requests = [client.build_request("GET", f"{PATH}?limit=100&offset={number}") for number in range(1000)]
        return lambda number: next(auth.sync_auth_flow(requests[number]))


connect = MetaStudioPeer
