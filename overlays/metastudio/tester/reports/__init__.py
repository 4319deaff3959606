"""Report formats: terminal, HTML, JUnit and JSON."""

from metastudio.tester.reports.files import as_json, html, junit
from metastudio.tester.reports.terminal import progress, terminal

__all__ = ["as_json", "html", "junit", "progress", "terminal"]
