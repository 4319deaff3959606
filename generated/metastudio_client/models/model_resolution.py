from enum import StrEnum


class ModelResolution(StrEnum):
    """Resolution of a model: 1080P allows video output in 1080p or 720p, 4K also in 4K."""

    K4 = "4K"
    P1080 = "1080P"

    def __str__(self) -> str:
        return str(self.value)
