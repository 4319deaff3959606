"""What a list means, as relations between answers, compiled from `x-list` and the schema of the answer.

The comparisons are written here in Python, apart from those of the sandbox in SQL, or both would err alike. Values
come from the server's own list, so that nothing has to be known of it beforehand; while it changes nothing is blamed.
"""

from metastudio.tester.relations.compile import relations
from metastudio.tester.relations.judge import judge
from metastudio.tester.relations.list_client import Bench

__all__ = ["Bench", "judge", "relations"]
