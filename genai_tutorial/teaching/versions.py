"""Versions of exercises: the same work under another convention, which a seed chooses,
so that neither the folded solution nor last year's fits.
"""

import copy
import hashlib
import re
from dataclasses import replace

from .exercises import CourseChapter, TeachingError, group_exercises
from .version_texts import VERSIONS, Version

_HEADING = re.compile(r"(?m)^(### Exercise (\S+) · )[^(\n]+(\(.+)$")


def with_versions(chapter: CourseChapter, seed: int) -> CourseChapter:
    """Return a chapter whose exercises with versions have those of this seed."""
    notebook = copy.deepcopy(chapter.notebook)
    changed = 0
    for head, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
        found = _HEADING.search(head.source) if head.cell_type == "markdown" else None
        if found and (versions := VERSIONS.get(found[2])):
            version = _chosen(versions(), seed, found[2])
            start = head.source[: found.start()]
            title = f"{found[1]}{version.title} {found[3]}"
            head.source = f"{start}{title}\n\n{version.text}"
            cell.source = version.reference
            notebook.cells[notebook.cells.index(cell) + 1].source = version.tests
            changed += 1
    if not changed:
        raise TeachingError(
            f"No exercise of {chapter.path.name} has versions; leave out --seed. "
            f"Exercises with versions: {', '.join(VERSIONS)}."
        )
    exercises = group_exercises(notebook.cells, chapter.path.name)
    return replace(chapter, notebook=notebook, exercises=exercises)


def _chosen(versions: list[Version], seed: int, exercise: str) -> Version:
    digest = hashlib.sha256(f"{seed}|{exercise}".encode()).digest()
    return versions[int.from_bytes(digest[:8], "big") % len(versions)]
