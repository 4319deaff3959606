"""Hooks that sign the requests of plain schemathesis: `st run openapi.yaml --url URL`.

`schemathesis.toml` loads this module. Credentials come from the environment: HUAWEICLOUD_SDK_PROJECT_ID with
METASTUDIO_TOKEN, or with HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK and optionally HUAWEICLOUD_SDK_SECURITY_TOKEN. A run in
which no response contains an item fails, because it tested nothing.
"""

from __future__ import annotations

from typing import Any

import schemathesis

from metastudio.http.proxies import exclude_loopback
from metastudio.tester.caller import Caller
from metastudio.tester.options import credentials_from_environment
from metastudio.tester.values import values_at

MASKED = "[Filtered]"
"""Replacement that schemathesis uses for secrets."""


def _caller() -> Caller:
    keys, token, project = credentials_from_environment()
    if not project or (keys is None and token is None):
        raise RuntimeError(
            "no credentials: set HUAWEICLOUD_SDK_PROJECT_ID, and HUAWEICLOUD_SDK_AK with HUAWEICLOUD_SDK_SK "
            "or METASTUDIO_TOKEN"
        )
    return Caller(project, keys, token)


exclude_loopback()
_CALLER = _caller()


def _sign(request: Any) -> Any:
    """Sign a request. A masked one is only printed, and stays unchanged."""
    return request if MASKED in request.headers.values() else _CALLER.sign(request)


schemathesis.auth.set_from_requests(_sign)  # type: ignore[attr-defined]


@schemathesis.hook("after_call")  # pyright: ignore[reportUntypedFunctionDecorator]
def mask_credentials(context: Any, case: Any, response: Any) -> None:
    """Mask the credentials of a sent request: schemathesis prints a failed one as a curl command."""
    for name in _CALLER.header_names & set(response.request.headers):
        response.request.headers[name] = MASKED


@schemathesis.check
class AtLeastOneItemSeen:
    """Fails the run if no response of a list contained an item, as with wrong credentials or an empty project."""

    def __init__(self) -> None:
        self._lists: set[str] = set()
        self._seen: set[str] = set()

    def after_response(self, ctx: Any, response: Any, case: Any) -> None:
        """Record the list operations, and which of them returned an item."""
        rules = case.operation.definition.raw.get("x-list")
        if rules is None:
            return
        self._lists.add(case.operation.label)
        if response.status_code == 200:
            try:
                held = any(values_at(response.json(), rules["items"] + "/*"))
            except ValueError:
                return
            if held:
                self._seen.add(case.operation.label)

    def after_run(self, ctx: Any) -> None:
        """Fail if a list operation returned no item."""
        empty = sorted(self._lists - self._seen)
        if empty:
            raise AssertionError(f"no response of {', '.join(empty)} contained an item, so nothing was tested")
