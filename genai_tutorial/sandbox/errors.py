"""What the sandbox raises when it cannot do its work."""


class SandboxError(Exception):
    """The sandbox does not start on this system; the message says why."""
