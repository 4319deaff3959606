"""Shapes: what schemathesis makes up from the contract, judged by who says each rule."""

from metastudio.contract.shapes.generated import Plan
from metastudio.contract.shapes.suite import Shapes, properties

__all__ = ["Plan", "Shapes", "properties"]
