"""Which error means what. All of them are `errors.MetaStudioError`; none shows a secret."""

import sys

from metastudio import Credentials, MetaStudio, errors

try:
    with MetaStudio(credentials=Credentials("AK-THAT-IS-NONE", "SK-THAT-IS-NONE"), project_id="some-project") as studio:
        studio.training_jobs.list()
except errors.AuthenticationError as error:
    print(f"The key is not accepted: {error.error_code}. {error.hint}")
except errors.RateLimitError as error:
    print(f"Too many requests; the server asks to wait {error.retry_after} s")
except errors.ApiError as error:
    print(f"HTTP {error.status_code}, {error.error_code}: {error.error_msg} (request {error.request_id})")
except errors.ApiConnectionError as error:
    print(f"No whole answer after {error.retries + 1} attempts: {error}")
except errors.MetaStudioError as error:
    sys.exit(f"{type(error).__name__}: {error}")
