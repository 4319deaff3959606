"""Filters, order and pages over HTTP, against the same rules written in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metastudio.sandbox import MAIN, OTHER, Sandbox, SandboxApp, serve

pytestmark = pytest.mark.usefixtures("sandbox")
Fetch = Callable[..., httpx.Response]
Keep = Callable[[Mapping[str, Any], Any], bool]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


KEEP: dict[str, Keep] = {
    "create_since": lambda job, value: instant(job["create_time"]) >= instant(value),
    "create_until": lambda job, value: instant(job["create_time"]) <= instant(value),
    "state": lambda job, value: job["state"] in value.split(","),
    "batch_name": lambda job, value: job.get("batch_name") == value,
    "tag": lambda job, value: value in job.get("tags", []),
    "job_id": lambda job, value: job["job_id"] == value,
    "name": lambda job, value: job["name"] == value,
    "model_resolution": lambda job, value: job.get("model_resolution") == value,
    "query_project_id": lambda _job, _value: True,
    "unknown_parameter": lambda _job, _value: True,
}


def main_jobs() -> list[dict[str, Any]]:
    app = SandboxApp()
    (store,) = app.stores.values()
    found = [job for job in store.items() if job["project_id"] == MAIN.project_id]
    app.close()
    return found


JOBS = main_jobs()  # the same as in every sandbox with default settings

# Unchanged texts, mostly, and slightly changed ones.
NEAR: st.SearchStrategy[Callable[[str], str]] = st.sampled_from(
    [str, str, str, str.lower, str.upper, lambda text: text[:-1] or "-", lambda text: f"{text}x", lambda _: "none"]
)


@st.composite
def queries(draw: st.DrawFn) -> dict[str, Any]:
    """A query with the values of one job, some of them slightly changed."""
    job = draw(st.sampled_from(JOBS))
    query: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(sorted(KEEP)), max_size=3, unique=True)):
        if name.startswith("create_"):
            time = instant(job["create_time"]) + timedelta(seconds=draw(st.sampled_from([-86400, -1, 0, 0, 1, 86400])))
            hours = timedelta(hours=draw(st.sampled_from([0, 0, 8, -5])))
            sign, zone = "-" if hours < timedelta() else "+", abs(hours) // timedelta(hours=1)
            fraction = draw(st.sampled_from(["", ".000", ".5", ".000001"]))
            suffix = f"{sign}{zone:02d}:00" if hours else draw(st.sampled_from(["Z", "+00:00", "-00:00"]))
            query[name] = f"{time + hours:%Y-%m-%dT%H:%M:%S}{fraction}{suffix}"
        elif name == "state":
            others = draw(
                st.lists(st.sampled_from(sorted({each["state"] for each in JOBS} | {"NEVER_SEEN"})), max_size=3)
            )
            query[name] = ",".join([job["state"], *others])
        elif name == "tag":
            query[name] = draw(NEAR)(draw(st.sampled_from([*job.get("tags", []), "alpha"])))
        else:
            query[name] = draw(NEAR)(str(job.get(name, "alpha")))
    if draw(st.booleans()):
        query["sort_key"] = draw(st.sampled_from(["create_time", "create_time", "update_time"]))
    if draw(st.booleans()):
        query["sort_dir"] = draw(st.sampled_from(["asc", "desc"]))
    if draw(st.booleans()):
        query["offset"] = draw(st.sampled_from([0, 1, 5, 50, 101, 2**31 - 1]))
    if draw(st.booleans()):
        query["limit"] = draw(st.sampled_from([1, 2, 7, 99, 100]))
    return query


def expected(query: Mapping[str, Any]) -> dict[str, Any]:
    kept = [job for job in JOBS if all(KEEP[name](job, value) for name, value in query.items() if name in KEEP)]
    if query.get("sort_key") == "create_time":
        kept.sort(key=lambda job: (instant(job["create_time"]), job["job_id"]), reverse=query.get("sort_dir") == "desc")
    offset, limit = query.get("offset", 0), query.get("limit", 10)
    return {"count": len(kept), "jobs": kept[offset : offset + limit]}


@settings(max_examples=200, deadline=None)
@given(query=queries())
def test_filters_order_and_pages_follow_the_rules(query: dict[str, Any], fetch: Fetch) -> None:
    response = fetch(params=query)

    assert response.status_code == 200, response.text
    assert response.json() == expected(query)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ({"create_since": "2023-12-09T07:31:37Z"}, 1),  # the newest of all, to the second
        ({"create_since": "2023-12-09T07:31:37.000000001Z"}, 0),
        ({"create_since": "2023-12-09T15:31:37+08:00"}, 1),
        ({"create_since": "2023-12-09T15:31:38+08:00"}, 0),
        ({"create_since": "2016-12-31T23:59:60Z"}, 101),
        ({"create_until": "0000-01-01T00:00:00+23:59"}, 0),
        ({"create_until": "9999-12-31T23:59:59-23:59"}, 101),
        ({"tag": "alph"}, 0),
        ({"state": "training"}, None),
    ],
)
def test_edge_cases_of_comparisons(fetch: Fetch, query: dict[str, str], kept: int | None) -> None:
    response = fetch(params=query)

    assert (response.json().get("count"), response.status_code) == (kept, 400 if kept is None else 200)


def test_all_pages_together_are_the_whole_list(fetch: Fetch) -> None:
    for size in (1, 7, 100):
        pages = [fetch(params={"offset": at, "limit": size}).json() for at in range(0, 120, size)]
        assert [job for page in pages for job in page["jobs"]] == JOBS
        assert {page["count"] for page in pages} == {101}


def test_generated_items_suit_every_filter() -> None:
    """Each filter splits the items, each state occurs, and there are close times and similar texts."""
    for name in ("state", "batch_name", "name", "model_resolution"):
        values = [job.get(name) for job in JOBS]
        assert max(values.count(value) for value in set(values)) < 90
        assert any(values.count(value) > 1 for value in set(values) - {None}), name
    assert len({job["state"] for job in JOBS}) == 20
    times = [job["create_time"] for job in JOBS]
    assert len(set(times)) < len(times)
    assert all(time.endswith("Z") and len(time) == 20 for time in times)
    names = {job["name"] for job in JOBS}
    assert any(one != other and one.lower() == other.lower() for one in names for other in names)
    assert any(one != other and one in other for one in names for other in names)
    assert any(not name.isascii() for name in names)
    assert {tag for job in JOBS for tag in job.get("tags", [])}
    for optional in ("tags", "asset_id", "batch_name", "app_user_id"):
        assert 0 < sum(optional in job for job in JOBS) < 101


def test_the_same_seed_gives_the_same_jobs() -> None:
    with serve(seed=0) as again, serve(seed=1) as others:
        (same,), (different,) = again.stores.values(), others.stores.values()
        assert same.items()[:101] == JOBS
        assert different.items()[10:101] != JOBS[10:]


@pytest.mark.parametrize("jobs_there", [0, 3, 10, 11])
def test_the_number_of_jobs_is_configurable(jobs_there: int, path: Callable[[str], str], http: httpx.Client) -> None:
    with serve(jobs=jobs_there) as sandbox:
        headers = {"X-Auth-Token": sandbox.token}
        response = http.get(sandbox.url + path(sandbox.project_id), headers=headers, params={"limit": 100}).json()
        assert response["count"] == len(response["jobs"]) == jobs_there


def test_newer_servers_send_unlisted_values_and_unknown_properties(
    path: Callable[[str], str], http: httpx.Client
) -> None:
    with serve(newer=True) as sandbox:
        headers = {"X-Auth-Token": sandbox.token}
        found = http.get(sandbox.url + path(sandbox.project_id), headers=headers, params={"limit": 100}).json()["jobs"]
    assert any(job["state"].endswith("_NEXT") for job in found)
    assert any("added_later" in job for job in found)
    assert any(None in job.values() for job in found)


@pytest.fixture
def changing(path: Callable[[str], str], http: httpx.Client) -> Iterator[tuple[Sandbox, Fetch]]:
    with serve(jobs=5) as sandbox:
        url, headers = sandbox.url + path(sandbox.project_id), {"X-Auth-Token": sandbox.token}

        def fetch_jobs(**others: Any) -> httpx.Response:
            return http.get(url, headers=headers, **others)

        yield sandbox, fetch_jobs


def test_items_may_change_while_the_server_runs(changing: tuple[Sandbox, Fetch]) -> None:
    sandbox, client = changing
    (store,) = sandbox.stores.values()
    first, second, *_ = before = client().json()["jobs"]

    store.replace(second["job_id"], {**second, "state": "JOB_FINISH", "tags": ["moved"]})
    assert [job["job_id"] for job in client().json()["jobs"]] == [job["job_id"] for job in before]
    assert client(params={"state": "JOB_FINISH", "tag": "moved"}).json()["count"] == 1
    store.remove(first["job_id"])
    assert client().json()["count"] == 4
    store.add({**first, "job_id": "new"}, {**first, "job_id": "foreign", "project_id": OTHER.project_id})
    assert client().json()["jobs"][-1]["job_id"] == "new"
    assert client().json()["count"] == 5
    with pytest.raises(KeyError):
        store.remove(first["job_id"])
    assert client(params={"tag": "moved"}).json()["count"] == 1
    store.replace(second["job_id"], {**second, "tags": ["again"]})
    assert client(params={"tag": "moved"}).json()["count"] == 0
    assert client(params={"tag": "again"}).json()["count"] == 1
