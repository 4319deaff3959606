"""Hooks for plain schemathesis: `st run openapi.yaml --url URL`, signed, against any server.

`schemathesis.toml` names this module. The credentials come from the environment: HUAWEICLOUD_SDK_AK,
HUAWEICLOUD_SDK_SK (and HUAWEICLOUD_SDK_SECURITY_TOKEN), or METASTUDIO_TOKEN, and HUAWEICLOUD_SDK_PROJECT_ID.
A run in which no answer held an item fails: it has proven nothing.
"""

from __future__ import annotations

from typing import Any

import schemathesis

from metastudio.tester.access import Access
from metastudio.tester.http_client import Pace
from metastudio.tester.options import found_credentials
from metastudio.tester.shapes.generated import SignedAuth, masking_of
from metastudio.tester.values import pick


def _access() -> Access:
    keys, token, project = found_credentials()
    if not project or (keys is None and token is None):
        raise RuntimeError(
            "no credentials: set HUAWEICLOUD_SDK_PROJECT_ID, and HUAWEICLOUD_SDK_AK with HUAWEICLOUD_SDK_SK "
            "or METASTUDIO_TOKEN"
        )
    return Access(project, keys, token)


_ACCESS = _access()
schemathesis.auth.set_from_requests(SignedAuth(_ACCESS, Pace(None)))  # type: ignore[attr-defined]


schemathesis.hook("after_call")(masking_of(_ACCESS))


@schemathesis.check
class SomethingWasSeen:
    """Fails a run in which no list answered with an item, as with wrong credentials or an empty project."""

    def __init__(self) -> None:
        self._lists: set[str] = set()
        self._seen: set[str] = set()

    def after_response(self, ctx: Any, response: Any, case: Any) -> None:
        """Remember which lists there are, and which of them held something."""
        rules = case.operation.definition.raw.get("x-list")
        if rules is None:
            return
        self._lists.add(case.operation.label)
        if response.status_code == 200:
            try:
                held = any(pick(response.json(), rules["items"] + "/*"))
            except ValueError:
                return
            if held:
                self._seen.add(case.operation.label)

    def after_run(self, ctx: Any) -> None:
        """Compare the two."""
        empty = sorted(self._lists - self._seen)
        if empty:
            raise AssertionError(f"no answer of {', '.join(empty)} held a single item: nothing was proven")
