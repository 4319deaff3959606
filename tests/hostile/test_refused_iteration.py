"""A refused signature in an iteration: none of its other requests starts, because six in a row lock the key."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import reference_page
from loopback import CannedResponse, ReceivedRequest, serve
from metastudio import AsyncMetaStudio, Credentials, MetaStudio, errors
from session_calls import KINDS, Kind

JOB = reference_page.examples()[0]["jobs"][0]
OPTIONS: dict[str, Any] = {"page_size": 1, "concurrency": 5, "max_rate": 5.0}


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_401_stops_the_other_starts(kind: Kind) -> None:
    started: list[int] = []
    refused = threading.Event()

    def answer(request: ReceivedRequest) -> CannedResponse:
        offset = int(parse_qs(urlsplit(request.target).query)["offset"][0])
        started.append(offset)
        if offset == 1:  # the reader waits for this page, while the others are due
            assert refused.wait(5)
            threading.Event().wait(0.9)
        elif offset:
            refused.set()
            return CannedResponse(401, b'{"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication"}')
        return CannedResponse(200, json.dumps({"count": 9, "jobs": [{**JOB, "job_id": str(offset)}]}).encode())

    with serve(answer) as server:
        options: dict[str, Any] = {
            "base_url": server.url,
            "credentials": Credentials("AK", "SK"),
            "project_id": "p",
            "trust_env": False,
        }
        read: list[str] = []

        def run() -> None:
            with MetaStudio(**options) as studio:
                read.extend(job.job_id for job in studio.training_jobs.iterate(**OPTIONS))

        async def run_async() -> None:
            async with AsyncMetaStudio(**options) as studio:
                async for job in studio.training_jobs.iterate(**OPTIONS):
                    read.append(job.job_id)

        with pytest.raises(errors.AuthenticationError):
            run() if kind == "sync" else asyncio.run(run_async())
    assert len([offset for offset in started if offset > 1]) == 1
    assert read[0] == "0"
