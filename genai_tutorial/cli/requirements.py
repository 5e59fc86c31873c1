"""What the package and its extras require, and what of it is missing."""

import importlib.metadata

from packaging.requirements import Requirement

PACKAGE = "genai_tutorial"


def requirements(extra: str) -> list[Requirement]:
    """Return the requirements of an extra on this system, or those of the core if the
    extra is an empty string.
    """
    lines = importlib.metadata.requires(PACKAGE) or []
    return [
        requirement
        for requirement in map(Requirement, lines)
        if (
            requirement.marker.evaluate({"extra": extra})
            if requirement.marker
            else not extra
        )
    ]


def lacks(requirement: Requirement) -> str:
    """Return the requirement and what is wrong with it, or an empty string if it is
    met.

    >>> lacks(Requirement("a-package-that-nobody-has>=3"))
    'a-package-that-nobody-has'
    """
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return requirement.name
    if requirement.specifier.contains(version, prereleases=True):
        return ""
    return f"{requirement.name}{requirement.specifier} (here is {version})"
