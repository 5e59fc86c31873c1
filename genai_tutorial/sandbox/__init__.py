"""A sandbox for untrusted code: processes with limits on time, memory, files and
network access, for generated programs and for students' exercises.

Read `programs`, then `program_worker`, the process that confines each program by
`linux` and `seccomp`, which the kernel enforces, and `guard`, which Python enforces.
"""

from . import guard, linux
from .program_worker import KeptOutput
from .programs import Outcome, OutcomeKind, ProgramLimits, ProgramRunner, run_programs
from .protections import Protection, SandboxError, protections_found
