"""The vendor's SDK, huaweicloudsdkmetastudio. It has no paging: its users write the loop over the offset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkmetastudio.v1 import List2dModelTrainingJobRequest, MetaStudioClient
from peers import ACCESS_KEY, PROJECT_ID, SECRET_KEY
from peers.offset_loop import OffsetLoop


class Peer(OffsetLoop):
    def __init__(self, url: str, ca: str | None = None) -> None:
        config = HttpConfig.get_default_config()
        config.ssl_ca_cert = ca
        credentials = BasicCredentials(ACCESS_KEY, SECRET_KEY, PROJECT_ID)
        builder = MetaStudioClient.new_builder().with_http_config(config).with_credentials(credentials)
        self._client = builder.with_endpoint(url).build()

    def page(self, offset: int, limit: int) -> Any:
        return self._client.list2d_model_training_job(List2dModelTrainingJobRequest(offset=offset, limit=limit))

    def close(self) -> None:
        """It has nothing to close."""

    def signer(self) -> Callable[[int], object]:
        """Its signer, given a request of its own."""
        from huaweicloudsdkcore.signer.signer import Signer

        signer = Signer(self._client.get_credentials())
        return lambda number: signer.sign(_request(number))

    def client_signer(self) -> Callable[[int], object]:
        """What its client does: in a thread pool, by a new signer."""
        credentials, http_client = self._client.get_credentials(), self._client.get_http_client()
        return lambda number: credentials.process_auth_request(_request(number), http_client).result()


def _request(number: int) -> SdkRequest:
    path = f"/v1/{PROJECT_ID}/digital-human-training-manage/user/jobs"
    query = [("limit", 100), ("offset", number)]
    host = "metastudio.cn-north-4.myhuaweicloud.com"
    return SdkRequest("GET", "https", host, path, None, query, {"X-Project-Id": PROJECT_ID})
