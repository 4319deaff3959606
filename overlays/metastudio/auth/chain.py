"""The credential chain: environment variables, credentials file, instance metadata.

Names and file format are those of the vendor's SDK (docs/service-notes.md#credential-sources), so that a machine set
up for it needs no other settings. Other sections of the file than the SDK's, profiles, are ours.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from metastudio.auth.credentials import Credentials
from metastudio.errors import ConfigurationError, CredentialsError

if TYPE_CHECKING:
    import configparser
    from collections.abc import Callable, Mapping

_log = logging.getLogger("metastudio")

ACCESS_KEY, SECRET_KEY = "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"
SECURITY_TOKEN = "HUAWEICLOUD_SDK_SECURITY_TOKEN"  # noqa: S105 - the name of a variable
CREDENTIALS_FILE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
IAM_ENDPOINT = "HUAWEICLOUD_SDK_IAM_ENDPOINT"
DEFAULT_FILE = Path(".huaweicloud", "credentials")
PROFILE = "HUAWEICLOUD_SDK_PROFILE"  # the vendor's SDK does not read it; its section is always the same
SECTION = "basic"


class Source(NamedTuple):
    """A place that has credentials.

    Attributes:
        name: ``environment``, the path of a file, or ``instance metadata``.
        provide: Reads the credentials from there, afresh on each call. It may block and raise CredentialsError.
        project_id: The project ID in the credentials file.
        iam_endpoint: The URL of IAM in the credentials file.
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
    profile: str | None = None,
) -> Source:
    """Return the first source that has credentials.

    The instance metadata service is the last resort. It is not called here but when the source's `provide` is.

    Args:
        environ: Replaces ``os.environ``.
        home: Replaces the user's home directory.
        instance: Replaces the instance metadata service.
        profile: Section of the credentials file. As an argument, it precedes the environment.

    Raises:
        ConfigurationError: There is no such profile.
        CredentialsError: A source is incomplete or cannot be read.
    """
    environ = os.environ if environ is None else environ
    found = from_settings(environ, home, profile)
    return found or _from_instance(environ, home, instance, profile or environ.get(PROFILE) or SECTION)


def from_settings(environ: Mapping[str, str], home: Path | None = None, profile: str | None = None) -> Source | None:
    """Return the environment or the credentials file as a source, or None if neither has an access key.

    The environment comes first, unless `profile` is given. Raises as `find` does.
    """
    given = from_file(environ, home, profile) if profile else None
    return given or from_environment(environ) or from_file(environ, home, profile)


def from_environment(environ: Mapping[str, str]) -> Source | None:
    """Return the environment as a source, or None if it has no access key.

    Raises:
        CredentialsError: Only one of access key and secret key is set, or a value is malformed.
    """
    names, place = (ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN), "the environment"
    if _parse(environ, names, place) is None:
        return None
    return Source("environment", _provider(lambda: environ, names, place))


def from_file(environ: Mapping[str, str], home: Path | None = None, profile: str | None = None) -> Source | None:
    """Return a section of the credentials file as a source, or None if there is no access key.

    Raises:
        ConfigurationError: There is no such profile.
        CredentialsError: As for `read_section`; or only one of access key and secret key is set, or a value is
            malformed.
    """
    section = read_section(environ, home, profile)
    names = ("ak", "sk", "security_token")
    if _parse(section.values, names, section.place) is None:
        return None
    provide = _provider(lambda: _sections(section.path).get(section.name, {}), names, section.place)
    values = section.values
    return Source(section.place, provide, values.get("project_id") or None, values.get("iam_endpoint") or None)


class Section(NamedTuple):
    """A section of the credentials file.

    Attributes:
        path: The file; None if there is no home directory.
        name: The name of the section.
        values: Its values; empty if there is no such file or section.
    """

    path: Path | None
    name: str
    values: Mapping[str, str]

    @property
    def place(self) -> str:
        """The section as messages name it."""
        return str(self.path) if self.name == SECTION else f"{self.path} [{self.name}]"


