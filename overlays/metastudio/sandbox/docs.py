"""API documentation: Swagger UI at /docs, and the contract at /openapi.json and /openapi.yaml.

The files of Swagger UI come from the package flask-swagger-ui, so that the page loads nothing from another host. To try
a request out, authorise with the token that the sandbox prints when it starts.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from metastudio.contract import Document
from metastudio.sandbox.http import RefusedError, SandboxRequest, SandboxResponse

_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".png": "image/png"}
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


class ApiDocs:
    """Serves the documentation. The contract it serves names the sandbox as the server."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def respond(self, request: SandboxRequest) -> SandboxResponse:
        """Return the page or file at a path. Raises RefusedError if there is none."""
        if request.method not in ("GET", "HEAD"):
            raise RefusedError("unknown_path")
        match request.path:
            case b"/docs":
                title = self._document.data["info"]["title"].translate({ord("<"): "&lt;", ord("&"): "&amp;"})
                return _text_response(_PAGE.format(title=title), "text/html")
            case b"/docs/start.js":
                return _text_response(_START, "text/javascript")
            case b"/openapi.json":
                return SandboxResponse(200, self._contract(request))
            case b"/openapi.yaml":
                return _text_response(
                    yaml.safe_dump(self._contract(request), sort_keys=False, allow_unicode=True), "text/yaml"
                )
            case _:
                return _file(request)

    def _contract(self, request: SandboxRequest) -> dict[str, Any]:
        host = next(iter(request.header("host")), "")
        return {**self._document.data, "servers": [{"url": f"http://{host}", "description": "This sandbox."}]}


def _file(request: SandboxRequest) -> SandboxResponse:
    found, package = _FILE.fullmatch(request.path), find_spec("flask_swagger_ui")
    if found is None or package is None or package.origin is None:
        raise RefusedError("unknown_path")
    path = Path(package.origin).parent / "dist" / found[1].decode()
    if not path.is_file():
        raise RefusedError("unknown_path")
    return SandboxResponse(200, path.read_bytes(), {"Content-Type": _MEDIA_TYPES[found[2].decode()]})


def _text_response(text: str, media_type: str) -> SandboxResponse:
    return SandboxResponse(200, text.encode(), {"Content-Type": f"{media_type}; charset=utf-8"})
