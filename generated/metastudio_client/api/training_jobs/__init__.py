"""Operations of the tag training_jobs, with typed arguments"""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator, Callable, Collection, Generator
from typing import TYPE_CHECKING, Literal, Never

from metastudio.contract.operation import Endpoint, Values
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

TrainingJobStateName = Literal[
    "AUTO_VERIFY_FAILED",
    "AUTO_VERIFYING",
    "INFERENCE_DATA_PREPROCESS_FAILED",
    "INFERENCE_DATA_PREPROCESSING",
    "JOB_FINISH",
    "JOB_PENDING",
    "JOB_REJECT",
    "JOB_SUCCESS",
    "MANUAL_VERIFY_FAILED",
    "MANUAL_VERIFY_SUCCESS",
    "MANUAL_VERIFYING",
    "TRAIN_FAILED",
    "TRAIN_SUCCESS",
    "TRAINING",
    "TRAINING_DATA_PREPROCESS_FAILED",
    "TRAINING_DATA_PREPROCESS_SUCCESS",
    "TRAINING_DATA_PREPROCESSING",
    "WAIT_FILE_UPLOAD",
    "WAIT_MAIN_FILE_UPLOAD",
    "WAIT_USER_CONFIRM",
]

_list_training_jobs: Endpoint[ListTrainingJobsResponse, TrainingJobBasicInfo] = Endpoint(
    LIST_TRAINING_JOBS, list_training_jobs._get_kwargs, ListTrainingJobsResponse.from_dict
)