def read_section(environ: Mapping[str, str], home: Path | None = None, profile: str | None = None) -> Section:
    """Read section `profile` of the credentials file, else the one of HUAWEICLOUD_SDK_PROFILE, else ``[basic]``.

    Raises:
        ConfigurationError: There is no section with the name that the argument or the environment gives.
        CredentialsError: The file cannot be read or is malformed, or the environment names a file that does not exist
            or has no section ``[basic]``.
    """
    path = _path(environ, home)
    chosen = profile or environ.get(PROFILE)
    name = chosen or SECTION
    sections = _sections(path)
    if name in sections:
        return Section(path, name, sections[name])
    if chosen:
        origin = "argument profile" if profile else f"environment ({PROFILE})"
        known = f"has only {', '.join(sections)}" if sections else "has no sections, or does not exist"
        raise ConfigurationError(f"there is no profile {chosen!a} ({origin}): the credentials file {path} {known}")
    if environ.get(CREDENTIALS_FILE) and path:
        if not path.exists():
            raise CredentialsError(f"the credentials file {path} does not exist; correct or unset {CREDENTIALS_FILE}")
        raise CredentialsError(f"the credentials file {path} has no section [{SECTION}]; write it above ak and sk")
    return Section(path, name, {})


def profiles(environ: Mapping[str, str], home: Path | None = None) -> list[str]:
    """Return the names of the sections of the credentials file. Raises CredentialsError if it cannot be read."""
    return [*_sections(_path(environ, home))]


def _from_instance(
    environ: Mapping[str, str], home: Path | None, instance: Callable[[], Credentials] | None, section: str
) -> Source:
    if instance is None:
        from metastudio.auth.metadata import InstanceMetadata

        instance = InstanceMetadata()
    path = _path(environ, home)

    def provide() -> Credentials:
        try:
            return instance()
        except CredentialsError as error:
            raise CredentialsError(
                f"no credentials found; tried: arguments; {ACCESS_KEY} and {SECRET_KEY} in the environment; "
                f"ak and sk in section [{section}] of {path or 'the credentials file (there is no home directory)'}; "
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


def _sections(path: Path | None) -> Mapping[str, Mapping[str, str]]:
    """Read the sections of the file; there are none if there is no file. Errors quote no lines, which hold secrets."""
    if path is None:
        return {}
    import configparser

    parser = configparser.ConfigParser(interpolation=None)
    try:
        with path.open(encoding="utf-8-sig") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
                _warn_of_readers(path)
            parser.read_file(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CredentialsError(f"the credentials file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CredentialsError(f"the credentials file {path} is not UTF-8 text") from None
    except configparser.MissingSectionHeaderError:
        raise CredentialsError(
            f"the credentials file {path} does not begin with a section; write [{SECTION}] above ak and sk"
        ) from None
    except configparser.Error as error:
        raise CredentialsError(f"the credentials file {path} is malformed{_line(error)}") from None
    return {name: parser[name] for name in parser.sections()}


@cache
def _warn_of_readers(path: Path) -> None:
    """Warn once in the life of the process; the file is read again for each refresh."""
    _log.warning("other users of this machine can read %s; run chmod 600 on it", path)


def _line(error: configparser.Error) -> str:
    lines: list[tuple[int, str]] = getattr(error, "errors", [])
    number = lines[0][0] if lines else getattr(error, "lineno", None)
    return f" in line {number}" if number else ""


def _parse(values: Mapping[str, str], names: tuple[str, str, str], place: str) -> Credentials | None:
    """Return the credentials among the values, or None if access key and secret key are not set."""
    access_key, secret_key, security_token = (values.get(name) or None for name in names)
    if access_key is None and secret_key is None:
        return None
    if access_key is None or secret_key is None:
        present, missing = (names[0], names[1]) if access_key else (names[1], names[0])
        problem = f"{place} sets {present} but not {missing}; set both"
    else:
        try:
            return Credentials(access_key, secret_key, security_token)
        except CredentialsError as error:
            problem = f"in {place}: {error}"
    del access_key, secret_key, security_token  # error reporters such as Sentry record local variables
    raise CredentialsError(problem)


def _provider(
    load: Callable[[], Mapping[str, str]], names: tuple[str, str, str], place: str
) -> Callable[[], Credentials]:
    def provide() -> Credentials:
        credentials = _parse(load(), names, place)
        if credentials is None:
            raise CredentialsError(f"the access key was removed from {place}")
        return credentials

    return provide
