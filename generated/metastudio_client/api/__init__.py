"""Every tag of the contract as an attribute"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .training_jobs import AsyncTrainingJobs, TrainingJobs

if TYPE_CHECKING:
    from metastudio.engine import AsyncEngine, Engine


class Api:
    """The operations of the contract, by tag, over blocking I/O"""

    def __init__(self, engine: Engine) -> None:
        self.training_jobs = TrainingJobs(engine)


class AsyncApi:
    """The operations of the contract, by tag, over asyncio"""

    def __init__(self, engine: AsyncEngine) -> None:
        self.training_jobs = AsyncTrainingJobs(engine)
