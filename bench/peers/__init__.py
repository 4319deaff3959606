"""Those compared, each behind the same few names; a worker process imports only one of them.

A peer is a class made with the URL of a server, and a file of CA certificates where that is https. `calls` makes one
signed call after another and returns the jobs of each, where they are to be kept; `everything` goes through the list,
in pages of `page_size`, as its users would, and shows each job to `seen`.
"""

PROJECT_ID = "0123456789abcdef0123456789abcdef"
ACCESS_KEY, SECRET_KEY = "BENCHBENCHBENCHBENCH", "not-a-secret-not-a-secret-not-a-secret-0"
