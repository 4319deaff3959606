"""Shapes: what schemathesis makes up from the contract, judged by who says each rule."""

from metastudio.tester.shapes.findings import properties
from metastudio.tester.shapes.plan import Plan
from metastudio.tester.shapes.seed_requests import a_right_query, required_query
from metastudio.tester.shapes.suite import Shapes

__all__ = ["Plan", "Shapes", "a_right_query", "properties", "required_query"]
