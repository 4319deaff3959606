from enum import StrEnum


class TrainingJobSortKey(StrEnum):
    """Property to order by: create_time is the time of creation."""

    CREATE_TIME = "create_time"

    def __str__(self) -> str:
        return str(self.value)
