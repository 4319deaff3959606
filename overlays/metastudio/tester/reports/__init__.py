"""Report formats: terminal, HTML, JUnit and JSON."""

from metastudio.tester.reports.data import as_json
from metastudio.tester.reports.junit import junit
from metastudio.tester.reports.page import html
from metastudio.tester.reports.terminal import progress, terminal

__all__ = ["as_json", "html", "junit", "progress", "terminal"]
