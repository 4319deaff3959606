"""One call: from a request to a checked response or a typed error.

Read in this order: `session` (the httpx clients), `call_settings` (`with_options`), `exchange` (attempts and deadline
of one call), `retry` and `throttle` (whether and when to try again), `response` (what a success must be, and how much
of it is read), `error_mapping`, `transport_errors` and `hints` (every other outcome). `deadline` ends a call in
time, `proxies`, `trailing_data` and `untrusted_json` keep it safe, `connection_pool`, `tls` and `url` make it fast,
`logs` holds the logger, `curl` writes a request as a curl command.
"""
