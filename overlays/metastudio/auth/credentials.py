"""An access key with its secret, and the form of what is sent beside it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NoReturn

import attrs

from metastudio.errors import ConfigurationError, CredentialsError


def require_visible_ascii(name: str, value: object) -> str:
    """Return a secret that can be sent in a header.

    Raises:
        CredentialsError: The value is not text, is empty, or has blanks, line breaks or non-ASCII characters. The
            message has the name but not the value.
    """
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value):
        del value  # error reporters such as Sentry record local variables
        raise CredentialsError(
            f"{name} must be visible ASCII characters, not empty and without blanks or line breaks; copy it again"
        )
    return value


def is_project_id(value: object) -> bool:
    """Return whether a value has the form of a project ID: 1 to 64 ASCII letters, digits, ``-`` and ``_``."""
    return isinstance(value, str) and bool(re.fullmatch(r"[\w-]{1,64}", value, re.ASCII))


def check_project_id(project_id: str, source: str) -> None:
    """Check the form of a project ID.

    Args:
        project_id: The ID.
        source: Where it comes from, for the message.

    Raises:
        ConfigurationError: It is malformed; see `is_project_id`.
    """
    if not is_project_id(project_id):
        raise ConfigurationError(
            f"project ID {project_id!a} ({source}) may contain only letters, digits, - and _, and at most 64 of them"
        )


def _validate(_: Credentials, attribute: attrs.Attribute[str], value: object) -> None:
    require_visible_ascii(attribute.name, value)


def _validate_time(_: Credentials, attribute: attrs.Attribute[datetime | None], value: object) -> None:
    if value is not None and not (isinstance(value, datetime) and value.utcoffset() is not None):
        raise CredentialsError(f"{attribute.name} must be a datetime with a time zone, such as datetime.now(UTC)")


def _show_start(access_key: str) -> str:
    return f"'{access_key[:4]}***'" if len(access_key) > 8 else "***"


def _hide(secret: object) -> str:
    return "None" if secret is None else "***"


@attrs.frozen
class Credentials:
    """An access key, its secret key and, if the key is temporary, its security token.

    `repr` shows no secret. Credentials cannot be pickled or copied, because a pickle holds secrets in clear text.

    Args:
        access_key: The access key (AK).
        secret_key: The secret key (SK).
        security_token: The security token of a temporary key.
        expires_at: When a temporary key expires, as an aware datetime; None if it does not expire or if that is
            unknown.

    Raises:
        CredentialsError: A value is empty, or has blanks, line breaks or non-ASCII characters, or `expires_at` has no
            time zone.
    """

    access_key: str = attrs.field(validator=_validate, repr=_show_start)
    secret_key: str = attrs.field(validator=_validate, repr=_hide)
    security_token: str | None = attrs.field(default=None, validator=attrs.validators.optional(_validate), repr=_hide)
    expires_at: datetime | None = attrs.field(default=None, kw_only=True, validator=_validate_time)

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials cannot be pickled or copied; look them up again in the other process")
