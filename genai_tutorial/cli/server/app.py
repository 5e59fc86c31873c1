"""The web application: its routes, and its errors in the form that clients expect."""

import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genai_tutorial.cli.server.answering import Answering, EventStream, answer_whole
from genai_tutorial.cli.server.completions import Completion, read_chat, read_text
from genai_tutorial.cli.server.errors import ApiError
from genai_tutorial.cli.server.models import ServedModel
from genai_tutorial.cli.server.replies import model_object
from genai_tutorial.cli.server.worker import Worker

MAX_BODY = 1_000_000
"""The largest body of a request, in bytes."""

HOSTS = ("127.0.0.1", "localhost")
LOCAL_ORIGIN = re.compile(rf"https?://({'|'.join(map(re.escape, HOSTS))})(:\d+)?")

Read = Callable[[bytes, Mapping[str, ServedModel]], Completion]


def make_app(models: Mapping[str, ServedModel], worker: Worker) -> Starlette:
    """Return the web application.

    Args:
        models: The models by name.
        worker: Has an engine for each of them; started and stopped with the
            application.
    """
    created = int(time.time())

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        worker.thread.start()
        yield
        worker.stop()

    async def list_models(request: Request) -> Response:
        data = [model_object(name, created) for name in models]
        return JSONResponse({"object": "list", "data": data})

    async def show_model(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in models:
            raise ApiError(404, f"There is no model {name!r}.", "model")
        return JSONResponse(model_object(name, created))

    async def health(request: Request) -> Response:
        alive = worker.thread.is_alive()
        state = {
            "status": "ok" if alive else "stopped",
            "models": list(models),
            "open_answers": worker.open_jobs,
        }
        return JSONResponse(state, 200 if alive else 503)

    def completions(read: Read) -> Callable:
        async def answer(request: Request) -> Response:
            _check_origin(request)
            completion = read(await _body(request), models)
            answering = Answering(completion, worker)
            if completion.stream:
                return EventStream(answering)
            return await answer_whole(request, answering)

        return answer

    return Starlette(
        routes=[
            Route("/v1/models", list_models),
            Route("/v1/models/{name}", show_model),
            Route("/v1/chat/completions", completions(read_chat), methods=["POST"]),
            Route("/v1/completions", completions(read_text), methods=["POST"]),
            Route("/health", health),
        ],
        # Otherwise a web page could have its own domain name resolve to 127.0.0.1 and
        # read the answers (DNS rebinding).
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS))],
        exception_handlers={
            ApiError: _answer_error,
            HTTPException: _answer_http_error,
            Exception: _answer_fault,
        },
        lifespan=lifespan,
    )


def _check_origin(request: Request) -> None:
    """Refuse requests from web pages of other sites: a browser sends them, although it
    does not show the pages the answers.
    """
    origin = request.headers.get("origin")
    if origin is not None and not LOCAL_ORIGIN.fullmatch(origin):
        raise ApiError(403, "Only programs and pages of this machine get answers.")


async def _body(request: Request) -> bytes:
    """Return the body, but read no more of it than is allowed."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise ApiError(413, f"The body has more than {MAX_BODY} bytes.")
    return body


async def _answer_error(request: Request, error: ApiError) -> Response:
    return error.response()


async def _answer_http_error(request: Request, error: HTTPException) -> Response:
    message = f"{request.method} {request.url.path}: {error.detail}"
    return ApiError(error.status_code, message).response()


async def _answer_fault(request: Request, error: Exception) -> Response:
    return ApiError(500, "The server failed; its output says why.").response()
