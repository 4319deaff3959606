from enum import StrEnum


class SortDirection(StrEnum):
    """Direction of the order: asc ascending, desc descending. asc by default."""

    ASC = "asc"
    DESC = "desc"

    def __str__(self) -> str:
        return str(self.value)
