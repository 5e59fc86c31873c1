"""The scoreboard: all claims of the book with their measured numbers, read from the
outputs of the notebooks.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .chapters import Chapter
from .claims import claim_anchor


@dataclass(frozen=True)
class Row:
    """One claim.

    Attributes:
        chapter: Chapter that makes the claim.
        statement: Statement, without a full stop.
        measured: Measured numbers as text.
        baseline: Baseline as text; empty if there is none.
        origin: "live", "recorded" or "exact"; empty if not stated.
        seeds: Number of random seeds behind the number, if stated.
        items: Number of test items behind the number, if stated.
        anchor: HTML anchor on the chapter's page, as in `04_name.html#anchor`.
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
    """Collect the claims of chapters in reading order."""
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
    """Return the origin of a claim's number, as far as the claim states it."""
    if "recorded" in claim:
        return "recorded"
    if "exact" in claim:
        return "exact"
    return "live" if "baseline" in claim else ""


def recorded_claims(notebook: Mapping) -> list[dict]:
    """Return the claims stored in the outputs of an executed notebook, each with
    "statement", "measured", "holds" and the optional arguments of `claim`.
    """
    outputs = (
        output for cell in notebook["cells"] for output in cell.get("outputs", ())
    )
    facts = (output.get("metadata", {}).get("genai_tutorial", {}) for output in outputs)
    return [fact["claim"] for fact in facts if "claim" in fact]
