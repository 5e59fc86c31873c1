"""A sandbox for untrusted code: confined processes with limits on time, memory, files
and network access, for graded exercises and for generated programs.
"""

from genai_tutorial.sandbox.confined_process import ConfinedProcess, Limits, Stopped
from genai_tutorial.sandbox.errors import SandboxError
from genai_tutorial.sandbox.programs import (
    Outcome,
    OutcomeKind,
    ProgramLimits,
    ProgramRunner,
    run_program,
    run_programs,
)
from genai_tutorial.sandbox.sandbox import Protection, Sandbox

__all__ = [
    "ConfinedProcess",
    "Limits",
    "Outcome",
    "OutcomeKind",
    "ProgramLimits",
    "ProgramRunner",
    "Protection",
    "Sandbox",
    "SandboxError",
    "Stopped",
    "run_program",
    "run_programs",
]
