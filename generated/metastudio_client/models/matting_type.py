from enum import StrEnum


class MattingType(StrEnum):
    """How the background is cut out: AI by a model, MANUAL by hand."""

    AI = "AI"
    MANUAL = "MANUAL"

    def __str__(self) -> str:
        return str(self.value)
