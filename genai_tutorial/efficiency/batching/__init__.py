"""Serving many requests at once: a paged KV cache, prefix caching, and continuous
batching.

Read `requests`, then `cache`, `scheduler` and `engine`; `static` is the baseline.
"""
