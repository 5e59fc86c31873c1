"""Serving many requests at once: a paged KV cache, shared prefixes, and a scheduler
that decides before each forward pass which requests take part.

Read `blocks`, `paged_cache` and `prefix_cache`, then `request`, `scheduler` and
`engine`; `static` is what it is compared with.
"""
