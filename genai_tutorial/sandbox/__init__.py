"""A sandbox for untrusted code: processes with limits on time, memory, files and
network access, for generated programs and for students' exercises.
"""

from . import guard, linux
from .program_worker import KeptOutput
from .programs import Outcome, OutcomeKind, ProgramLimits, ProgramRunner, run_programs
from .protections import Protection, SandboxError, protections_found
