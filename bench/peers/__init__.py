"""The clients that are compared. A worker process imports one of these modules.

Each module has `connect(url, ca=None)`, which returns a client of the server at `url`, verified with the CA file `ca`.
The client has these methods:

- `calls(offsets, limit)` requests one page after another.
- `everything(page_size, concurrency, seen)` reads the whole list and passes each job to `seen`.
- `close()` closes the connections.
"""

PROJECT_ID = "0123456789abcdef0123456789abcdef"
PATH = f"/v1/{PROJECT_ID}/digital-human-training-manage/user/jobs"
ACCESS_KEY, SECRET_KEY = "BENCHBENCHBENCHBENCH", "not-a-secret-not-a-secret-not-a-secret-0"
