"""Access keys: what they are, and where they come from when they are not given."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

import attrs

from metastudio.errors import CredentialsError

if TYPE_CHECKING:
    from datetime import datetime

_PRINTABLE = re.compile(r"[!-~]+")


def _masked(access_key: str) -> str:
    """Enough of an access key to recognise it."""
    return f"'{access_key[:4]}***'" if len(access_key) > 8 else "***"


def _present(secret: object) -> str:
    return "None" if secret is None else "***"


def _printable(_: Credentials, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not _PRINTABLE.fullmatch(value):
        raise CredentialsError(
            f"{attribute.name} is missing, or holds blanks, line breaks or non-ASCII characters; copy it once more"
        )


@attrs.frozen
class Credentials:
    """One access key with its secret; with a security token when it is a temporary one. Immutable.

    Shows no secret in ``repr`` and ``str``, and refuses to be pickled: a pickle would hold the secret in clear.

    Raises:
        CredentialsError: a value is empty, or holds blanks, line breaks or non-ASCII characters.
    """

    access_key: str = attrs.field(validator=_printable, repr=_masked)
    secret_key: str = attrs.field(validator=_printable, repr=_present)
    security_token: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(_printable), repr=_present
    )
    expires_at: datetime | None = attrs.field(default=None, kw_only=True)
    """When a temporary key ends, an aware datetime; None when it is not known or does not."""

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not pickled: look them up again in the other process")
