from enum import StrEnum


class ModelVersion(StrEnum):
    """Version of a model. Servers may send other versions than these."""

    V2 = "V2"
    V3 = "V3"
    V3_2 = "V3.2"

    def __str__(self) -> str:
        return str(self.value)
