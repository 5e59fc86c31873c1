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
        baseline: what it must beat, as text; empty where nothing is said.
        origin: "live", "recorded" or "exact"; empty where nothing is said.
        seeds: how many random seeds stand behind the number, if that is said.
        items: how many test items stand behind the number, if that is said.
        anchor: the place on the chapter's page, as in `04_name.html#anchor`.
    """

    chapter: Chapter
    statement: str
    measured: str
    baseline: str
    origin: str
    seeds: int | None
    items: int | None
    anchor: str


def scoreboard(found: Iterable[Chapter]) -> list[Row]:
    """Collect the claims of chapters, in the order in which a reader meets them."""
    return [
        Row(
            chapter,
            claim["statement"],
            claim["measured"],
            claim.get("baseline", ""),
            claim_origin(claim),
            claim.get("seeds"),
            claim.get("items"),
            claim_anchor(claim["statement"]),
        )
        for chapter in found
        for claim in recorded_claims(json.loads(chapter.path.read_text("utf8")))
    ]


def claim_origin(claim: Mapping) -> str:
    """Return where the number of a claim comes from, as far as the claim says it.

    A number with a baseline was measured as the notebook ran, unless the claim names a
    record.

    >>> claim_origin({"baseline": "0.10"}), claim_origin({"recorded": "spread"})
    ('live', 'recorded')
    """
    if "recorded" in claim:
        return "recorded"
    if "exact" in claim:
        return "exact"
    return "live" if "baseline" in claim else ""


def recorded_claims(notebook: Mapping) -> list[dict]:
    """Return the claims that an executed notebook keeps with its outputs: "statement",
    "measured" and "holds", and what else `claim` was told.
    """
    outputs = (
        output for cell in notebook["cells"] for output in cell.get("outputs", ())
    )
    facts = (output.get("metadata", {}).get("genai_tutorial", {}) for output in outputs)
    return [fact["claim"] for fact in facts if "claim" in fact]
