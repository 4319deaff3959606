"""Client for Huawei Cloud MetaStudio training jobs, generated from one contract.

    from metastudio import MetaStudio

    with MetaStudio(region="cn-north-4") as studio:
        for job in studio.training_jobs.iterate(state=["TRAINING"]):
            print(job.job_id, job.state)

`MetaStudio` and `AsyncMetaStudio` are the clients to use; `connect` returns the generated client itself. The models and
enums of the contract are importable from here too, for example `TrainingJobState`. Names are loaded when they are first
used, so that importing one part costs only that part.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metastudio_client.models import *  # noqa: F403

    from metastudio import errors as errors
    from metastudio.auth.aksk import AkSkAuth as AkSkAuth
    from metastudio.auth.credentials import Credentials as Credentials
    from metastudio.auth.iam import IamTokenAuth as IamTokenAuth
    from metastudio.auth.token import TokenAuth as TokenAuth
    from metastudio.client import AsyncMetaStudio as AsyncMetaStudio
    from metastudio.client import MetaStudio as MetaStudio
    from metastudio.client import connect as connect

_HOME = {
    "AkSkAuth": "auth",
    "AsyncMetaStudio": "client",
    "Credentials": "auth",
    "IamTokenAuth": "auth",
    "MetaStudio": "client",
    "TokenAuth": "auth",
    "connect": "client",
}

__all__ = [
    "AkSkAuth",
    "AsyncMetaStudio",
    "Credentials",
    "IamTokenAuth",
    "MetaStudio",
    "TokenAuth",
    "connect",
    "errors",
]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("metastudio.errors")
    if name == "__version__":
        from importlib.metadata import version

        return version("metastudio-client")
    if name in _HOME:
        value = getattr(import_module(f"metastudio.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    if name[:1].isupper():  # not a module that is being imported, such as `redaction`
        models = import_module("metastudio_client.models")
        if name in models.__all__:
            return getattr(models, name)
    raise AttributeError(f"module 'metastudio' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *import_module("metastudio_client.models").__all__, "__version__"})
