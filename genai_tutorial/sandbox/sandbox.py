"""The sandbox: runs each exercise in its own confined process, and records which
protections were enforced.
"""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from genai_tutorial.sandbox.confined_process import ConfinedProcess, Limits, Stopped
from genai_tutorial.sandbox.errors import SandboxError
from genai_tutorial.sandbox.folders import remove_folder
from genai_tutorial.sandbox.processes import ForkedProcess, Forker, SingleProcess

_STUDENTS_CODE = {
    "files": (
        "Students' code cannot read the instructor's notebook or other submissions"
    ),
    "writing": "Students' code can write only in a folder of its own",
    "network": "Students' code has no network",
    "processes": "Students' code cannot start other programs",
    "others": "Students' code cannot signal or look into other processes",
    "memory": "Students' code has a memory limit that the system enforces",
}
# the mechanisms that would enforce each of them
_MEANS = {
    "files": ("landlock", "namespaces"),
    "writing": ("landlock",),
    "network": ("filter", "namespaces", "landlock"),
    "processes": ("filter",),
    "others": ("filter", "landlock"),
    "memory": (),
}
_HOW = {
    "landlock": "Landlock",
    "filter": "system-call filter",
    "namespaces": "namespaces",
}


@dataclass(frozen=True)
class Protection:
    """An operation that untrusted code must not perform, and whether it was blocked
    when tried.
    """

    name: str
    enforced: bool
    how: str

    def __str__(self) -> str:
        """Return a line for a report."""
        return (
            f"{self.name} ({self.how})"
            if self.enforced
            else f"Not enforced on this system: {self.name}"
        )


def protections_found(
    sentences: dict[str, str], enforced: dict[str, bool], how: dict[str, bool]
) -> tuple[Protection, ...]:
    """Return all protections, each with whether a probe found it enforced.

    Args:
        sentences: What each protection means for the code that is confined.
        enforced: Whether each operation was blocked when tried.
        how: Which mechanisms are active.
    """
    found = []
    for key, sentence in sentences.items():
        active = " and ".join(_HOW[mean] for mean in _MEANS[key] if how.get(mean))
        found.append(
            Protection(sentence, enforced.get(key, False), active or "system limits")
        )
    return tuple(found)


class Sandbox:
    """Runs student code in processes that are confined as far as this system allows.

    Use it as a context manager. On Linux, one process loads the libraries and forks a
    confined process for each exercise; elsewhere, each process is started separately.

    Args:
        modules: Modules to import once, before any process opens.
        secrets: Files that student code must not read.
        limits: Resource limits for the code of one exercise.
    """

    def __init__(self, modules: list[str], secrets: list[Path], limits: Limits) -> None:
        self.limits = limits
        self.missing: list[str] = []
        self._folder: Path | None = None
        files = sorted({str(path.resolve()) for path in secrets})
        self._settings = {
            "modules": modules,
            "secrets": files,
            "limits": {
                "memory": limits.memory,
                "file_size": limits.file_size,
                "cpu_seconds": int(limits.exercise_seconds) + 10,
                "characters": limits.characters,
            },
        }
        self._forker: Forker | None = None
        self._opened = 0
        self._refused: dict[str, bool] = {}
        self._means: dict[str, bool] = {}

    def __enter__(self) -> "Sandbox":
        """Start the sandbox, and find out which protections are enforced.

        Raises:
            SandboxError: If the process does not start.
        """
        self._folder = Path(
            tempfile.mkdtemp(prefix="genai-tutorial-grading-")
        ).resolve()
        try:
            with self.open_process():
                return self
        except BaseException as error:
            self.__exit__()
            if isinstance(error, Stopped):
                raise SandboxError(
                    f"The process that runs students' code does not start: {error}."
                ) from error
            raise

    def __exit__(self, *_: object) -> None:
        """Stop all processes and delete their files."""
        if self._forker:
            self._forker.close()
            self._forker = None
        remove_folder(self._folder)

    @contextlib.contextmanager
    def open_process(self) -> Iterator[ConfinedProcess]:
        """Open a new confined process, which is closed at the end of the block."""
        self._opened += 1
        scratch = self._folder / f"process-{self._opened}"
        scratch.mkdir()
        process = ConfinedProcess(self._start(scratch), self.limits, scratch)
        try:
            self._note(process.greet())
            yield process
        finally:
            process.close()
            remove_folder(scratch)

    def _note(self, greeting: dict) -> None:
        for name, refused in greeting["enforced"].items():
            self._refused[name] = self._refused.get(name, True) and refused
        self._means = greeting["how"]

    @property
    def protections(self) -> tuple[Protection, ...]:
        """The protections, each with whether the probe found it enforced."""
        return protections_found(_STUDENTS_CODE, self._refused, self._means)

    def _start(self, scratch: Path) -> ForkedProcess | SingleProcess:
        if sys.platform != "linux":
            return SingleProcess(self._settings, scratch)
        if self._forker is None or not self._forker.alive:
            if self._forker:
                self._forker.close()
            self._forker = Forker(self._settings, self._folder)
            self.missing = self._forker.missing
        return self._forker.fork(scratch)
