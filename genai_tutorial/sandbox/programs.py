"""Running generated programs: what became of each, within limits on CPU time, memory,
files, processes and network.
"""

import contextlib
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from .protections import Protection, SandboxError, protections_found

# The worker sees this package without its __init__ modules, which would load torch.
_START = """
import sys, types
for name, folder in (("genai_tutorial", sys.argv[1]), ("genai_tutorial.sandbox", sys.argv[2])):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from genai_tutorial.sandbox import program_worker
program_worker.main()
"""  # noqa: E501

_A_PROGRAM = {
    "files": "A program cannot read files other than Python's own",
    "writing": "A program cannot write files",
    "network": "A program has no network",
    "processes": "A program cannot start other programs",
    "others": "A program cannot signal or look into other processes",
    "memory": "A program has a memory limit that the system enforces",
}


class OutcomeKind(StrEnum):
    """The ways in which a program can end."""

    PASSED = "passed"
    WRONG = "wrong"
    RAISED = "raised"
    OUT_OF_TIME = "out of time"
    OUT_OF_MEMORY = "out of memory"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a program.

    Attributes:
        kind: `wrong` if an assertion failed, `raised` for any other exception.
        message: The failed assertion, the exception, or what was forbidden.
        cpu_seconds: CPU time that the program used.
        output: The beginning of what the program printed; empty if it was killed.
    """

    kind: OutcomeKind
    message: str
    cpu_seconds: float
    output: str = ""

    @property
    def passed(self) -> bool:
        """True if the program ran to its end and all assertions held."""
        return self.kind is OutcomeKind.PASSED


@dataclass(frozen=True)
class ProgramLimits:
    """Resource limits for one program.

    Attributes:
        cpu_seconds: CPU time. A busy machine changes how long a program takes, but
            hardly how much CPU time it uses.
        memory: Memory in bytes, in addition to Python's own.
        wall_seconds: Time by the clock, for programs that wait instead of computing.

    Raises:
        ValueError: If one of them is not positive.
    """

    cpu_seconds: float | int = 2.0
    memory: int = 256 << 20
    wall_seconds: float | int = 60.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value <= 0:
                raise ValueError(f"{name} must be positive, got {value}")


class ProgramRunner:
    """Runs programs, each in a separate confined process: use it in a `with` block.

    A program is Python source with its own tests: it passes if it runs to its end. It
    sees the standard library only. The sandbox protects the machine from the program.
    It does not protect the verdict from a program that was written to deceive its
    tests, because both share a process.
    """

    def __init__(self, limits: ProgramLimits | None = None) -> None:
        self.limits = limits or ProgramLimits()
        self.protections: tuple[Protection, ...] = ()
        self._worker: subprocess.Popen | None = None

    def __enter__(self) -> "ProgramRunner":
        """Start the process that forks, find out which protections are enforced, and
        check that a correct program passes and an incorrect one does not.

        Warns:
            UserWarning: If a protection is not enforced on this system.

        Raises:
            SandboxError: If programs cannot be run here, or the check fails.
        """
        if not hasattr(os, "fork"):
            raise SandboxError(
                "Generated programs are not run on this system, because it cannot fork "
                "a confined process. Use Linux, WSL 2 on Windows, or macOS."
            )
        try:
            self._start()
            self._check()
        except BaseException:
            self.__exit__()
            raise
        if absent := [str(found) for found in self.protections if not found.enforced]:
            warnings.warn("; ".join(absent), stacklevel=2)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the process that forks."""
        if self._worker:
            self._worker.kill()
            self._worker.communicate()
            self._worker = None

    def run(self, sources: Sequence[str]) -> list[Outcome]:
        """Run programs one after another, and return their outcomes in the same order.

        Raises:
            ValueError: If the runner is not open, or a source is not a string.
        """
        if self._worker is None:
            raise ValueError(
                "Open the runner first: with ProgramRunner() as runner: ..."
            )
        if isinstance(sources, str):
            raise ValueError("sources must be a list of programs, got one string")
        return [self._run(source) for source in sources]

    def _run(self, source: str) -> Outcome:
        reply = self._ask(source)
        if reply is None:  # the program has ended the process that forks
            self.__exit__()
            self._start()
            return Outcome(OutcomeKind.FORBIDDEN, "it ended the sandbox's process", 0.0)
        return Outcome(**{**reply, "kind": OutcomeKind(reply["kind"])})

    def _ask(self, question: object) -> dict | None:
        """Send a line, and return the answer, or None if the worker has ended."""
        with contextlib.suppress(BrokenPipeError):
            self._worker.stdin.write(json.dumps(question).encode() + b"\n")
            self._worker.stdin.flush()
        line = self._worker.stdout.readline()
        return json.loads(line) if line else None

    def _start(self) -> None:
        own = Path(__file__).parent
        # -S: the standard library only; -P: no imports from the current folder
        self._worker = subprocess.Popen(
            [sys.executable, "-P", "-S", "-c", _START, str(own.parent), str(own)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tempfile.gettempdir(),
            env={"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "PATH": os.defpath},
        )
        paths = sysconfig.get_paths()
        settings = {
            **asdict(self.limits),
            "readable": sorted({paths["stdlib"], paths["platstdlib"]}),
            "outside": tempfile.gettempdir(),
        }
        greeting = self._ask(settings)
        if greeting is None:
            words = self._worker.stderr.read().decode(errors="replace").strip()
            raise SandboxError(
                "The process that runs programs did not start "
                f"({(words.splitlines() or ['no message'])[-1]})."
            )
        self.protections = protections_found(_A_PROGRAM, **greeting)

    def _check(self) -> None:
        right, wrong = self.run(["assert 1 + 1 == 2", "assert 1 + 1 == 3"])
        if (right.kind, wrong.kind) != (OutcomeKind.PASSED, OutcomeKind.WRONG):
            raise SandboxError(
                "The sandbox does not work here, so no score would mean anything: a "
                f"right program is {right}, and a wrong one {wrong}."
            )


def run_programs(
    sources: Sequence[str], limits: ProgramLimits | None = None
) -> list[Outcome]:
    """Run programs, each with its own tests, one after another in confined processes,
    and return their outcomes in the same order.

    Raises:
        SandboxError: If programs cannot be run here.

    >>> right, wrong = run_programs(["assert abs(-2) == 2", "assert abs(-2) == 3"])
    >>> right.passed, wrong.passed, str(wrong.kind), wrong.message
    (True, False, 'wrong', 'assert abs(-2) == 3')
    """
    with ProgramRunner(limits) as runner:
        return runner.run(sources)
