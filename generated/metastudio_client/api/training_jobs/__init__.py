"""Operations of the tag training_jobs, with typed arguments"""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Set
from typing import Any, Literal, TypedDict, Unpack

from ..._engine import DEFAULT_CONCURRENCY, DEFAULT_POLL, AsyncEngine, Binding, Engine, Page
from ...models.list_training_jobs_response import ListTrainingJobsResponse
from ...models.model_resolution import ModelResolution
from ...models.sort_direction import SortDirection
from ...models.training_job_basic_info import TrainingJobBasicInfo
from ...models.training_job_sort_key import TrainingJobSortKey
from ...models.training_job_state import TrainingJobState
from . import list_training_jobs


class ListTrainingJobsFilters(TypedDict, total=False):
    """Keyword arguments of `list_training_jobs` but for the paging"""

    sort_key: str | TrainingJobSortKey
    sort_dir: SortDirection | Literal["asc", "desc"]
    create_until: datetime.datetime
    create_since: datetime.datetime
    state: (
        list[str | TrainingJobState]
        | list[TrainingJobState]
        | tuple[str | TrainingJobState, ...]
        | Set[str | TrainingJobState]
    )
    query_project_id: str
    batch_name: str
    tag: str
    job_id: str
    name: str
    model_resolution: ModelResolution | str
    x_app_user_id: str


class ListTrainingJobsArguments(ListTrainingJobsFilters, total=False):
    """Keyword arguments of `list_training_jobs`"""

    offset: int
    limit: int


_list_training_jobs: Binding[ListTrainingJobsResponse, TrainingJobBasicInfo] = Binding(
    operation="list_training_jobs",
    sync=list_training_jobs.sync_detailed,
    asyncio=list_training_jobs.asyncio_detailed,
    closed={
        "sort_dir": SortDirection,
    },
)