class TrainingJobs:
    """Operations of the tag training_jobs"""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(
        self,
        *,
        offset: int | None = None,
        limit: int | None = None,
        sort_key: Literal["create_time"] | TrainingJobSortKey | str | None = None,
        sort_dir: Literal["asc", "desc"] | SortDirection | None = None,
        create_until: datetime.datetime | None = None,
        create_since: datetime.datetime | None = None,
        state: Values[TrainingJobStateName] | Values[TrainingJobState] | Values[str] | None = None,
        query_project_id: str | None = None,
        batch_name: str | None = None,
        tag: str | None = None,
        job_id: str | None = None,
        name: str | None = None,
        model_resolution: Literal["1080P", "4K"] | ModelResolution | str | None = None,
        x_app_user_id: str | None = None,
        **_unknown: Never,
    ) -> ListTrainingJobsResponse:
        """List training tasks: one request.

        Returns one page of the training tasks of a project that match all filters given, and how many match in
        all. The order is certain only with `sort_key`.

        Args:
            offset: Number of tasks to skip, counted from 0.
            limit: Number of tasks on a page.
            sort_key: Property to order by. Only `create_time` is documented; other keys are passed on.
            sort_dir: Direction of the order, ascending by default. Use it with `sort_key`.
            create_until: Keep tasks created at this time or earlier.
            create_since: Keep tasks created at this time or later.
            state: Keep tasks in any of these states. By default all are kept. States that are not listed here may
                be given too.
            query_project_id: Tenant whose tasks are listed. Whether this is a project or an account ID is not
                documented.
            batch_name: Keep tasks of the batch with this name.
            tag: Keep tasks that have exactly this tag.
            job_id: Keep the task with this ID.
            name: Keep tasks whose model has this name. Servers may also match part of a name.
            model_resolution: Keep tasks whose model has this resolution.
            x_app_user_id: ID that an application gives its own user, kept with the tasks this user creates.
                Printable ASCII without blanks at its ends.
        """
        return self._engine.call(
            _list_training_jobs,
            {
                "offset": offset,
                "limit": limit,
                "sort_key": sort_key,
                "sort_dir": sort_dir,
                "create_until": create_until,
                "create_since": create_since,
                "state": state,
                "query_project_id": query_project_id,
                "batch_name": batch_name,
                "tag": tag,
                "job_id": job_id,
                "name": name,
                "model_resolution": model_resolution,
                "x_app_user_id": x_app_user_id,
                **_unknown,
            },
        )

    def iterate(
        self,
        *,
        page_size: int | None = None,
        concurrency: int = 8,
        max_items: int | None = None,
        max_rate: float | None = None,
        consistent: bool = False,
        sort_key: Literal["create_time"] | TrainingJobSortKey | str | None = None,
        sort_dir: Literal["asc", "desc"] | SortDirection | None = None,
        create_until: datetime.datetime | None = None,
        create_since: datetime.datetime | None = None,
        state: Values[TrainingJobStateName] | Values[TrainingJobState] | Values[str] | None = None,
        query_project_id: str | None = None,
        batch_name: str | None = None,
        tag: str | None = None,
        job_id: str | None = None,
        name: str | None = None,
        model_resolution: Literal["1080P", "4K"] | ModelResolution | str | None = None,
        x_app_user_id: str | None = None,
        **_unknown: Never,
    ) -> Generator[TrainingJobBasicInfo, None, None]:
        """List training tasks: yield every item, fetching pages ahead of the reader.

        An error surfaces at its place, after everything before it.

        Args:
            page_size: Number of items to request at a time. By default 100, or fewer if the contract allows fewer.
            concurrency: Number of pages to request ahead of the reader. 1 requests each page when it is needed.
            max_items: Number of items to stop after. By default the whole list is read.
            max_rate: Number of requests to start per second, at most. By default only the server limits the rate:
                after a 429, no request of this iteration starts until the pause is over.
            consistent: Whether to deliver every item that exists and matches during the whole iteration exactly
                once, and any other at most once, even while the list changes. Requests are then sequential and ordered
                by a time that never changes. By default, a change of the list can hide an item or repeat it.
            sort_key: Property to order by. Only `create_time` is documented; other keys are passed on.
            sort_dir: Direction of the order, ascending by default. Use it with `sort_key`.
            create_until: Keep tasks created at this time or earlier.
            create_since: Keep tasks created at this time or later.
            state: Keep tasks in any of these states. By default all are kept. States that are not listed here may
                be given too.
            query_project_id: Tenant whose tasks are listed. Whether this is a project or an account ID is not
                documented.
            batch_name: Keep tasks of the batch with this name.
            tag: Keep tasks that have exactly this tag.
            job_id: Keep the task with this ID.
            name: Keep tasks whose model has this name. Servers may also match part of a name.
            model_resolution: Keep tasks whose model has this resolution.
            x_app_user_id: ID that an application gives its own user, kept with the tasks this user creates.
                Printable ASCII without blanks at its ends.

        """
        options = IterateOptions(
            page_size=page_size,
            concurrency=concurrency,
            max_items=max_items,
            max_rate=max_rate,
            consistent=consistent,
        )
        return self._engine.iterate(
            _list_training_jobs,
            {
                "sort_key": sort_key,
                "sort_dir": sort_dir,
                "create_until": create_until,
                "create_since": create_since,
                "state": state,
                "query_project_id": query_project_id,
                "batch_name": batch_name,
                "tag": tag,
                "job_id": job_id,
                "name": name,
                "model_resolution": model_resolution,
                "x_app_user_id": x_app_user_id,
                **_unknown,
            },
            options,
        )

    def iterate_pages(
        self,
        *,
        page_size: int | None = None,
        concurrency: int = 8,
        max_items: int | None = None,
        max_rate: float | None = None,
        consistent: bool = False,
        sort_key: Literal["create_time"] | TrainingJobSortKey | str | None = None,
        sort_dir: Literal["asc", "desc"] | SortDirection | None = None,
        create_until: datetime.datetime | None = None,
        create_since: datetime.datetime | None = None,
        state: Values[TrainingJobStateName] | Values[TrainingJobState] | Values[str] | None = None,
        query_project_id: str | None = None,
        batch_name: str | None = None,
        tag: str | None = None,
        job_id: str | None = None,
        name: str | None = None,
        model_resolution: Literal["1080P", "4K"] | ModelResolution | str | None = None,
        x_app_user_id: str | None = None,
        **_unknown: Never,
    ) -> Generator[Page[TrainingJobBasicInfo], None, None]:
        """List training tasks: yield every page, fetching pages ahead of the reader.

        An error surfaces at its place, after everything before it.

        Args:
            page_size: Number of items to request at a time. By default 100, or fewer if the contract allows fewer.
            concurrency: Number of pages to request ahead of the reader. 1 requests each page when it is needed.
            max_items: Number of items to stop after. By default the whole list is read.
            max_rate: Number of requests to start per second, at most. By default only the server limits the rate:
                after a 429, no request of this iteration starts until the pause is over.
            consistent: Whether to deliver every item that exists and matches during the whole iteration exactly
                once, and any other at most once, even while the list changes. Requests are then sequential and ordered
                by a time that never changes. By default, a change of the list can hide an item or repeat it.
            sort_key: Property to order by. Only `create_time` is documented; other keys are passed on.
            sort_dir: Direction of the order, ascending by default. Use it with `sort_key`.
            create_until: Keep tasks created at this time or earlier.
            create_since: Keep tasks created at this time or later.
            state: Keep tasks in any of these states. By default all are kept. States that are not listed here may
                be given too.
            query_project_id: Tenant whose tasks are listed. Whether this is a project or an account ID is not
                documented.
            batch_name: Keep tasks of the batch with this name.
            tag: Keep tasks that have exactly this tag.
            job_id: Keep the task with this ID.
            name: Keep tasks whose model has this name. Servers may also match part of a name.
            model_resolution: Keep tasks whose model has this resolution.
            x_app_user_id: ID that an application gives its own user, kept with the tasks this user creates.
                Printable ASCII without blanks at its ends.

        """
        options = IterateOptions(
            page_size=page_size,
            concurrency=concurrency,
            max_items=max_items,
            max_rate=max_rate,
            consistent=consistent,
        )
        return self._engine.iterate_pages(
            _list_training_jobs,
            {
                "sort_key": sort_key,
                "sort_dir": sort_dir,
                "create_until": create_until,
                "create_since": create_since,
                "state": state,
                "query_project_id": query_project_id,
                "batch_name": batch_name,
                "tag": tag,
                "job_id": job_id,
                "name": name,
                "model_resolution": model_resolution,
                "x_app_user_id": x_app_user_id,
                **_unknown,
            },
            options,
        )

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
        raise_on_failure: bool = False,
    ) -> TrainingJobBasicInfo:
        """Poll an item until nothing more happens to it by itself, or until it is in one of the states `until`.

        The contract's `x-states` says in which states an item rests; an unknown state is not one of them. Pauses
        grow and are jittered. Transient errors are waited out.

        Args:
            job_id: ID of the item.
            timeout: Seconds to wait at most. `math.inf` waits without end.
            poll: Seconds before the second poll. Later pauses grow to a minute and vary at random.
            on_change: Called with the item when it is first seen, and each time its state has changed.
            until: States that end the wait as well, in addition to those that the contract calls settled.
            raise_on_failure: Raise `errors.JobFailedError` if the item has failed. By default it is returned in any
                case.

        Raises:
            errors.JobFailedError: the item has failed, and `raise_on_failure` is set; the error carries the item.
            errors.WaitTimeoutError: the timeout is over; the error carries the item last seen.
            errors.JobNotFoundError: there is no such item.
        """
        options = WaitOptions(
            timeout=timeout,
            poll=poll,
            on_change=on_change,
            until=until,
            raise_on_failure=raise_on_failure,
        )
        return self._engine.wait(_list_training_jobs, "job_id", job_id, options)


