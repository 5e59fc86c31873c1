"""A sandbox for untrusted code: confined processes with limits on time, memory, files
and network access.
"""

from genai_tutorial.sandbox.confined_process import ConfinedProcess, Limits, Stopped
from genai_tutorial.sandbox.errors import SandboxError
from genai_tutorial.sandbox.sandbox import Protection, Sandbox

__all__ = [
    "ConfinedProcess",
    "Limits",
    "Protection",
    "Sandbox",
    "SandboxError",
    "Stopped",
]
