"""Signs one request for curl: prints its URL and headers as a configuration that `curl -K -` reads.

    python -m metastudio.tester.sign 'https://host/path?limit=1' | curl -sS -i -K -

The key pair comes from where that of `contract-test` does: HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK,
HUAWEICLOUD_SDK_PROJECT_ID (and, for a temporary one, HUAWEICLOUD_SDK_SECURITY_TOKEN) or the credentials file. What is
printed is valid for some minutes: do not keep it.
"""

from __future__ import annotations

import click

from metastudio.errors import CredentialsError
from metastudio.tester.access import RIGHT, Access, spelled
from metastudio.tester.forgeries import FORGERIES
from metastudio.tester.options import found_credentials, other_credentials


@click.command(help=__doc__, name="sign")
@click.argument("url")
@click.option("--method", default="GET", show_default=True, help="Method of the request.")
@click.option("--case", type=click.Choice(list(FORGERIES)), help="Sign wrongly on purpose, in this way.")
@click.option("--project", help="X-Project-Id, where it is not the caller's own project.")
@click.option("--other", is_flag=True, help="Sign for the other caller: METASTUDIO_OTHER_AK and its kin.")
def sign(url: str, method: str, case: str | None, project: str | None, other: bool) -> None:
    """Print the configuration for curl."""
    try:
        keys, _, own = other_credentials() if other else found_credentials()
    except CredentialsError as error:
        raise click.ClickException(str(error)) from None
    variables = "METASTUDIO_OTHER" if other else "HUAWEICLOUD_SDK"
    if keys is None:
        raise click.ClickException(f"no key pair: set {variables}_AK and {variables}_SK")
    project = project or own
    if not project:
        raise click.ClickException(f"set {variables}_PROJECT_ID: it is signed with the request")
    access, url = Access(project, keys), spelled(url)
    tamper = FORGERIES[case].tamper(access, url) if case else RIGHT
    click.echo(f'url = "{url}"')
    for name, value in access.headers(method, url, tamper).items():
        click.echo('header = "{}"'.format(f"{name}: {value}".replace("\\", "\\\\").replace('"', '\\"')))


if __name__ == "__main__":
    sign()
