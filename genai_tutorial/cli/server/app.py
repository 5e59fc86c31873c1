"""The web application: answers in OpenAI's form, its routes, and the server process."""

import asyncio
import json
import re
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from genai_tutorial.pretrained import find_smollm2

from ..chat import note, working
from ..user_errors import NOT_POSSIBLE, UserError, user_errors
from .embeddings import EMBEDDER, embed, has_embedder
from .requests import ChatRequest, Completion, TextRequest, read_completion
from .worker import ApiError, Event, Job, ServedModel, TextStream, Worker, load_served

MAX_BODY = 1_000_000
"""The largest body of a request, in bytes."""

HOSTS = ("127.0.0.1", "localhost")
LOCAL_ORIGIN = re.compile(rf"https?://({'|'.join(map(re.escape, HOSTS))})(:\d+)?")


class Answering:
    """The answers to one HTTP request, as the worker generates them."""

    def __init__(self, completion: Completion, worker: Worker):
        self.completion, self.worker = completion, worker
        self.tokens = [0] * len(completion.requests)
        self._id, self._created = uuid.uuid4().hex, int(time.time())
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._jobs = [self._job(index) for index in range(len(self.tokens))]
        worker.submit(self._jobs)

    def cancel(self) -> None:
        self.worker.cancel(self._jobs)

    async def events(self) -> AsyncIterator[Event]:
        """Yield the events until all answers are finished."""
        left = len(self._jobs)
        while left:
            event = await self._events.get()
            self.tokens[event.index] = event.tokens
            if event.finish_reason == "error":
                raise ApiError(500, "The answer could not be generated.")
            if event.finish_reason == "cancelled":
                raise ApiError(503, "The server is about to stop.")
            yield event
            left -= event.finish_reason is not None

    async def whole(self) -> Response:
        texts, reasons = [""] * len(self._jobs), [""] * len(self._jobs)
        async for event in self.events():
            texts[event.index] += event.text
            reasons[event.index] = event.finish_reason or ""
        choices = [_choice(index, reason) for index, reason in enumerate(reasons)]
        for choice, text in zip(choices, texts, strict=True):
            message = {"role": "assistant", "content": text, "refusal": None}
            choice |= {"message": message} if self._is_chat else {"text": text}
        kind = "chat.completion" if self._is_chat else "text_completion"
        return JSONResponse(self._object(kind, choices) | {"usage": self._usage()})

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the answers as server-sent events; if the client leaves, the response
        closes this generator, and the jobs end.
        """
        try:
            if self._is_chat:
                delta = {"role": "assistant", "content": ""}
                for index in range(len(self._jobs)):
                    yield self._part([_choice(index, None) | {"delta": delta}])
            async for event in self.events():
                if event.text:
                    yield self._piece(event.index, event.text, None)
                if event.finish_reason is not None:
                    yield self._piece(event.index, "", event.finish_reason)
            if self.completion.body.includes_usage:
                yield self._part([], self._usage())
            yield server_sent("[DONE]")
        except ApiError as error:  # the status has been sent already
            yield server_sent(error.to_dict())
        finally:
            self.cancel()

    @property
    def _is_chat(self) -> bool:
        return self.completion.is_chat

    def _piece(self, index: int, text: str, reason: str | None) -> bytes:
        content = {"text": text}
        if self._is_chat:
            content = {"delta": {"content": text} if text else {}}
        return self._part([_choice(index, reason) | content])

    def _part(self, choices: list[dict], usage: dict | None = None) -> bytes:
        kind = "chat.completion.chunk" if self._is_chat else "text_completion"
        counts = {"usage": usage} if self.completion.body.includes_usage else {}
        return server_sent(self._object(kind, choices) | counts)

    def _object(self, kind: str, choices: list[dict]) -> dict:
        return {
            "id": f"{'chatcmpl' if self._is_chat else 'cmpl'}-{self._id}",
            "object": kind,
            "created": self._created,
            "model": self.completion.model.name,
            "choices": choices,
        }

    def _usage(self) -> dict:
        """Return the counts of tokens; a prompt with several answers counts once."""
        prompts = {request.prompt for request in self.completion.requests}
        counts = sum(map(len, prompts)), sum(self.tokens)
        names = ("prompt_tokens", "completion_tokens", "total_tokens")
        return dict(zip(names, (*counts, sum(counts)), strict=True))

    def _job(self, index: int) -> Job:
        model, stops = self.completion.model, self.completion.body.stop
        text = TextStream(model.text_decoder(), stops, trim=self._is_chat)
        request = self.completion.requests[index]
        request = request.with_stop(lambda _: text.is_stopped)

        def listener(event: Event) -> None:
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

        return Job(model.name, request, text, listener, index)


def _choice(index: int, reason: str | None) -> dict:
    return {"index": index, "finish_reason": reason, "logprobs": None}


def server_sent(data: dict | str) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


async def _answer_whole(request: Request, answering: Answering) -> Response:
    """Return the answers; if the client leaves before, end their jobs."""
    response = Response(status_code=499)  # for nobody

    async def wait(scope: anyio.CancelScope) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(wait, group.cancel_scope)
        try:
            response = await answering.whole()
        except ApiError as error:
            response = error.response()
        finally:
            answering.cancel()
        group.cancel_scope.cancel()
    return response


def make_app(models: Mapping[str, ServedModel], worker: Worker) -> Starlette:
    """Return the web application, which starts and stops the worker with itself."""
    created = int(time.time())

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        worker.thread.start()
        yield
        worker.stop()

    def described(name: str) -> dict:
        owner = {"owned_by": "genai-tutorial"}
        return {"id": name, "object": "model", "created": created} | owner

    names = [*models, *([EMBEDDER] if has_embedder() else [])]

    async def list_models(request: Request) -> Response:
        data = [described(name) for name in names]
        return JSONResponse({"object": "list", "data": data})

    async def show_model(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in names:
            raise ApiError(404, f"There is no model {name!r}.", "model")
        return JSONResponse(described(name))

    async def health(request: Request) -> Response:
        alive = worker.thread.is_alive()
        state = {"status": "ok" if alive else "stopped", "models": list(models)}
        state |= {"open_answers": worker.open_jobs}
        return JSONResponse(state, 200 if alive else 503)

    async def embeddings(request: Request) -> Response:
        _check_origin(request)
        return JSONResponse(await run_in_threadpool(embed, await _body(request)))

    def completions(kind: type[ChatRequest | TextRequest]) -> Callable:
        async def answer(request: Request) -> Response:
            _check_origin(request)
            completion = read_completion(kind, await _body(request), models)
            answering = Answering(completion, worker)
            if completion.body.stream:
                settings = {"headers": {"Cache-Control": "no-cache"}}
                settings["media_type"] = "text/event-stream"
                return StreamingResponse(answering.parts(), **settings)
            return await _answer_whole(request, answering)

        return answer

    return Starlette(
        routes=[
            Route("/v1/models", list_models),
            Route("/v1/models/{name}", show_model),
            Route("/v1/chat/completions", completions(ChatRequest), methods=["POST"]),
            Route("/v1/completions", completions(TextRequest), methods=["POST"]),
            Route("/v1/embeddings", embeddings, methods=["POST"]),
            Route("/health", health),
        ],
        # Otherwise a web page could have its own domain name resolve to 127.0.0.1 and
        # read the answers (DNS rebinding).
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS))],
        exception_handlers=dict.fromkeys(
            (ApiError, HTTPException, ClientDisconnect, Exception), _answer_error
        ),
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


async def _answer_error(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)  # for nobody
    if isinstance(error, HTTPException):
        message = f"{request.method} {request.url.path}: {error.detail}"
        error = ApiError(error.status_code, message)
    if not isinstance(error, ApiError):
        error = ApiError(500, "The server failed; its output says why.")
    return error.response()


class Server(uvicorn.Server):
    """Serves models until it is told to stop, and ends the answers under way."""

    def __init__(self, models: Mapping[str, ServedModel], max_waiting: int = 64):
        engines = {name: model.make_engine for name, model in models.items()}
        self.worker = Worker(engines, max_waiting)
        settings = {"log_level": "warning", "timeout_graceful_shutdown": 5}
        app = make_app(models, self.worker)
        super().__init__(uvicorn.Config(app, access_log=False, **settings))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.worker.stop()
        await super().shutdown(sockets)


def serve(names: Sequence[str], port: int, max_waiting: int) -> None:
    """Load models and answer requests until Ctrl-C."""
    with open_port(port) as listener:
        models = load_all(names)
        server = Server(models, max_waiting)
        listener.listen()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        note(f"{', '.join(models)} at {address} (Ctrl-C stops)")
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            note("Stopped.")


def open_port(port: int) -> socket.socket:
    """Return a socket with a port that can be reached from this machine only."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise UserError(
            f"Port {port} cannot be used ({error.strerror}): choose another with "
            "--port, or 0 for any.",
            NOT_POSSIBLE,
        ) from error
    return listener


def available_models(names: Sequence[str]) -> list[str]:
    """Return the names of the models that are installed: SmolLM2 may be missing."""
    try:
        find_smollm2()
    except (ImportError, OSError):
        return [name for name in names if name != "smollm2"]
    return list(names)


def load_all(names: Sequence[str]) -> dict[str, ServedModel]:
    with (
        user_errors(ValueError, NotImplementedError, exit_code=NOT_POSSIBLE),
        working(f"loading {', '.join(names)}"),
    ):
        return {name: load_served(name) for name in names}
