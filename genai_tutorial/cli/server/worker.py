"""The models that are served, and the thread that runs their engines, one forward pass
after the other.
"""

import queue
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from starlette.responses import JSONResponse

from genai_tutorial.efficiency import Answer, Engine, Request, quantized
from genai_tutorial.generation import TokenMask
from genai_tutorial.pretrained import load_smollm2
from genai_tutorial.recipes import load
from genai_tutorial.tokenization import (
    BPETokenizer,
    CharacterTokenizer,
    Message,
    StreamDecoder,
)
from genai_tutorial.transformer import DecoderLM

from ..chat import CHAT_PROFILES, ChatProfile

MAX_RUNNING = 16
"""The maximum number of requests that a model runs at the same time."""


class ApiError(Exception):
    """Raised to answer a request with an error in OpenAI's form: `param` is the field
    that is wrong, `code` a word for programs such as "model_not_found".
    """

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str = ""
    ):
        super().__init__(message)
        self.status, self.param, self.code = status, param, code or None

    def to_dict(self) -> dict:
        kinds = {404: "not_found_error", 429: "rate_limit_error"}
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        error = {"message": str(self), "type": kinds.get(self.status, kind)}
        return {"error": error | {"param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        headers = {"Retry-After": "1"} if self.status == 429 else None
        return JSONResponse(self.to_dict(), self.status, headers)


@dataclass(frozen=True)
class ServedModel:
    """A model with its tokenizer, and its chat template if it has one."""

    name: str
    model: DecoderLM
    tokenizer: BPETokenizer | CharacterTokenizer
    profile: ChatProfile | None
    temperature: float | int

    @property
    def end_tokens(self) -> frozenset[int]:
        if isinstance(self.tokenizer, CharacterTokenizer):
            return frozenset()
        return frozenset(self.tokenizer.special_tokens.values())

    def encode(self, text: str) -> list[int]:
        if isinstance(self.tokenizer, CharacterTokenizer):
            return self.tokenizer.encode(text)
        return self.tokenizer.encode(text, special_as_text=True)

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        if self.profile is None:
            raise ValueError(f"{self.name} only continues texts: use /v1/completions.")
        # As in training; a system message has no effect on a model that knows none.
        kept = messages if self.profile.remembers else messages[-1:]
        return self.profile.template.encode(self.tokenizer, kept)

    def text_decoder(self) -> StreamDecoder:
        if isinstance(self.tokenizer, CharacterTokenizer):
            return StreamDecoder([c.encode() for c in self.tokenizer.characters])
        return self.tokenizer.stream()

    @cached_property
    def token_mask(self) -> TokenMask:
        """The tokens of JSON, for a model with a chat template."""
        end = self.tokenizer.special_tokens[self.profile.template.end]
        return TokenMask.from_tokenizer(self.tokenizer, end)

    def make_engine(self) -> Engine:
        # room for a few texts of a whole window, or for several times as many shorter
        window = self.model.config.context_length
        tokens = max(window + 256, min(MAX_RUNNING * window, 8192))
        return Engine(self.model, blocks=tokens // 16, max_running=MAX_RUNNING)


def load_served(name: str) -> ServedModel:
    if name == "smollm2":
        model, tokenizer = load_smollm2()
        profile = CHAT_PROFILES["smollm2"]
        return ServedModel(name, quantized(model, "int4"), tokenizer, profile, 0.2)
    stage = name.removeprefix("factbook-")
    profile = CHAT_PROFILES[stage] if stage in ("sft", "ppo") else None
    return ServedModel(name, *load(name), profile, 0.8 if profile is None else 0)


class TextStream:
    r"""Turns tokens into text as they come: never part of a character, and nothing of a
    text to stop at. `trim` drops the space at the start, where chat models put one.

    >>> text = TextStream(StreamDecoder([b"a", b"\n", b"\n\n"]), ["\n\n"])
    >>> [text.push(token) for token in (0, 1, 0, 1, 1)], text.is_stopped
    (['a', '', '\na', '', ''], True)
    """

    def __init__(
        self, decoder: StreamDecoder, stops: Sequence[str] = (), trim: bool = False
    ):
        self.decoder, self.stops, self.trim = decoder, tuple(stops), trim
        self.is_stopped = False
        self._held = ""

    def push(self, token: int) -> str:
        return self._release(self.decoder.push(token), is_last=False)

    def finish(self) -> str:
        return self._release(self.decoder.finish(), is_last=True)

    def _release(self, new: str, is_last: bool) -> str:
        if self.is_stopped:
            return ""
        self._held += new
        if self.trim:
            self._held = self._held.lstrip(" ")
            self.trim = not self._held
        places = [self._held.find(stop) for stop in self.stops]
        end = min((place for place in places if place >= 0), default=None)
        self.is_stopped = end is not None
        if end is None:
            end = len(self._held) - (0 if is_last else self._begun())
        text, self._held = self._held[:end], self._held[end:]
        return text

    def _begun(self) -> int:
        """Return how many characters at the end begin one of the texts to stop at."""
        longest = max((len(stop) for stop in self.stops), default=1) - 1
        for count in range(min(longest, len(self._held)), 0, -1):
            end = self._held[-count:]
            if any(stop.startswith(end) for stop in self.stops):
                return count
        return 0


@dataclass(frozen=True)
class Event:
    """New text of one of the answers to an HTTP request, or its end."""

    index: int
    text: str
    tokens: int
    finish_reason: str | None = None


@dataclass(eq=False)
class Job:
    """One answer to be generated; the worker's thread calls its listener."""

    model: str
    request: Request
    text: TextStream
    listener: Callable[[Event], object]
    index: int = 0
    answer: Answer | None = field(default=None, repr=False)

    def tell(self, token: int) -> None:
        if piece := self.text.push(token):
            self.listener(Event(self.index, piece, len(self.answer.ids)))

    def end(self, reason: str) -> None:
        """Pass on the rest of the text and why it ended."""
        tokens = 0 if self.answer is None else len(self.answer.ids)
        self.listener(Event(self.index, self.text.finish(), tokens, reason))


class Worker:
    """Runs the engines of all models in one thread, in turns."""

    def __init__(
        self, make_engines: Mapping[str, Callable[[], Engine]], max_waiting: int = 64
    ):
        self.make_engines, self.max_waiting = make_engines, max_waiting
        self.engines = {name: make() for name, make in make_engines.items()}
        self._commands: queue.SimpleQueue = queue.SimpleQueue()
        self._jobs: dict[Answer, Job] = {}
        self.open_jobs = 0  # those that wait or run
        self._lock = threading.Lock()
        self._stopping = False
        self.thread = threading.Thread(target=self._run, name="engines", daemon=True)

    def submit(self, jobs: list[Job]) -> None:
        with self._lock:
            if self._stopping:
                raise ApiError(503, "The server is about to stop.")
            if self.open_jobs + len(jobs) > MAX_RUNNING + self.max_waiting:
                message = (
                    f"{self.open_jobs} answers are running or waiting, and the queue "
                    f"takes {self.max_waiting}. Try again later."
                )
                raise ApiError(429, message, code="queue_full")
            self.open_jobs += len(jobs)
        for job in jobs:
            self._commands.put((self._start, job))

    def cancel(self, jobs: list[Job]) -> None:
        """End jobs whose client has gone; those that are finished stay as they are."""
        for job in jobs:
            self._commands.put((self._cancel, job))

    def stop(self) -> None:
        """End all jobs and the thread, and wait for it."""
        with self._lock:
            self._stopping = True
        self._commands.put((None, None))
        if self.thread.is_alive():
            self.thread.join()

    def _run(self) -> None:
        try:
            self._serve()
        finally:  # after a fault as well, so that no client waits forever
            with self._lock:
                self._stopping = True
            self._end_all()

    def _serve(self) -> None:
        while True:
            while self._is_idle or not self._commands.empty():
                command, job = self._commands.get()
                if command is None:
                    return
                command(job)
            for name, engine in self.engines.items():
                try:
                    finished = [a for a in engine.step() if a.is_finished]
                except Exception:  # a fault of the engine itself
                    traceback.print_exc(file=sys.stderr)
                    self._replace(name)
                    break
                for answer in finished:
                    self._finish(self._jobs[answer], answer.finish_reason)

    @property
    def _is_idle(self) -> bool:
        return all(engine.is_idle for engine in self.engines.values())

    def _start(self, job: Job) -> None:
        try:
            job.answer = self.engines[job.model].add(job.request, job.tell)
        except ValueError:  # was checked before, so it is a fault of ours
            traceback.print_exc(file=sys.stderr)
            self._finish(job, "error")
            return
        self._jobs[job.answer] = job

    def _cancel(self, job: Job) -> None:
        if job.answer in self._jobs:
            self.engines[job.model].cancel(job.answer)
            self._finish(job, "cancelled")

    def _finish(self, job: Job, reason: str) -> None:
        self._jobs.pop(job.answer, None)
        with self._lock:
            self.open_jobs -= 1
        try:
            job.end(reason)
        except RuntimeError:  # no client listens: the event loop is closed
            return

    def _replace(self, name: str) -> None:
        """End the jobs of an engine that failed, and make a new one."""
        for job in [job for job in self._jobs.values() if job.model == name]:
            self._finish(job, "error")
        self.engines[name] = self.make_engines[name]()

    def _end_all(self) -> None:
        for job in list(self._jobs.values()):
            self._cancel(job)
        while not self._commands.empty():
            command, job = self._commands.get()
            if command == self._start:
                self._finish(job, "cancelled")
