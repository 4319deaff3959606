"""Makes rows for a table: one set of columns, real times, plain text for states.

With pandas, `pandas.DataFrame(rows)` is a table with typed columns.
"""

from collections import Counter

from metastudio import MetaStudio

with MetaStudio() as studio:
    jobs = list(studio.training_jobs.iterate())
    rows = [{**job.to_record(), "phase": job.phase} for job in jobs]

newest = max(rows, key=lambda row: row["create_time"])
print(f"{len(rows)} rows with the columns {', '.join(newest)}")
print(f"the newest job is of {newest['create_time']:%A}, {newest['create_time']:%H:%M} UTC")
for phase, number in Counter(row["phase"] for row in rows).most_common():
    print(f"{number:>5}  {phase}")
