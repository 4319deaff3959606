"""Suite `shapes`: statuses, headers and bodies of seed requests and of requests that schemathesis generates.

Reading order: `suite`, `seed_requests`, `request_validity` (may a request be refused?), `responses` (what is wrong with
a response), then `schemathesis_driver`, `findings`, and `shrinking` (the smallest request that still fails).
"""

from metastudio.tester.shapes.findings import properties
from metastudio.tester.shapes.seed_requests import probing_query, required_headers, required_query
from metastudio.tester.shapes.suite import ShapesSuite

__all__ = ["ShapesSuite", "probing_query", "properties", "required_headers", "required_query"]
