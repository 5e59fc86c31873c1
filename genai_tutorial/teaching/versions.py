"""Versions of exercises: the same work under another convention, which a seed chooses,
so that neither the folded solution nor last year's fits.
"""

import hashlib
import re
from itertools import pairwise

from .version_texts import VERSIONS, Version

_HEADING = re.compile(r"(?m)^(### Exercise (\S+) · )[^(\n]+(\(.+)$")


def change_exercises(notebook: dict, seed: int) -> bool:
    """Give the exercises of a notebook the versions of this seed, and return whether
    any exercise has versions.
    """
    changed = False
    for index, (head, cell) in enumerate(pairwise(notebook.cells)):
        found = _HEADING.search(head.source) if head.cell_type == "markdown" else None
        if found and (versions := VERSIONS.get(found[2])):
            version = _chosen(versions(), seed, found[2])
            start = head.source[: found.start()]
            title = f"{found[1]}{version.title} {found[3]}"
            head.source = f"{start}{title}\n\n{version.text}"
            cell.source = version.reference
            notebook.cells[index + 2].source = version.tests
            changed = True
    return changed


def _chosen(versions: list[Version], seed: int, exercise: str) -> Version:
    digest = hashlib.sha256(f"{seed}|{exercise}".encode()).digest()
    return versions[int.from_bytes(digest[:8], "big") % len(versions)]
