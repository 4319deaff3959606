"""Access keys: what they are, and where they come from when they are not given.

Names and file format are the vendor's, so machines that its SDK works on have them already (facts 2.3).
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import attrs

from metastudio.errors import CredentialsError

if TYPE_CHECKING:
    import configparser
    from collections.abc import Callable, Mapping
    from datetime import datetime

_log = logging.getLogger("metastudio")

ACCESS_KEY, SECRET_KEY = "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"
IAM_ENDPOINT = "HUAWEICLOUD_SDK_IAM_ENDPOINT"
SECURITY_TOKEN = "HUAWEICLOUD_SDK_SECURITY_TOKEN"  # noqa: S105 - the name of a variable
CREDENTIALS_FILE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
DEFAULT_FILE = Path(".huaweicloud", "credentials")
SECTION = "basic"

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
    """One access key with its secret, and the security token when it is a temporary one. Immutable.

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
    """When a temporary key ends, an aware datetime; None when it has no end, or none that is known."""

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not pickled: look them up again in the other process")


class Source(NamedTuple):
    """A place that credentials were found in, or are to be asked for.

    Attributes:
        name: what to call it: ``environment``, the path of a file, ``instance metadata at ...``.
        provide: reads the credentials there, anew each time; may block. Raises CredentialsError.
        project_id: the project that a credentials file names beside the keys.
        iam_endpoint: the IAM that it names.
    """

    name: str
    provide: Callable[[], Credentials]
    project_id: str | None = None
    iam_endpoint: str | None = None


def find(
    *,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
    instance: Callable[[], Credentials] | None = None,
) -> Source:
    """The first of: environment, credentials file, instance metadata.

    Makes no network call: the instance is asked when its ``provide`` is called, and if it has no keys either, the
    error says everything that was looked for.

    Args:
        environ: instead of ``os.environ``.
        home: instead of the user's home directory.
        instance: instead of the metadata service of the cloud's machines.

    Raises:
        CredentialsError: what is there is incomplete or cannot be read.
    """
    environ = os.environ if environ is None else environ
    return from_environment(environ) or from_file(environ, home) or _from_instance(environ, home, instance)


def from_environment(environ: Mapping[str, str]) -> Source | None:
    """Keys in ``HUAWEICLOUD_SDK_AK``, ``_SK`` and, for temporary ones, ``_SECURITY_TOKEN``; None without any.

    Raises:
        CredentialsError: there is one half of the pair only, or a value that cannot be a key.
    """

    names = (ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN)
    if not _read(environ, names, "the environment"):
        return None
    return Source("environment", _required(lambda: _read(environ, names, "the environment"), "the environment"))


def from_file(environ: Mapping[str, str], home: Path | None = None) -> Source | None:
    """Keys in section ``[basic]`` of the credentials file; None when there is no such file, section or key.

    Raises:
        CredentialsError: the file cannot be read, is not there although the environment names it, has one half of
            the pair only, or a value that cannot be a key.
    """
    path = _path(environ, home)
    if path is None:
        return None
    try:
        section = _section(path)
    except FileNotFoundError:
        if environ.get(CREDENTIALS_FILE):
            raise CredentialsError(f"the credentials file {path}, named by {CREDENTIALS_FILE}, is not there") from None
        return None
    names = ("ak", "sk", "security_token")
    if not _read(section, names, str(path)):
        return None
    provide = _required(lambda: _read(_section(path), names, str(path)), str(path))
    return Source(str(path), provide, section.get("project_id") or None, section.get("iam_endpoint") or None)


def _from_instance(environ: Mapping[str, str], home: Path | None, instance: Callable[[], Credentials] | None) -> Source:
    if instance is None:
        from metastudio.auth.metadata import InstanceMetadata

        instance = InstanceMetadata()
    path = _path(environ, home)

    def provide() -> Credentials:
        try:
            return instance()
        except CredentialsError as error:
            raise CredentialsError(
                f"no credentials found. Looked for: arguments; {ACCESS_KEY} and {SECRET_KEY} in the environment; "
                f"ak and sk in section [{SECTION}] of {path or 'the credentials file (there is no home directory)'}; "
                f"{error}"
            ) from error

    return Source("instance metadata", provide)


def _path(environ: Mapping[str, str], home: Path | None) -> Path | None:
    if named := environ.get(CREDENTIALS_FILE):
        return Path(named)
    try:
        return (home or Path.home()) / DEFAULT_FILE
    except RuntimeError:  # there is no home directory
        return None


def _section(path: Path) -> Mapping[str, str]:
    """The section of the file that is ours. Its content never gets into a message: a line may hold a secret."""
    import configparser

    parser = configparser.ConfigParser(interpolation=None)
    try:
        with path.open(encoding="utf-8-sig") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
                _log.warning("%s can be read by other users of this machine: chmod 600 it", path)
            parser.read_file(file)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CredentialsError(f"the credentials file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CredentialsError(f"the credentials file {path} is not UTF-8 text") from None
    except configparser.Error as error:
        raise CredentialsError(f"the credentials file {path} is malformed{_line(error)}") from None
    return parser[SECTION] if parser.has_section(SECTION) else {}


def _line(error: configparser.Error) -> str:
    lines: list[tuple[int, str]] = getattr(error, "errors", [])
    number = lines[0][0] if lines else getattr(error, "lineno", None)
    return f" in line {number}" if number else ""


def _read(values: Mapping[str, str], names: tuple[str, str, str], where: str) -> Credentials | None:
    access_key, secret_key, security_token = (values.get(name) or None for name in names)
    if access_key is None and secret_key is None:
        return None
    if access_key is None or secret_key is None:
        there, missing = (names[0], names[1]) if access_key else (names[1], names[0])
        raise CredentialsError(f"{there} is set in {where}, but {missing} is not: keys come in pairs")
    try:
        return Credentials(access_key, secret_key, security_token)
    except CredentialsError as error:
        raise CredentialsError(f"in {where}: {error}") from None


def _required(read: Callable[[], Credentials | None], where: str) -> Callable[[], Credentials]:
    def provide() -> Credentials:
        credentials = read()
        if credentials is None:
            raise CredentialsError(f"the access key is gone from {where}")
        return credentials

    return provide
