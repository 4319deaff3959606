"""The vendor's SDK, huaweicloudsdkmetastudio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkmetastudio.v1 import List2dModelTrainingJobRequest, MetaStudioClient
from peers import ACCESS_KEY, PATH, PROJECT_ID, SECRET_KEY
from peers.base import Peer


class VendorSdkPeer(Peer):
    def __init__(self, url: str, ca: str | None = None) -> None:
        config = HttpConfig.get_default_config()
        config.ssl_ca_cert = ca
        credentials = BasicCredentials(ACCESS_KEY, SECRET_KEY, PROJECT_ID)
        builder = MetaStudioClient.new_builder().with_http_config(config).with_credentials(credentials)
        self._client = builder.with_endpoint(url).build()

    def page(self, offset: int, limit: int) -> tuple[int, list[Any]]:
        page = self._client.list2d_model_training_job(List2dModelTrainingJobRequest(offset=offset, limit=limit))
        return page.count, page.jobs

    def close(self) -> None:
        """Do nothing: the SDK cannot be closed."""

    def signer(self) -> Callable[[int], object]:
        """Return the SDK's signer, applied to a request of the SDK."""
        from huaweicloudsdkcore.signer.signer import Signer

        signer = Signer(self._client.get_credentials())
        return lambda number: signer.sign(_request(number))

    def client_signer(self) -> Callable[[int], object]:
        """Return a function that signs as the SDK's client does: in a thread pool, with a new signer."""
        credentials, http_client = self._client.get_credentials(), self._client.get_http_client()
        return lambda number: credentials.process_auth_request(_request(number), http_client).result()


def _request(number: int) -> SdkRequest:
    query = [("limit", 100), ("offset", number)]
    host = "metastudio.cn-north-4.myhuaweicloud.com"
    return SdkRequest("GET", "https", host, PATH, None, query, {"X-Project-Id": PROJECT_ID})


connect = VendorSdkPeer
