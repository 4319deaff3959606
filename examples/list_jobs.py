"""Lists the failed jobs, then the newest ones."""

from metastudio import MetaStudio

with MetaStudio() as studio:
    for job in studio.training_jobs.iterate(state=["TRAIN_FAILED", "AUTO_VERIFY_FAILED"]):
        print(f"failed: {job.job_id}  {job.state}  {job.name}")

    page = studio.training_jobs.list(limit=3, sort_key="create_time", sort_dir="desc")
    print(f"{page.count} jobs in total, the newest:")
    for job in page.jobs:
        print(f"  {job.create_time:%Y-%m-%d %H:%M}  {job.state}  {job.name}")
