"""Signs a request to another Huawei Cloud service. `AkSkAuth` works with any httpx client."""

import os

import httpx
from metastudio import AkSkAuth

auth = AkSkAuth(os.environ["HUAWEICLOUD_SDK_AK"], os.environ["HUAWEICLOUD_SDK_SK"])
iam = os.environ.get("HUAWEICLOUD_SDK_IAM_ENDPOINT", "https://iam.myhuaweicloud.com")

projects = httpx.get(f"{iam}/v3/projects", auth=auth).raise_for_status().json()["projects"]
for project in projects:
    print(f"{project['id']}  {project['name']}")
