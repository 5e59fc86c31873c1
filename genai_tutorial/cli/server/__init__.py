"""The command `serve`: an HTTP server that speaks OpenAI's protocol.

Read `worker`, then `requests`, then `app`.
"""
