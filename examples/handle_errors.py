"""Exceptions and what they mean. All are subclasses of `errors.MetaStudioError`; none contains a secret."""

import sys

from metastudio import Credentials, MetaStudio, errors

try:
    credentials = Credentials("UNKNOWN-ACCESS-KEY", "unknown-secret-key")
    with MetaStudio(credentials=credentials, project_id="some-project") as studio:
        studio.training_jobs.list()
except errors.AuthenticationError as error:
    print(f"The access key was refused: {error.error_code}. {error.hint}")
except errors.RateLimitError as error:
    print(f"Too many requests; the server asks for a delay of {error.retry_after} s")
except errors.ApiError as error:
    print(f"HTTP {error.status_code}, {error.error_code}: {error.error_msg} (request {error.request_id})")
except errors.ApiConnectionError as error:
    print(f"No complete response after {error.retries + 1} attempts: {error}")
except errors.MetaStudioError as error:
    sys.exit(f"{type(error).__name__}: {error}")
