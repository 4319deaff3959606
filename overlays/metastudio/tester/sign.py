"""Sign one request for curl: print its URL and headers as a configuration for `curl -K -`.

    python -m metastudio.tester.sign 'https://host/path?limit=1' | curl -sS -i -K -

The key pair comes from the same sources as for `contract-test`: HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK and
HUAWEICLOUD_SDK_PROJECT_ID (with HUAWEICLOUD_SDK_SECURITY_TOKEN for temporary credentials), or the credentials file. The
output is a credential that is valid for some minutes: do not store it.
"""

from __future__ import annotations

import click

from metastudio.errors import CredentialsError
from metastudio.tester.caller import Caller, canonical_url
from metastudio.tester.forgeries import FORGERIES
from metastudio.tester.options import credentials_from_environment, other_credentials_from_environment


@click.command(help=__doc__, name="sign")
@click.argument("url")
@click.option("--method", default="GET", show_default=True, help="HTTP method.")
@click.option("--body", default="", help="Body of the request.")
@click.option("--case", type=click.Choice(list(FORGERIES)), help="Forge the signature in this way.")
@click.option("--project", help="X-Project-Id, if it is not the caller's project.")
@click.option("--other", is_flag=True, help="Sign for the second caller: METASTUDIO_OTHER_AK, _SK and _PROJECT_ID.")
def sign(url: str, method: str, body: str, case: str | None, project: str | None, other: bool) -> None:
    """Print the curl configuration."""
    try:
        keys, _, own = other_credentials_from_environment() if other else credentials_from_environment()
    except CredentialsError as error:
        raise click.ClickException(str(error)) from None
    variables = "METASTUDIO_OTHER" if other else "HUAWEICLOUD_SDK"
    if keys is None:
        raise click.ClickException(f"no key pair: set {variables}_AK and {variables}_SK")
    project = project or own
    if not project:
        raise click.ClickException(f"no project ID: set {variables}_PROJECT_ID or give --project")
    caller, url = Caller(project, keys), canonical_url(url)
    click.echo(f'url = "{url}"')
    for name, value in caller.headers(method, url, case, body=body.encode()).items():
        click.echo('header = "{}"'.format(f"{name}: {value}".replace("\\", "\\\\").replace('"', '\\"')))


if __name__ == "__main__":
    sign()
