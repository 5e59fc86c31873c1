"""The scoreboard: every claim of the book beside what was measured for it, as the
notebooks recorded it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from genai_tutorial.notebook.chapters import Chapter
from genai_tutorial.notebook.claims import claim_anchor


@dataclass(frozen=True)
class Row:
    """One claim.

    Attributes:
        chapter: in which it is made.
        statement: the claim, without a full stop.
        measured: what was measured, as text.
        anchor: the place on the chapter's page, as in `04_name.html#anchor`.
    """

    chapter: Chapter
    statement: str
    measured: str
    anchor: str


def scoreboard(found: Iterable[Chapter]) -> list[Row]:
    """Collect the claims of chapters, in the order in which a reader meets them."""
    return [
        Row(
            chapter,
            claim["statement"],
            claim["measured"],
            claim_anchor(claim["statement"]),
        )
        for chapter in found
        for claim in recorded_claims(json.loads(chapter.path.read_text("utf8")))
    ]


def recorded_claims(notebook: Mapping) -> list[dict]:
    """Return the claims that an executed notebook keeps with its outputs: "statement",
    "measured" and "holds".
    """
    outputs = (
        output for cell in notebook["cells"] for output in cell.get("outputs", ())
    )
    facts = (output.get("metadata", {}).get("genai_tutorial", {}) for output in outputs)
    return [fact["claim"] for fact in facts if "claim" in fact]
