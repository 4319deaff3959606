"""Everything that takes many calls: reading a list page by page, finding an item, waiting for it to settle.

Read in this order:

1. `options`: what users can choose, and the `Page` they get.
2. `paginator`: the entry points. They check the arguments and choose how to read the list.
3. `base`: what a paginator is, and the requests and responses it deals with.
4. `offset` and `keyset`: which page to request next, and what of the response to deliver. Neither does any I/O.
5. `prefetch` and `executor`: sending requests ahead of the reader, in threads or tasks, and ending them.
6. `waiter`: polling one item.

Importing this package loads only the options.
"""

from metastudio.lists.options import IterateOptions, Page, WaitOptions

__all__ = ["IterateOptions", "Page", "WaitOptions"]
