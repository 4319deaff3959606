"""A report as people and machines read it: in a terminal, as JUnit, as JSON, as one page of HTML."""

from metastudio.contract.reports.data import as_json
from metastudio.contract.reports.junit import junit
from metastudio.contract.reports.page import html
from metastudio.contract.reports.terminal import progress, terminal

__all__ = ["as_json", "html", "junit", "progress", "terminal"]
