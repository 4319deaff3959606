"""Signs one request for curl: prints its URL and headers as a configuration that `curl -K -` reads.

    python -m metastudio.contract.sign 'https://host/path?limit=1' | curl -sS -i -K -

The key pair comes from HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK, HUAWEICLOUD_SDK_PROJECT_ID (and, for a temporary one,
HUAWEICLOUD_SDK_SECURITY_TOKEN). What is printed is valid for some minutes: do not keep it.
"""

from __future__ import annotations

import os

import click

from metastudio.contract.access import RIGHT, Access, spelled
from metastudio.contract.forgeries import FORGERIES
from metastudio.credentials import Credentials
from metastudio.errors import CredentialsError


@click.command(help=__doc__, name="sign")
@click.argument("url")
@click.option("--method", default="GET", show_default=True, help="Method of the request.")
@click.option("--case", type=click.Choice(list(FORGERIES)), help="Sign wrongly on purpose, in this way.")
@click.option("--project", help="X-Project-Id, where it is not HUAWEICLOUD_SDK_PROJECT_ID.")
def sign(url: str, method: str, case: str | None, project: str | None) -> None:
    """Print the configuration for curl."""
    try:
        keys = Credentials(
            os.environ.get("HUAWEICLOUD_SDK_AK", ""),
            os.environ.get("HUAWEICLOUD_SDK_SK", ""),
            os.environ.get("HUAWEICLOUD_SDK_SECURITY_TOKEN") or None,
        )
    except CredentialsError as error:
        raise click.ClickException(f"{error} (HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK)") from None
    project = project or os.environ.get("HUAWEICLOUD_SDK_PROJECT_ID", "")
    if not project:
        raise click.ClickException("set HUAWEICLOUD_SDK_PROJECT_ID: it is signed with the request")
    access, url = Access(project, keys), spelled(url)
    tamper = FORGERIES[case].tamper(access, url) if case else RIGHT
    click.echo(f'url = "{url}"')
    for name, value in access.headers(method, url, tamper).items():
        click.echo('header = "{}"'.format(f"{name}: {value}".replace("\\", "\\\\").replace('"', '\\"')))


if __name__ == "__main__":
    sign()
