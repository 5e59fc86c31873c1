"""The command `serve`: an HTTP server that speaks OpenAI's protocol.

Read `models` and `worker`, then `body`, `completions` and `replies`, then `app`.
"""
