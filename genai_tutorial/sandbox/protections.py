"""The protections of a confined process, and whether this system enforces them."""

from dataclasses import dataclass

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


class SandboxError(Exception):
    """Raised when the sandbox cannot start on this system; the message says why."""


@dataclass(frozen=True)
class Protection:
    """An operation that untrusted code must not perform, and whether it was blocked
    when tried.
    """

    name: str
    enforced: bool
    how: str

    def __str__(self) -> str:
        if self.enforced:
            return f"{self.name} ({self.how})"
        return f"Not enforced on this system: {self.name}"


def protections_found(
    sentences: dict[str, str], enforced: dict[str, bool], how: dict[str, bool]
) -> tuple[Protection, ...]:
    """Return all protections, in the words of `sentences`, each with whether a probe
    found it enforced and how.
    """
    found = []
    for key, sentence in sentences.items():
        active = " and ".join(_HOW[mean] for mean in _MEANS[key] if how.get(mean))
        kept = enforced.get(key, False)
        found.append(Protection(sentence, kept, active or "system limits"))
    return tuple(found)
