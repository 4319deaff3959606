"""What a user sees of an object: its repr, the table in a notebook, rows, and what its state means."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import metastudio
import metastudio_client.models
import pytest
from metastudio import AsyncMetaStudio, Credentials, MetaStudio, TrainingJobBasicInfo, TrainingJobState, errors
from metastudio.sandbox import Sandbox, serve
from metastudio_client.contract import LIST_TRAINING_JOBS
from metastudio_client.types import UNSET

ADDRESS = "https://host.example/cover?signature=abcd"
JOB: dict[str, Any] = {
    "job_id": "a1",
    "name": "Anna <b>\u202e\n& 'co'",
    "state": "TRAINING",
    "project_id": "p1",
    "create_time": "2026-01-02T03:04:05+08:00",
    "cover_download_url": ADDRESS,
    "contact": "anna@mail.example",
    "tags": ["x", "y"],
    "model_version": "V9",
    "newer": {"contact": "anna@mail.example", "cover": ADDRESS, "deep": [1, 2, 3, 4, 5]},
}


def job(**changes: Any) -> TrainingJobBasicInfo:
    return TrainingJobBasicInfo.from_dict(JOB | changes)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(jobs=40) as server:
        yield server


def options(sandbox: Sandbox) -> Any:
    keys = Credentials(sandbox.access_key, sandbox.secret_key)
    return {"base_url": sandbox.url, "credentials": keys, "project_id": sandbox.project_id}


def test_a_repr_is_one_line_of_what_is_set() -> None:
    assert repr(job()) == (
        "TrainingJobBasicInfo(job_id='a1', name=\"Anna <b> & 'co'\", state=TRAINING, project_id='p1', "
        "create_time=2026-01-02T03:04:05+08:00, cover_download_url=***, contact=***, tags=['x', 'y'], "
        "model_version='V9', newer={'contact': ***, 'cover': 'https://host.example/***', 'deep': [1, 2, 3, "
        "... 2 more]})"
    )
    assert repr(UNSET) == "UNSET"
    assert len(repr(job(name="long " * 10_000))) < 500


def test_a_page_has_a_length_items_and_a_request_id(sandbox: Sandbox) -> None:
    with MetaStudio(**options(sandbox)) as studio:
        page = studio.training_jobs.list(limit=5)
        (first, *_) = studio.training_jobs.iterate_pages(page_size=10)
    assert (len(page), page.count) == (5, 40)
    assert [each.job_id for each in page] == [each.job_id for each in page.jobs]
    assert (len(first), first.total) == (10, 40)
    assert list(first) == first.items
    assert page.request_id
    assert first.request_id
    for again in (pickle.loads(pickle.dumps(page)), copy.deepcopy(page)):
        assert (again, again.request_id) == (page, page.request_id)
    assert "request_id" not in page.to_dict()
    assert "... 2 more]" in repr(page)


def test_a_page_of_an_async_client_has_its_request_id(sandbox: Sandbox) -> None:
    async def listed() -> str | None:
        async with AsyncMetaStudio(**options(sandbox)) as studio:
            return (await studio.training_jobs.list(limit=1)).request_id

    assert asyncio.run(listed())


def test_a_notebook_shows_a_page_as_an_escaped_table_without_personal_data() -> None:
    def shown(*jobs: TrainingJobBasicInfo) -> str:
        page: Any = metastudio.ListTrainingJobsResponse(len(jobs), list(jobs))
        html: str = page._repr_html_()
        return html

    html = shown(*(job(job_id=str(number)) for number in range(30)))
    assert html.count("<tr>") == 21
    assert "<td>Anna &lt;b&gt; &amp; &#x27;co&#x27;</td>" in html
    assert "<td>2026-01-02T03:04:05+08:00</td>" in html
    assert html.endswith("<p>10 more</p>")
    assert "anna@" not in html
    assert "abcd" not in html
    assert shown().startswith("<table>")


def test_a_dictionary_is_ready_for_json_and_a_record_for_a_table(sandbox: Sandbox) -> None:
    assert json.loads(json.dumps(job().to_dict())) == JOB
    assert job().to_record() == {
        "job_id": "a1",
        "name": JOB["name"],
        "state": "TRAINING",
        "project_id": "p1",
        "create_time": datetime(2026, 1, 1, 19, 4, 5, tzinfo=UTC),
        "asset_id": None,
        "cover_download_url": ADDRESS,
        "last_update_time": None,
        "contact": "anna@mail.example",
        "batch_name": None,
        "tags": ["x", "y"],
        "model_version": "V9",
        "matting_type": None,
        "model_resolution": None,
        "app_user_id": None,
        "newer": JOB["newer"],
    }
    with MetaStudio(**options(sandbox)) as studio:
        page = studio.training_jobs.list(limit=100)
    rows = [each.to_record() for each in page]
    assert len({tuple(row) for row in rows}) == 1  # one set of columns
    types = {name: {type(row[name]) for row in rows} - {type(None)} for name in rows[0]}
    assert {name: kinds for name, kinds in types.items() if len(kinds) > 1} == {}  # of one type each
    assert types["create_time"] == types["last_update_time"] == {datetime}
    assert types["state"] == types["matting_type"] == {str}
    assert page.to_record() == {"count": 40, "jobs": rows}
    naive = datetime(2026, 1, 1)
    assert job(create_time=naive.isoformat()).to_record()["create_time"] == naive
    assert job(create_time="soon").to_record()["create_time"] == "soon"


def test_the_contract_says_what_the_state_of_a_job_means() -> None:
    for name, state in LIST_TRAINING_JOBS.states.items():
        each = job(state=name)
        assert (each.phase, each.settled, each.outcome) == (state.phase, state.at_rest, state.ended)
    for unknown in ("NEWER", None, 5):
        each = job(state=unknown)
        assert (each.phase, each.settled, each.outcome) == (None, False, None)
    changed = job()
    changed.state = TrainingJobState.JOB_FINISH
    assert (changed.phase, changed.outcome) == ("done", "success")


def test_models_and_enums_are_importable_from_the_package() -> None:
    for name in metastudio_client.models.__all__:
        assert getattr(metastudio, name) is getattr(metastudio_client.models, name)
    names = dir(metastudio)
    assert set(metastudio_client.models.__all__) | set(metastudio.__all__) <= set(names)
    assert [name for name in names if name.startswith("_")] == ["__version__"]
    assert all(
        inspect.isclass(found) or inspect.isroutine(found) or inspect.ismodule(found)
        for found in map(metastudio.__getattr__, set(names) - {"__version__"})
    )


def test_a_wait_can_raise_for_a_failed_job(sandbox: Sandbox) -> None:
    with MetaStudio(**options(sandbox)) as studio:
        jobs = studio.training_jobs
        (failed,) = jobs.list(state=["JOB_REJECT"], limit=1)
        assert jobs.wait(failed.job_id, 10) == failed
        with pytest.raises(
            errors.JobFailedError, match=f"{failed.job_id} has failed: its state is JOB_REJECT"
        ) as raised:
            jobs.wait(failed.job_id, 10, raise_on_failure=True)
        (finished,) = jobs.list(state=["JOB_FINISH"], limit=1)
        assert jobs.wait(finished.job_id, 10, raise_on_failure=True).outcome == "success"
    assert raised.value.job == failed
    restored = pickle.loads(pickle.dumps(raised.value))
    assert (restored.job.job_id, restored.job.contact) == (failed.job_id, UNSET)


def test_a_wait_can_raise_for_a_failed_job_async(sandbox: Sandbox) -> None:
    async def waited() -> None:
        async with AsyncMetaStudio(**options(sandbox)) as studio:
            (failed,) = await studio.training_jobs.list(state=["JOB_REJECT"], limit=1)
            with pytest.raises(errors.JobFailedError):
                await studio.training_jobs.wait(failed.job_id, 10, raise_on_failure=True)

    asyncio.run(waited())
