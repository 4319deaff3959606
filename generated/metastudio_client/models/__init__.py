"""Contains all the data models used in inputs/outputs"""

from .gateway_error import GatewayError
from .list_training_jobs_response import ListTrainingJobsResponse
from .matting_type import MattingType
from .model_resolution import ModelResolution
from .model_version import ModelVersion
from .service_error import ServiceError
from .sort_direction import SortDirection
from .training_job_basic_info import TrainingJobBasicInfo
from .training_job_sort_key import TrainingJobSortKey
from .training_job_state import TrainingJobState

__all__ = (
    "GatewayError",
    "ListTrainingJobsResponse",
    "MattingType",
    "ModelResolution",
    "ModelVersion",
    "ServiceError",
    "SortDirection",
    "TrainingJobBasicInfo",
    "TrainingJobSortKey",
    "TrainingJobState",
)