class TrainingJobs:
    """Operations of the tag training_jobs"""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, **arguments: Unpack[ListTrainingJobsArguments]) -> ListTrainingJobsResponse:
        """List training tasks: one request.

        Returns one page of the training tasks of a project that pass every filter given, and how many there
        are in all. The order is stated only when `sort_key` is given.

        Keyword arguments:
            offset: Number of tasks to skip, counted from 0.
            limit: Number of tasks on a page.
            sort_key: Property to order by. The page supports only `create_time`; newer servers know more, so
                    that the set is open.
            sort_dir: Direction of the order. Ascending when absent; without `sort_key` it means nothing
                    certain.
            create_until: Keep tasks created at this time or earlier.
            create_since: Keep tasks created at this time or later.
            state: Keep tasks in any of these states; all states when absent. Goes out as one value joined with
                    commas. States that are not listed may be asked for.
            query_project_id: Tenant to query, as the page says without telling whether it names a project or an
                    account, or how it relates to the project of the path.
            batch_name: Keep tasks of the batch with this name.
            tag: Keep tasks that carry this tag. One whole tag is compared (decided; the page does not say).
            job_id: Keep the task with this ID.
            name: Keep tasks whose model has this name. The page does not say whether part of a name is enough.
            model_resolution: Keep tasks whose model has this resolution.
            x_app_user_id: ID that an application gives its own user, kept with the tasks this user creates. No
                    Chinese characters (decided: visible ASCII characters, blanks only inside).

        """
        return self._engine.call(_list_training_jobs, arguments)

    def iterate(
        self,
        *,
        page_size: int = 100,
        concurrency: int = DEFAULT_CONCURRENCY,
        max_items: int | None = None,
        max_rate: float | None = None,
        consistent: bool = False,
        **filters: Unpack[ListTrainingJobsFilters],
    ) -> Generator[TrainingJobBasicInfo, None, None]:
        """List training tasks: every item, lazily.

        Fetches pages of `page_size` items ahead of the reader, at most `concurrency` at a time and at most
        `max_rate` requests a second, and stops after `max_items` items. An error surfaces at its place, after
        everything before it.

        Without `consistent`, an item can be missed or come twice where the list changes meanwhile. With it, every
        item that exists and passes all filters at every moment of the walk comes exactly once, any other at most
        once. That walk is sequential, orders by the time of creation, and raises `errors.ListChangedError` where the
        server does not keep an order that allows it.

        The filters are those of `list`.
        """
        return self._engine.iterate(
            _list_training_jobs,
            filters,
            page_size=page_size,
            concurrency=concurrency,
            max_items=max_items,
            max_rate=max_rate,
            consistent=consistent,
        )

    def iterate_pages(
        self,
        *,
        page_size: int = 100,
        concurrency: int = DEFAULT_CONCURRENCY,
        max_items: int | None = None,
        max_rate: float | None = None,
        consistent: bool = False,
        **filters: Unpack[ListTrainingJobsFilters],
    ) -> Generator[Page[TrainingJobBasicInfo], None, None]:
        """List training tasks: every page with its request ID, lazily.

        Fetches pages of `page_size` items ahead of the reader, at most `concurrency` at a time and at most
        `max_rate` requests a second, and stops after `max_items` items. An error surfaces at its place, after
        everything before it.

        Without `consistent`, an item can be missed or come twice where the list changes meanwhile. With it, every
        item that exists and passes all filters at every moment of the walk comes exactly once, any other at most
        once. That walk is sequential, orders by the time of creation, and raises `errors.ListChangedError` where the
        server does not keep an order that allows it.

        The filters are those of `list`.
        """
        return self._engine.iterate_pages(
            _list_training_jobs,
            filters,
            page_size=page_size,
            concurrency=concurrency,
            max_items=max_items,
            max_rate=max_rate,
            consistent=consistent,
        )

    def find(self, job_id: str) -> TrainingJobBasicInfo | None:
        """Find one item by its ID. Returns None where the list has none with it."""
        return self._engine.find(_list_training_jobs, "job_id", job_id)

    def wait(
        self,
        job_id: str,
        timeout: float,
        *,
        poll: float = DEFAULT_POLL,
        on_change: Callable[[TrainingJobBasicInfo], object] | None = None,
        until: Collection[str] | None = None,
    ) -> TrainingJobBasicInfo:
        """Wait until an item is at rest, or in one of the states `until`, and return it.

        At rest is what the contract's `x-states` says; a state that it does not know is not. Asks again after `poll`
        seconds, then after growing, jittered pauses. Calls `on_change` with the item first seen, and whenever its
        state has changed. Errors that may pass are waited out.

        Raises `errors.WaitTimeoutError` with the item last seen after `timeout` seconds, `errors.JobNotFoundError`
        where there is no such item.
        """
        return self._engine.wait(
            _list_training_jobs, "job_id", job_id, timeout=timeout, poll=poll, on_change=on_change, until=until
        )


