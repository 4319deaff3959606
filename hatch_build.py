"""The README and the addresses of the project, as a package page shows them.

A package page has no other files of the repository. `PROJECT_URL`, the repository's address on GitHub, makes the links
into it absolute; the release workflow sets it. Without it a link is only its text, and a picture is left out.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

VENDOR = "https://support.huaweicloud.com/intl/en-us/api-metastudio/metastudio_02_0000.html"
IMAGE = re.compile(r"!\[([^\]]*)\]\((?!https?://)([^)\s]+)\)")
LINK = re.compile(r"\[([^\]]*)\]\((?!https?://|#)([^)\s]+)\)")


class PackagePage(MetadataHookInterface):
    """Fills in `readme` and `urls`, which pyproject.toml declares as dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set both fields.

        Raises:
            ValueError: `PROJECT_URL` is not an https address.
        """
        url = os.environ.get("PROJECT_URL", "").rstrip("/")
        if url and not url.startswith("https://"):
            raise ValueError(f"PROJECT_URL must be an https address, not {url!r}")
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        tag = f"v{metadata['version']}"
        text = IMAGE.sub(rf"![\1]({url}/raw/{tag}/\2)" if url else "", text)
        text = LINK.sub(rf"[\1]({url}/blob/{tag}/\2)" if url else r"\1", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = {"API reference of the vendor": VENDOR} | (
            {
                "Repository": url,
                "Changelog": f"{url}/blob/{tag}/CHANGELOG.md",
                "Issues": f"{url}/issues",
            }
            if url
            else {}
        )
