"""The contract as a page to read and to try out, and as a file: /docs, /openapi.json and /openapi.yaml.

The page is Swagger UI from the package flask-swagger-ui, which only its files are taken of: nothing comes from another
host. A call is tried out with the token that the sandbox prints at its start.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from metastudio.contract import Document
from metastudio.sandbox.http import Answer, RefusedError, Request

_TYPES = {".css": "text/css", ".js": "text/javascript", ".png": "image/png"}
_FILE = re.compile(rb"/docs/([a-z0-9-]+(\.(?:css|js|png)))")
_START = """
window.ui = SwaggerUIBundle({
  url: "openapi.json", dom_id: "#page", deepLinking: true, tryItOutEnabled: true, persistAuthorization: true,
  validatorUrl: null, docExpansion: "full", defaultModelsExpandDepth: 0
});
"""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/index.css">
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
"""


class Docs:
    """Answers what a browser asks for. The contract names this server as its own."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def answer(self, request: Request) -> Answer:
        """Answer. Raises RefusedError for a path that is none of these."""
        if request.method not in ("GET", "HEAD"):
            raise RefusedError("unknown_path")
        match request.path:
            case b"/docs":
                title = self._document.data["info"]["title"].translate({ord("<"): "&lt;", ord("&"): "&amp;"})
                return _answer(_PAGE.format(title=title), "text/html")
            case b"/docs/start.js":
                return _answer(_START, "text/javascript")
            case b"/openapi.json":
                return Answer(200, self._contract(request))
            case b"/openapi.yaml":
                return _answer(
                    yaml.safe_dump(self._contract(request), sort_keys=False, allow_unicode=True), "text/yaml"
                )
            case _:
                return _file(request)

    def _contract(self, request: Request) -> dict[str, Any]:
        host = next(iter(request.header("host")), "")
        return {**self._document.data, "servers": [{"url": f"http://{host}", "description": "This sandbox."}]}


def _file(request: Request) -> Answer:
    found, bundle = _FILE.fullmatch(request.path), find_spec("flask_swagger_ui")
    if found is None or bundle is None or bundle.origin is None:
        raise RefusedError("unknown_path")
    path = Path(bundle.origin).parent / "dist" / found[1].decode()
    if not path.is_file():
        raise RefusedError("unknown_path")
    return Answer(200, path.read_bytes(), {"Content-Type": _TYPES[found[2].decode()]})


def _answer(text: str, kind: str) -> Answer:
    return Answer(200, text.encode(), {"Content-Type": f"{kind}; charset=utf-8"})
