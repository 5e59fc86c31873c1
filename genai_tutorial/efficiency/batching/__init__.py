"""Serving many requests at once: a paged KV cache, prefix caching, and continuous
batching.

Read `blocks`, `block_pool`, `paged_cache`, `reading` and `prefix_cache`, then
`request`, `scheduler` and `engine`; `static` is the baseline.
"""
