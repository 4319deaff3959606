"""Waits until jobs finish or need input: those given as arguments, or else the first job in the list."""

import sys

from metastudio import MetaStudio, errors

with MetaStudio() as studio:
    job_ids = sys.argv[1:] or [job.job_id for job in studio.training_jobs.list(limit=1).jobs]
    for job_id in job_ids:
        try:
            job = studio.training_jobs.wait(
                job_id,
                timeout=1,  # seconds; an hour or two for real jobs
                poll=0.2,
                on_change=lambda seen: print(f"{seen.job_id} is {seen.state}"),
            )
            print(f"{job.job_id} stopped in state {job.state}")
        except errors.WaitTimeoutError as error:
            print(f"{error}")
        except errors.JobNotFoundError as error:
            print(f"{error}")
