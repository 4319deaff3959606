"""Every tag of the contract as an attribute"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metastudio.engine import AsyncEngine, Engine

    from .training_jobs import AsyncTrainingJobs, TrainingJobs


class Api:
    """The operations of the contract, by tag, over blocking I/O"""

    if TYPE_CHECKING:
        _engine: Engine

    @cached_property
    def training_jobs(self) -> TrainingJobs:
        """Operations of the tag training_jobs"""
        from .training_jobs import TrainingJobs

        return TrainingJobs(self._engine)


class AsyncApi:
    """The operations of the contract, by tag, over asyncio"""

    if TYPE_CHECKING:
        _engine: AsyncEngine

    @cached_property
    def training_jobs(self) -> AsyncTrainingJobs:
        """Operations of the tag training_jobs"""
        from .training_jobs import AsyncTrainingJobs

        return AsyncTrainingJobs(self._engine)
