from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field
from metastudio.contract.json_pointer import pointer_getter
from metastudio.model import PageTable, ResponseModel

if TYPE_CHECKING:
    from ..models.training_job_basic_info import TrainingJobBasicInfo


T = TypeVar("T", bound="ListTrainingJobsResponse")


@_attrs_define(repr=False)
class ListTrainingJobsResponse(ResponseModel, PageTable):
    """One page of training tasks.

    Attributes:
        count (int): Number of tasks that pass the filters, on all pages together.
        jobs (list[TrainingJobBasicInfo]): The tasks of this page.
    """

    count: int
    jobs: list[TrainingJobBasicInfo]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        count = self.count

        jobs = []
        for jobs_item_data in self.jobs:
            jobs_item = jobs_item_data.to_dict()
            jobs.append(jobs_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "count": count,
                "jobs": jobs,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.training_job_basic_info import TrainingJobBasicInfo  # noqa: PLC0415

        d = dict(src_dict)
        count = d.pop("count")

        jobs = []
        _jobs = d.pop("jobs")
        for jobs_item_data in _jobs:
            jobs_item = TrainingJobBasicInfo.from_dict(jobs_item_data)

            jobs.append(jobs_item)

        list_training_jobs_response = cls(
            count,
            jobs,
        )

        if d:
            list_training_jobs_response.additional_properties = dict(d)
        return list_training_jobs_response

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties

    def _items(self) -> list[TrainingJobBasicInfo]:
        return pointer_getter("/jobs")(self) or []

    def __iter__(self) -> Iterator[TrainingJobBasicInfo]:
        return iter(self._items())
