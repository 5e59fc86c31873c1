"""Errors in the form that clients of OpenAI's protocol expect."""

import json

from starlette.responses import Response


class ApiError(Exception):
    """Raised to answer a request with an error.

    Args:
        status: HTTP status.
        message: What is wrong and what to do.
        param: The field of the request that is wrong, if there is one.
        code: A word for programs, such as "model_not_found".
    """

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
    ):
        super().__init__(message)
        self.status, self.param, self.code = status, param, code

    def to_dict(self) -> dict:
        """Return the error object.

        >>> ApiError(404, "There is no such model.", "model").to_dict()["error"]["type"]
        'not_found_error'
        """
        kinds = {404: "not_found_error", 429: "rate_limit_error"}
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {
            "error": {
                "message": str(self),
                "type": kinds.get(self.status, kind),
                "param": self.param,
                "code": self.code,
            }
        }

    def response(self) -> Response:
        """Return the HTTP response, in ASCII: what it quotes from the request may hold
        lone surrogates, which UTF-8 cannot encode.
        """
        headers = {"Retry-After": "1"} if self.status == 429 else None
        body = json.dumps(self.to_dict())
        return Response(body, self.status, headers, "application/json")
