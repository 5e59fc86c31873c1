"""The thread that runs the engines, one forward pass after the other."""

import queue
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from genai_tutorial.cli.server.errors import ApiError
from genai_tutorial.cli.server.models import MAX_RUNNING
from genai_tutorial.cli.server.text_stream import TextStream
from genai_tutorial.efficiency import Answer, Engine, Request


@dataclass(frozen=True)
class Event:
    """New text of an answer, or its end.

    Attributes:
        index: The index of the answer among those to one HTTP request.
        text: New text.
        tokens: The number of its tokens so far.
        finish_reason: See `Answer`; None as long as the answer is not finished.
    """

    index: int
    text: str
    tokens: int
    finish_reason: str | None = None


@dataclass(eq=False)
class Job:
    """One answer to be generated.

    Attributes:
        model: The name of the model.
        request: The request to its engine.
        text: Turns the tokens into text.
        listener: Called from the worker's thread with each event.
        index: See `Event`.
    """

    model: str
    request: Request
    text: TextStream
    listener: Callable[[Event], object]
    index: int = 0
    answer: Answer | None = field(default=None, repr=False)

    def tell(self, token: int) -> None:
        """Pass on the text of a new token."""
        if piece := self.text.push(token):
            self.listener(Event(self.index, piece, len(self.answer.ids)))

    def end(self, reason: str) -> None:
        """Pass on the rest of the text and why it ended."""
        tokens = 0 if self.answer is None else len(self.answer.ids)
        self.listener(Event(self.index, self.text.finish(), tokens, reason))


class Worker:
    """Runs the engines of all models in one thread, in turns.

    Args:
        make_engines: Makes the engine of each model.
        max_waiting: Maximum number of jobs that wait beside those that run.
    """

    def __init__(
        self, make_engines: Mapping[str, Callable[[], Engine]], max_waiting: int = 64
    ):
        self.make_engines, self.max_waiting = make_engines, max_waiting
        self.engines = {name: make() for name, make in make_engines.items()}
        self._commands: queue.SimpleQueue = queue.SimpleQueue()
        self._jobs: dict[Answer, Job] = {}
        self._open = 0  # jobs that are not finished
        self._lock = threading.Lock()
        self._stopping = False
        self.thread = threading.Thread(target=self._run, name="engines", daemon=True)

    @property
    def open_jobs(self) -> int:
        """The number of jobs that wait or run."""
        return self._open

    def submit(self, jobs: list[Job]) -> None:
        """Queue the jobs of one HTTP request.

        Raises:
            ApiError: If too many jobs wait (429), or the server stops (503).
        """
        with self._lock:
            if self._stopping:
                raise ApiError(503, "The server is about to stop.")
            if self._open + len(jobs) > MAX_RUNNING + self.max_waiting:
                raise ApiError(
                    429,
                    f"{self._open} answers are running or waiting, and the queue takes "
                    f"{self.max_waiting}. Try again later.",
                    code="queue_full",
                )
            self._open += len(jobs)
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
            self._open -= 1
        try:
            job.end(reason)
        except RuntimeError:  # nobody listens: the event loop is closed
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
