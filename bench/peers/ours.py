"""This client, over blocking I/O and over asyncio."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from metastudio import AkSkAuth, Credentials, MetaStudio
from metastudio.auth import signature
from metastudio.http.url import normalize_query
from peers import ACCESS_KEY, PROJECT_ID, SECRET_KEY


def options(url: str, ca: str | None) -> dict[str, Any]:
    return {
        "base_url": url,
        "project_id": PROJECT_ID,
        "credentials": Credentials(ACCESS_KEY, SECRET_KEY),
        "verify": ca or True,
    }


class Peer:
    def __init__(self, url: str, ca: str | None = None) -> None:
        self._studio = MetaStudio(**options(url, ca))

    def calls(self, offsets: Iterable[int], limit: int, keep: bool = False) -> list[Any]:
        kept: list[Any] = []
        for offset in offsets:
            page = self._studio.training_jobs.list(offset=offset, limit=limit)
            if keep:
                kept.append(page.jobs)
        return kept

    def everything(self, page_size: int, concurrency: int | None, seen: Callable[[object], None]) -> None:
        chosen = {"concurrency": concurrency} if concurrency else {}
        for job in self._studio.training_jobs.iterate(page_size=page_size, **chosen):
            seen(job)

    def close(self) -> None:
        self._studio.close()

    def signer(self) -> Callable[[int], object]:
        """From the parts of a request to the value of Authorization."""
        headers = {"host": "metastudio.cn-north-4.myhuaweicloud.com", "x-project-id": PROJECT_ID}
        sign = signature.keyed_signature(SECRET_KEY)
        path = f"/v1/{PROJECT_ID}/digital-human-training-manage/user/jobs"

        def signed(number: int) -> str:
            date = signature.format_date(datetime.now(UTC))
            query = normalize_query(f"limit=100&offset={number}")
            all_headers = {**headers, "x-sdk-date": date}
            canonical = signature.canonical_request("GET", path, query, all_headers)
            text = signature.string_to_sign(date, canonical)
            return signature.authorization(ACCESS_KEY, signature.signed_headers(all_headers), sign(text))

        return signed

    def client_signer(self) -> Callable[[int], object]:
        """What httpx calls: the headers go into the request."""
        import httpx

        auth = AkSkAuth(ACCESS_KEY, SECRET_KEY, project_id=PROJECT_ID)
        path = f"/v1/{PROJECT_ID}/digital-human-training-manage/user/jobs"
        client = httpx.Client(base_url="https://metastudio.cn-north-4.myhuaweicloud.com")
        requests = [client.build_request("GET", f"{path}?limit=100&offset={number}") for number in range(1000)]
        return lambda number: next(auth.sync_auth_flow(requests[number]))