class AsyncTrainingJobs:
    """Operations of the tag training_jobs"""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def list(self, **arguments: Unpack[ListTrainingJobsArguments]) -> ListTrainingJobsResponse:
        """List training tasks: one request.

        Returns one page of the training tasks of a project that pass every filter given, and how many there
        are in all. The order is stated only when `sort_key` is given.

        Keyword arguments:
            offset: Number of tasks to skip, counted from 0.
            limit: Number of tasks on a page.
            sort_key: Property to order by. The page supports only `create_time`; newer servers know more, so
                    that the set is open.
            sort_dir: Direction of the order. Ascending when absent; without `sort_key` it means nothing
                    certain.
            create_until: Keep tasks created at this time or earlier.
            create_since: Keep tasks created at this time or later.
            state: Keep tasks in any of these states; all states when absent. Goes out as one value joined with
                    commas. States that are not listed may be asked for.
            query_project_id: Tenant to query, as the page says without telling whether it names a project or an
                    account, or how it relates to the project of the path.
            batch_name: Keep tasks of the batch with this name.
            tag: Keep tasks that carry this tag. One whole tag is compared (decided; the page does not say).
            job_id: Keep the task with this ID.
            name: Keep tasks whose model has this name. The page does not say whether part of a name is enough.
            model_resolution: Keep tasks whose model has this resolution.
            x_app_user_id: ID that an application gives its own user, kept with the tasks this user creates. No
                    Chinese characters (decided: visible ASCII characters, blanks only inside).

        """
        return await self._engine.call(_list_training_jobs, arguments)

    def iterate(
        self,
        *,
        page_size: int = 100,
        concurrency: int = DEFAULT_CONCURRENCY,
        max_items: int | None = None,
        max_rate: float | None = None,
        consistent: bool = False,
        **filters: Unpack[ListTrainingJobsFilters],
    ) -> AsyncGenerator[TrainingJobBasicInfo, None]:
        """List training tasks: every item, lazily.

        Fetches pages of `page_size` items ahead of the reader, at most `concurrency` at a time and at most
        `max_rate` requests a second, and stops after `max_items` items. An error surfaces at its place, after
        everything before it.

        Without `consistent`, an item can be missed or come twice where the list changes meanwhile. With it, every
        item that exists and passes all filters at every moment of the walk comes exactly once, any other at most
        once. That walk is sequential, orders by the time of creation, and raises `errors.ListChangedError` where the
        server does not keep an order that allows it.

        The filters are those of `list`.
        """
        return self._engine.iterate(
            _list_training_jobs,
            filters,
            page_size=page_size,
            concurrency=concurrency,
            max_items=max_items,
            max_rate=max_rate,
            consistent=consistent,
        )

    def iterate_pages(
        self,
        *,
        page_size: int = 100,
        concurrency: int = DEFAULT_CONCURRENCY,
        max_items: int | None = None,
        max_rate: float | None = None,
        consistent: bool = False,
        **filters: Unpack[ListTrainingJobsFilters],
    ) -> AsyncGenerator[Page[TrainingJobBasicInfo], None]:
        """List training tasks: every page with its request ID, lazily.

        Fetches pages of `page_size` items ahead of the reader, at most `concurrency` at a time and at most
        `max_rate` requests a second, and stops after `max_items` items. An error surfaces at its place, after
        everything before it.

        Without `consistent`, an item can be missed or come twice where the list changes meanwhile. With it, every
        item that exists and passes all filters at every moment of the walk comes exactly once, any other at most
        once. That walk is sequential, orders by the time of creation, and raises `errors.ListChangedError` where the
        server does not keep an order that allows it.

        The filters are those of `list`.
        """
        return self._engine.iterate_pages(
            _list_training_jobs,
            filters,
            page_size=page_size,
            concurrency=concurrency,
            max_items=max_items,
            max_rate=max_rate,
            consistent=consistent,
        )

    async def find(self, job_id: str) -> TrainingJobBasicInfo | None:
        """Find one item by its ID. Returns None where the list has none with it."""
        return await self._engine.find(_list_training_jobs, "job_id", job_id)

    async def wait(
        self,
        job_id: str,
        timeout: float,
        *,
        poll: float = DEFAULT_POLL,
        on_change: Callable[[TrainingJobBasicInfo], object] | None = None,
        until: Collection[str] | None = None,
    ) -> TrainingJobBasicInfo:
        """Wait until an item is at rest, or in one of the states `until`, and return it.

        At rest is what the contract's `x-states` says; a state that it does not know is not. Asks again after `poll`
        seconds, then after growing, jittered pauses. Calls `on_change` with the item first seen, and whenever its
        state has changed. Errors that may pass are waited out.

        Raises `errors.WaitTimeoutError` with the item last seen after `timeout` seconds, `errors.JobNotFoundError`
        where there is no such item.
        """
        return await self._engine.wait(
            _list_training_jobs, "job_id", job_id, timeout=timeout, poll=poll, on_change=on_change, until=until
        )
