from enum import StrEnum


class ModelVersion(StrEnum):
    """Version of a model. V2 and V3 are the page's options; V3.2 stands in six of its ten examples."""

    V2 = "V2"
    V3 = "V3"
    V3_2 = "V3.2"

    def __str__(self) -> str:
        return str(self.value)
