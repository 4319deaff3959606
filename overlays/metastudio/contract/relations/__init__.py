"""What a list means, as relations between answers, compiled from `x-list` and the schema of the answer.

The comparisons are written here in Python, apart from those of the sandbox in SQL, or both would err alike. Values
come from the server's own list, so that nothing has to be known of it beforehand; while it changes nothing is blamed.
"""

from metastudio.contract.relations.bench import Bench
from metastudio.contract.relations.compile import relations
from metastudio.contract.relations.judge import judge

__all__ = ["Bench", "judge", "relations"]
