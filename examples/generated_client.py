"""Calls a generated function: `connect()` returns a client that signs, retries and raises typed errors."""

import os

from metastudio import connect
from metastudio_client.api.training_jobs import list_training_jobs
from metastudio_client.models import ListTrainingJobsResponse

client = connect()
with client:
    response = list_training_jobs.sync_detailed(os.environ["HUAWEICLOUD_SDK_PROJECT_ID"], client=client, limit=5)
print(f"HTTP {response.status_code:d}, request {response.headers['X-Request-Id']}")
page = response.parsed
assert isinstance(page, ListTrainingJobsResponse)  # errors are raised; see handle_errors.py
for job in page.jobs:
    print(f"{job.job_id}  {job.state}")
