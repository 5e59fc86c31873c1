"""The life of one HTTP request: its jobs, their events, and a client that may leave."""

import asyncio
from collections.abc import AsyncIterator

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from genai_tutorial.cli.server.completions import Completion
from genai_tutorial.cli.server.errors import ApiError
from genai_tutorial.cli.server.replies import Replies, server_sent
from genai_tutorial.cli.server.text_stream import TextStream
from genai_tutorial.cli.server.worker import Event, Job, Worker


class Answering:
    """The answers to one HTTP request.

    Args:
        completion: The request.
        worker: Generates the answers.

    Raises:
        ApiError: If the queue is full.
    """

    def __init__(self, completion: Completion, worker: Worker):
        self.completion, self.worker = completion, worker
        self.replies = Replies(completion)
        self.tokens = [0] * len(completion.requests)
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._jobs = [self._job(index) for index in range(len(self.tokens))]
        worker.submit(self._jobs)

    def cancel(self) -> None:
        """End the jobs that are not finished."""
        self.worker.cancel(self._jobs)

    async def events(self) -> AsyncIterator[Event]:
        """Yield the events until all answers are finished.

        Raises:
            ApiError: If an answer fails.
        """
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
        """Return the answer in one piece."""
        texts = [""] * len(self._jobs)
        reasons = [""] * len(self._jobs)
        async for event in self.events():
            texts[event.index] += event.text
            reasons[event.index] = event.finish_reason or ""
        return JSONResponse(self.replies.whole(texts, reasons, self.tokens))

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the answer as server-sent events."""
        replies = self.replies
        if self.completion.is_chat:
            for index in range(len(self._jobs)):
                yield server_sent(replies.opening(index))
        try:
            async for event in self.events():
                if event.text:
                    yield server_sent(replies.piece(event.index, event.text))
                if event.finish_reason is not None:
                    yield server_sent(replies.closing(event.index, event.finish_reason))
        except ApiError as error:  # the status has been sent already
            yield server_sent(error.to_dict())
            return
        if self.completion.includes_usage:
            yield server_sent(replies.counts(self.tokens))
        yield server_sent("[DONE]")

    def _job(self, index: int) -> Job:
        completion = self.completion
        text = TextStream(
            completion.model.text_decoder(), completion.stops, completion.is_chat
        )
        request = completion.requests[index]
        request = request.with_stop(lambda _: text.is_stopped)

        def listener(event: Event) -> None:
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

        return Job(completion.model.name, request, text, listener, index)


class EventStream(Response):
    """A response of server-sent events. If the client leaves, the jobs are cancelled.

    Args:
        answering: The answers to send.
    """

    media_type = "text/event-stream"

    def __init__(self, answering: Answering):
        super().__init__(headers={"Cache-Control": "no-cache"})
        del self.headers["content-length"]
        self.answering = answering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until all are sent, or the client has left."""
        start = {"status": self.status_code, "headers": self.raw_headers}
        async with anyio.create_task_group() as group:
            group.start_soon(_cancel_when_gone, receive, group.cancel_scope)
            try:
                await send({"type": "http.response.start", **start})
                async for part in self.answering.parts():
                    await _send_body(send, part, True)
                await _send_body(send, b"", False)
            finally:
                self.answering.cancel()
            group.cancel_scope.cancel()


async def answer_whole(request: Request, answering: Answering) -> Response:
    """Return the answer in one piece. If the client leaves before, the jobs are
    cancelled.
    """
    response = Response(status_code=499)  # for nobody
    async with anyio.create_task_group() as group:
        group.start_soon(_cancel_when_gone, request.receive, group.cancel_scope)
        try:
            response = await answering.whole()
        except ApiError as error:
            response = error.response()
        finally:
            answering.cancel()
        group.cancel_scope.cancel()
    return response


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _send_body(send: Send, body: bytes, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
