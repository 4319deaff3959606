from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field
from metastudio.model import Model

from ..contract import LIST_TRAINING_JOBS
from ..models.matting_type import MattingType
from ..models.model_resolution import ModelResolution
from ..models.model_version import ModelVersion
from ..models.training_job_state import TrainingJobState
from ..types import UNSET, Unset, intern_text, read_member, read_time

T = TypeVar("T", bound="TrainingJobBasicInfo")


@_attrs_define(repr=False)
class TrainingJobBasicInfo(Model):
    """A training task. Properties that are not required may be absent or null.

    Attributes:
        job_id (str): ID of the task.
        name (str): Name of the model; the asset library shows it under this name.
        state (str | TrainingJobState): State of the task.
        project_id (str): ID of the project that owns the model. It may be masked.
        create_time (datetime.datetime): When the task was created. RFC 3339.
        asset_id (None | str | Unset): ID of the model as an asset. Failed tasks can have one too.
        cover_download_url (None | str | Unset): Address of the thumbnail, valid for 24 hours. Keep it secret.
        last_update_time (datetime.datetime | None | Unset): When a user last created or resubmitted the task, RFC 3339.
            A change of its state does not count.
        contact (None | str | Unset): Phone number or email address of the task's creator, perhaps masked. Personal
            data.
        batch_name (None | str | Unset): Name of the batch that the task belongs to.
        tags (list[str] | None | Unset): Tags of the task.
        model_version (ModelVersion | None | str | Unset): Version of the model. V3 by default.
        matting_type (MattingType | None | str | Unset): How the background is cut out. AI by default.
        model_resolution (ModelResolution | None | str | Unset): Resolution of the model, 1080P by default.
        app_user_id (None | str | Unset): The X-App-UserId with which the task was created.
    """

    job_id: str
    name: str
    state: str | TrainingJobState
    project_id: str
    create_time: datetime.datetime
    asset_id: None | str | Unset = UNSET
    cover_download_url: None | str | Unset = UNSET
    last_update_time: datetime.datetime | None | Unset = UNSET
    contact: None | str | Unset = UNSET
    batch_name: None | str | Unset = UNSET
    tags: list[str] | None | Unset = UNSET
    model_version: ModelVersion | None | str | Unset = UNSET
    matting_type: MattingType | None | str | Unset = UNSET
    model_resolution: ModelResolution | None | str | Unset = UNSET
    app_user_id: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        job_id = self.job_id

        name = self.name

        state: str
        if isinstance(self.state, TrainingJobState):
            state = str(self.state)
        else:
            state = self.state

        project_id = self.project_id

        create_time = (
            self.create_time.isoformat().replace("+00:00", "Z")
            if isinstance(self.create_time, datetime.datetime)
            else self.create_time
        )

        asset_id: None | str | Unset
        if isinstance(self.asset_id, Unset):
            asset_id = UNSET
        else:
            asset_id = self.asset_id

        cover_download_url: None | str | Unset
        if isinstance(self.cover_download_url, Unset):
            cover_download_url = UNSET
        else:
            cover_download_url = self.cover_download_url

        last_update_time: None | str | Unset
        if isinstance(self.last_update_time, Unset):
            last_update_time = UNSET
        elif isinstance(self.last_update_time, datetime.datetime):
            last_update_time = self.last_update_time.isoformat().replace("+00:00", "Z")

        else:
            last_update_time = self.last_update_time

        contact: None | str | Unset
        if isinstance(self.contact, Unset):
            contact = UNSET
        else:
            contact = self.contact

        batch_name: None | str | Unset
        if isinstance(self.batch_name, Unset):
            batch_name = UNSET
        else:
            batch_name = self.batch_name

        tags: list[str] | None | Unset
        if isinstance(self.tags, Unset):
            tags = UNSET
        elif isinstance(self.tags, list):
            tags = self.tags

        else:
            tags = self.tags

        model_version: None | str | Unset
        if isinstance(self.model_version, Unset):
            model_version = UNSET
        elif isinstance(self.model_version, ModelVersion):
            model_version = str(self.model_version)
        else:
            model_version = self.model_version

        matting_type: None | str | Unset
        if isinstance(self.matting_type, Unset):
            matting_type = UNSET
        elif isinstance(self.matting_type, MattingType):
            matting_type = str(self.matting_type)
        else:
            matting_type = self.matting_type

        model_resolution: None | str | Unset
        if isinstance(self.model_resolution, Unset):
            model_resolution = UNSET
        elif isinstance(self.model_resolution, ModelResolution):
            model_resolution = str(self.model_resolution)
        else:
            model_resolution = self.model_resolution

        app_user_id: None | str | Unset
        if isinstance(self.app_user_id, Unset):
            app_user_id = UNSET
        else:
            app_user_id = self.app_user_id

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "job_id": job_id,
                "name": name,
                "state": state,
                "project_id": project_id,
                "create_time": create_time,
            }
        )
        if asset_id is not UNSET:
            field_dict["asset_id"] = asset_id
        if cover_download_url is not UNSET:
            field_dict["cover_download_url"] = cover_download_url
        if last_update_time is not UNSET:
            field_dict["last_update_time"] = last_update_time
        if contact is not UNSET:
            field_dict["contact"] = contact
        if batch_name is not UNSET:
            field_dict["batch_name"] = batch_name
        if tags is not UNSET:
            field_dict["tags"] = tags
        if model_version is not UNSET:
            field_dict["model_version"] = model_version
        if matting_type is not UNSET:
            field_dict["matting_type"] = matting_type
        if model_resolution is not UNSET:
            field_dict["model_resolution"] = model_resolution
        if app_user_id is not UNSET:
            field_dict["app_user_id"] = app_user_id

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        job_id = d.pop("job_id")

        name = d.pop("name")

        state = read_member(TrainingJobState, d.pop("state"))

        project_id = intern_text(d.pop("project_id"))

        create_time = read_time(d.pop("create_time"))

        asset_id = d.pop("asset_id", UNSET)

        cover_download_url = d.pop("cover_download_url", UNSET)

        last_update_time = read_time(d.pop("last_update_time", UNSET))

        contact = d.pop("contact", UNSET)

        batch_name = d.pop("batch_name", UNSET)

        tags = d.pop("tags", UNSET)

        model_version = read_member(ModelVersion, d.pop("model_version", UNSET))

        matting_type = read_member(MattingType, d.pop("matting_type", UNSET))

        model_resolution = read_member(ModelResolution, d.pop("model_resolution", UNSET))

        app_user_id = d.pop("app_user_id", UNSET)

        training_job_basic_info = cls(
            job_id,
            name,
            state,
            project_id,
            create_time,
            asset_id,
            cover_download_url,
            last_update_time,
            contact,
            batch_name,
            tags,
            model_version,
            matting_type,
            model_resolution,
            app_user_id,
        )

        if d:
            training_job_basic_info.additional_properties = dict(d)
        return training_job_basic_info

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

    @property
    def phase(self) -> str | None:
        """What happens to it: done, failed, review, training, waiting. None in a state that the contract does not list."""
        state = LIST_TRAINING_JOBS.state_of(self)
        return state.phase if state else None

    @property
    def settled(self) -> bool:
        """Whether nothing more happens to it by itself."""
        state = LIST_TRAINING_JOBS.state_of(self)
        return state is not None and state.at_rest

    @property
    def outcome(self) -> Literal["success", "failure"] | None:
        """How it ended. None if it has not ended."""
        state = LIST_TRAINING_JOBS.state_of(self)
        return state.ended if state else None
