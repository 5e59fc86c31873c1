"""The exception of the sandbox."""


class SandboxError(Exception):
    """Raised when the sandbox cannot start on this system; the message says why."""
