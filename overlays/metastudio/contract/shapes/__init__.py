"""Shapes: what schemathesis makes up from the contract, judged by who says each rule."""

from metastudio.contract.shapes.findings import properties
from metastudio.contract.shapes.made import a_right_query, required_query
from metastudio.contract.shapes.plan import Plan
from metastudio.contract.shapes.suite import Shapes

__all__ = ["Plan", "Shapes", "a_right_query", "properties", "required_query"]
