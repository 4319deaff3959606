"""A report as people and machines read it: in a terminal, as JUnit, as JSON, as one page of HTML."""