class AsyncTrainingJobs:
    """Operations of the tag training_jobs"""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def list(
        self,
        *,
        offset: int | None = None,
        limit: int | None = None,
        sort_key: Literal["create_time"] | TrainingJobSortKey | str | None = None,
        sort_dir: Literal["asc", "desc"] | SortDirection | None = None,
        create_until: datetime.datetime | None = None,
        create_since: datetime.datetime | None = None,
        state: Values[TrainingJobStateName] | Values[TrainingJobState] | Values[str] | None = None,
        query_project_id: str | None = None,
        batch_name: str | None = None,
        tag: str | None = None,
        job_id: str | None = None,
        name: str | None = None,
        model_resolution: Literal["1080P", "4K"] | ModelResolution | str | None = None,
        x_app_user_id: str | None = None,
        **_unknown: Never,
    ) -> ListTrainingJobsResponse:
        """List training tasks: one request.

        Returns one page of the training tasks of a project that match all filters given, and how many match in
        all. The order is certain only with `sort_key`.

        Args:
            offset: Number of tasks to skip, counted from 0.
            limit: Number of tasks on a page.
            sort_key: Property to order by. Only `create_time` is documented; other keys are passed on.
            sort_dir: Direction of the order, ascending by default. Use it with `sort_key`.
            create_until: Keep tasks created at this time or earlier.
            create_since: Keep tasks created at this time or later.
            state: Keep tasks in any of these states. By default all are kept. States that are not listed here may
                be given too.
            query_project_id: Tenant whose tasks are listed. Whether this is a project or an account ID is not
                documented.
            batch_name: Keep tasks of the batch with this name.
            tag: Keep tasks that have exactly this tag.
            job_id: Keep the task with this ID.
            name: Keep tasks whose model has this name. Servers may also match part of a name.
            model_resolution: Keep tasks whose model has this resolution.
            x_app_user_id: ID that an application gives its own user, kept with the tasks this user creates.
                Printable ASCII without blanks at its ends.
        """
        return await self._engine.call(
            _list_training_jobs,
            {
                "offset": offset,
                "limit": limit,
                "sort_key": sort_key,
                "sort_dir": sort_dir,
                "create_until": create_until,
                "create_since": create_since,
                "state": state,
                "query_project_id": query_project_id,
                "batch_name": batch_name,
                "tag": tag,
                "job_id": job_id,
                "name": name,
                "model_resolution": model_resolution,
                "x_app_user_id": x_app_user_id,
                **_unknown,
            },
        )

    def iterate(
        self,
        *,
        page_size: int | None = None,
        concurrency: int = 8,
        max_items: int | None = None,
        max_rate: float | None = None,
        consistent: bool = False,
        sort_key: Literal["create_time"] | TrainingJobSortKey | str | None = None,
        sort_dir: Literal["asc", "desc"] | SortDirection | None = None,
        create_until: datetime.datetime | None = None,
        create_since: datetime.datetime | None = None,
        state: Values[TrainingJobStateName] | Values[TrainingJobState] | Values[str] | None = None,
        query_project_id: str | None = None,
        batch_name: str | None = None,
        tag: str | None = None,
        job_id: str | None = None,
        name: str | None = None,
        model_resolution: Literal["1080P", "4K"] | ModelResolution | str | None = None,
        x_app_user_id: str | None = None,
        **_unknown: Never,
    ) -> AsyncGenerator[TrainingJobBasicInfo, None]:
        """List training tasks: yield every item, fetching pages ahead of the reader.

        An error surfaces at its place, after everything before it.

        Args:
            page_size: Number of items to request at a time. By default 100, or fewer if the contract allows fewer.
            concurrency: Number of pages to request ahead of the reader. 1 requests each page when it is needed.
            max_items: Number of items to stop after. By default the whole list is read.
            max_rate: Number of requests to start per second, at most. By default only the server limits the rate:
                after a 429, no request of this iteration starts until the pause is over.
            consistent: Whether to deliver every item that exists and matches during the whole iteration exactly
                once, and any other at most once, even while the list changes. Requests are then sequential and ordered
                by a time that never changes. By default, a change of the list can hide an item or repeat it.
            sort_key: Property to order by. Only `create_time` is documented; other keys are passed on.
            sort_dir: Direction of the order, ascending by default. Use it with `sort_key`.
            create_until: Keep tasks created at this time or earlier.
            create_since: Keep tasks created at this time or later.
            state: Keep tasks in any of these states. By default all are kept. States that are not listed here may
                be given too.
            query_project_id: Tenant whose tasks are listed. Whether this is a project or an account ID is not
                documented.
            batch_name: Keep tasks of the batch with this name.
            tag: Keep tasks that have exactly this tag.
            job_id: Keep the task with this ID.
            name: Keep tasks whose model has this name. Servers may also match part of a name.
            model_resolution: Keep tasks whose model has this resolution.
            x_app_user_id: ID that an application gives its own user, kept with the tasks this user creates.
                Printable ASCII without blanks at its ends.

        """
        options = IterateOptions(
            page_size=page_size,
            concurrency=concurrency,
            max_items=max_items,
            max_rate=max_rate,
            consistent=consistent,
        )
        return self._engine.iterate(
            _list_training_jobs,
            {
                "sort_key": sort_key,
                "sort_dir": sort_dir,
                "create_until": create_until,
                "create_since": create_since,
                "state": state,
                "query_project_id": query_project_id,
                "batch_name": batch_name,
                "tag": tag,
                "job_id": job_id,
                "name": name,
                "model_resolution": model_resolution,
                "x_app_user_id": x_app_user_id,
                **_unknown,
            },
            options,
        )

    def iterate_pages(
        self,
        *,
        page_size: int | None = None,
        concurrency: int = 8,
        max_items: int | None = None,
        max_rate: float | None = None,
        consistent: bool = False,
        sort_key: Literal["create_time"] | TrainingJobSortKey | str | None = None,
        sort_dir: Literal["asc", "desc"] | SortDirection | None = None,
        create_until: datetime.datetime | None = None,
        create_since: datetime.datetime | None = None,
        state: Values[TrainingJobStateName] | Values[TrainingJobState] | Values[str] | None = None,
        query_project_id: str | None = None,
        batch_name: str | None = None,
        tag: str | None = None,
        job_id: str | None = None,
        name: str | None = None,
        model_resolution: Literal["1080P", "4K"] | ModelResolution | str | None = None,
        x_app_user_id: str | None = None,
        **_unknown: Never,
    ) -> AsyncGenerator[Page[TrainingJobBasicInfo], None]:
        """List training tasks: yield every page, fetching pages ahead of the reader.

        An error surfaces at its place, after everything before it.

        Args:
            page_size: Number of items to request at a time. By default 100, or fewer if the contract allows fewer.
            concurrency: Number of pages to request ahead of the reader. 1 requests each page when it is needed.
            max_items: Number of items to stop after. By default the whole list is read.
            max_rate: Number of requests to start per second, at most. By default only the server limits the rate:
                after a 429, no request of this iteration starts until the pause is over.
            consistent: Whether to deliver every item that exists and matches during the whole iteration exactly
                once, and any other at most once, even while the list changes. Requests are then sequential and ordered
                by a time that never changes. By default, a change of the list can hide an item or repeat it.
            sort_key: Property to order by. Only `create_time` is documented; other keys are passed on.
            sort_dir: Direction of the order, ascending by default. Use it with `sort_key`.
            create_until: Keep tasks created at this time or earlier.
            create_since: Keep tasks created at this time or later.
            state: Keep tasks in any of these states. By default all are kept. States that are not listed here may
                be given too.
            query_project_id: Tenant whose tasks are listed. Whether this is a project or an account ID is not
                documented.
            batch_name: Keep tasks of the batch with this name.
            tag: Keep tasks that have exactly this tag.
            job_id: Keep the task with this ID.
            name: Keep tasks whose model has this name. Servers may also match part of a name.
            model_resolution: Keep tasks whose model has this resolution.
            x_app_user_id: ID that an application gives its own user, kept with the tasks this user creates.
                Printable ASCII without blanks at its ends.

        """
        options = IterateOptions(
            page_size=page_size,
            concurrency=concurrency,
            max_items=max_items,
            max_rate=max_rate,
            consistent=consistent,
        )
        return self._engine.iterate_pages(
            _list_training_jobs,
            {
                "sort_key": sort_key,
                "sort_dir": sort_dir,
                "create_until": create_until,
                "create_since": create_since,
                "state": state,
                "query_project_id": query_project_id,
                "batch_name": batch_name,
                "tag": tag,
                "job_id": job_id,
                "name": name,
                "model_resolution": model_resolution,
                "x_app_user_id": x_app_user_id,
                **_unknown,
            },
            options,
        )

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
        raise_on_failure: bool = False,
    ) -> TrainingJobBasicInfo:
        """Poll an item until nothing more happens to it by itself, or until it is in one of the states `until`.

        The contract's `x-states` says in which states an item rests; an unknown state is not one of them. Pauses
        grow and are jittered. Transient errors are waited out.

        Args:
            job_id: ID of the item.
            timeout: Seconds to wait at most. `math.inf` waits without end.
            poll: Seconds before the second poll. Later pauses grow to a minute and vary at random.
            on_change: Called with the item when it is first seen, and each time its state has changed.
            until: States that end the wait as well, in addition to those that the contract calls settled.
            raise_on_failure: Raise `errors.JobFailedError` if the item has failed. By default it is returned in any
                case.

        Raises:
            errors.JobFailedError: the item has failed, and `raise_on_failure` is set; the error carries the item.
            errors.WaitTimeoutError: the timeout is over; the error carries the item last seen.
            errors.JobNotFoundError: there is no such item.
        """
        options = WaitOptions(
            timeout=timeout,
            poll=poll,
            on_change=on_change,
            until=until,
            raise_on_failure=raise_on_failure,
        )
        return await self._engine.wait(_list_training_jobs, "job_id", job_id, options)
