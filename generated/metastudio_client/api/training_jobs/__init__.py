"""Operations of the tag training_jobs, with typed arguments"""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Set
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from metastudio.contract.operation import Endpoint
from metastudio.lists.options import IterateOptions, Page, WaitOptions

from ...contract import LIST_TRAINING_JOBS
from ...models.list_training_jobs_response import ListTrainingJobsResponse
from ...models.model_resolution import ModelResolution
from ...models.sort_direction import SortDirection
from ...models.training_job_basic_info import TrainingJobBasicInfo
from ...models.training_job_sort_key import TrainingJobSortKey
from ...models.training_job_state import TrainingJobState
from . import list_training_jobs

if TYPE_CHECKING:
    from metastudio.engine import AsyncEngine, Engine


class ListTrainingJobsFilters(TypedDict, total=False):
    """Keyword arguments of `list_training_jobs` except for the paging"""

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


_list_training_jobs: Endpoint[ListTrainingJobsResponse, TrainingJobBasicInfo] = Endpoint(
    LIST_TRAINING_JOBS, list_training_jobs._get_kwargs, ListTrainingJobsResponse.from_dict
)


class TrainingJobs:
    """Operations of the tag training_jobs"""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, **arguments: Unpack[ListTrainingJobsArguments]) -> ListTrainingJobsResponse:
        """List training tasks: one request.

        Returns one page of the training tasks of a project that pass every filter given, and how many there are
        in all. The order is stated only when `sort_key` is given.

        Args:
            offset: Number of tasks to skip, counted from 0.
            limit: Number of tasks on a page.
            sort_key: Property to order by. The page supports only `create_time`; newer servers know more, so that
                the set is open.
            sort_dir: Direction of the order. Ascending when absent; without `sort_key` it means nothing certain.
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
        page_size: int | None = None,
        concurrency: int = 8,
        max_items: int | None = None,
        max_rate: float | None = None,
        consistent: bool = False,
        **filters: Unpack[ListTrainingJobsFilters],
    ) -> Generator[TrainingJobBasicInfo, None, None]:
        """List training tasks: yield every item, fetching pages ahead of the reader.

        An error surfaces at its place, after everything before it.

        Args:
            page_size: Items on a page.
            concurrency: Requests in flight.
            max_items: Stop after.
            max_rate: Requests a second.
            consistent: Lose nothing.
            **filters: those of `list`.
        """
        options = IterateOptions(
            page_size=page_size,
            concurrency=concurrency,
            max_items=max_items,
            max_rate=max_rate,
            consistent=consistent,
        )
        return self._engine.iterate(_list_training_jobs, filters, options)

    def iterate_pages(
        self,
        *,
        page_size: int | None = None,
        concurrency: int = 8,
        max_items: int | None = None,
        max_rate: float | None = None,
        consistent: bool = False,
        **filters: Unpack[ListTrainingJobsFilters],
    ) -> Generator[Page[TrainingJobBasicInfo], None, None]:
        """List training tasks: yield every page, fetching pages ahead of the reader.

        An error surfaces at its place, after everything before it.

        Args:
            page_size: Items on a page.
            concurrency: Requests in flight.
            max_items: Stop after.
            max_rate: Requests a second.
            consistent: Lose nothing.
            **filters: those of `list`.
        """
        options = IterateOptions(
            page_size=page_size,
            concurrency=concurrency,
            max_items=max_items,
            max_rate=max_rate,
            consistent=consistent,
        )
        return self._engine.iterate_pages(_list_training_jobs, filters, options)

    def find(self, job_id: str) -> TrainingJobBasicInfo | None:
        """Return the item with this ID, or None where the list has none."""
        return self._engine.find(_list_training_jobs, "job_id", job_id)

    def wait(
        self,
        job_id: str,
        timeout: float,
        *,
        poll: float = 5.0,
        on_change: Callable[[TrainingJobBasicInfo], object] | None = None,
        until: Collection[str] | None = None,
    ) -> TrainingJobBasicInfo:
        """Poll an item until nothing more happens to it by itself, or until it is in one of the states `until`.

        The contract's `x-states` says in which states an item rests; an unknown state is not one of them. Pauses
        grow and are jittered. Transient errors are waited out.

        Args:
            job_id: ID of the item.
            timeout: Seconds.
            poll: Seconds.
            on_change: Called.
            until: States.

        Raises:
            errors.WaitTimeoutError: the timeout is over; the error carries the item last seen.
            errors.JobNotFoundError: there is no such item.
        """
        options = WaitOptions(
            timeout=timeout,
            poll=poll,
            on_change=on_change,
            until=until,
        )
        return self._engine.wait(_list_training_jobs, "job_id", job_id, options)


class AsyncTrainingJobs:
    """Operations of the tag training_jobs"""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def list(self, **arguments: Unpack[ListTrainingJobsArguments]) -> ListTrainingJobsResponse:
        """List training tasks: one request.

        Returns one page of the training tasks of a project that pass every filter given, and how many there are
        in all. The order is stated only when `sort_key` is given.

        Args:
            offset: Number of tasks to skip, counted from 0.
            limit: Number of tasks on a page.
            sort_key: Property to order by. The page supports only `create_time`; newer servers know more, so that
                the set is open.
            sort_dir: Direction of the order. Ascending when absent; without `sort_key` it means nothing certain.
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
        page_size: int | None = None,
        concurrency: int = 8,
        max_items: int | None = None,
        max_rate: float | None = None,
        consistent: bool = False,
        **filters: Unpack[ListTrainingJobsFilters],
    ) -> AsyncGenerator[TrainingJobBasicInfo, None]:
        """List training tasks: yield every item, fetching pages ahead of the reader.

        An error surfaces at its place, after everything before it.

        Args:
            page_size: Items on a page.
            concurrency: Requests in flight.
            max_items: Stop after.
            max_rate: Requests a second.
            consistent: Lose nothing.
            **filters: those of `list`.
        """
        options = IterateOptions(
            page_size=page_size,
            concurrency=concurrency,
            max_items=max_items,
            max_rate=max_rate,
            consistent=consistent,
        )
        return self._engine.iterate(_list_training_jobs, filters, options)

    def iterate_pages(
        self,
        *,
        page_size: int | None = None,
        concurrency: int = 8,
        max_items: int | None = None,
        max_rate: float | None = None,
        consistent: bool = False,
        **filters: Unpack[ListTrainingJobsFilters],
    ) -> AsyncGenerator[Page[TrainingJobBasicInfo], None]:
        """List training tasks: yield every page, fetching pages ahead of the reader.

        An error surfaces at its place, after everything before it.

        Args:
            page_size: Items on a page.
            concurrency: Requests in flight.
            max_items: Stop after.
            max_rate: Requests a second.
            consistent: Lose nothing.
            **filters: those of `list`.
        """
        options = IterateOptions(
            page_size=page_size,
            concurrency=concurrency,
            max_items=max_items,
            max_rate=max_rate,
            consistent=consistent,
        )
        return self._engine.iterate_pages(_list_training_jobs, filters, options)

    async def find(self, job_id: str) -> TrainingJobBasicInfo | None:
        """Return the item with this ID, or None where the list has none."""
        return await self._engine.find(_list_training_jobs, "job_id", job_id)

    async def wait(
        self,
        job_id: str,
        timeout: float,
        *,
        poll: float = 5.0,
        on_change: Callable[[TrainingJobBasicInfo], object] | None = None,
        until: Collection[str] | None = None,
    ) -> TrainingJobBasicInfo:
        """Poll an item until nothing more happens to it by itself, or until it is in one of the states `until`.

        The contract's `x-states` says in which states an item rests; an unknown state is not one of them. Pauses
        grow and are jittered. Transient errors are waited out.

        Args:
            job_id: ID of the item.
            timeout: Seconds.
            poll: Seconds.
            on_change: Called.
            until: States.

        Raises:
            errors.WaitTimeoutError: the timeout is over; the error carries the item last seen.
            errors.JobNotFoundError: there is no such item.
        """
        options = WaitOptions(
            timeout=timeout,
            poll=poll,
            on_change=on_change,
            until=until,
        )
        return await self._engine.wait(_list_training_jobs, "job_id", job_id, options)
