"""`` {measured}`8 :: With guidance of weight 2 :: %` ``: the number of a
claim, linked to the cell that measured it.

The role gives a chapter, the beginning of one of its claims, and the name of one of the
measured numbers, which is empty for a claim with a single number. A name that begins
with `baseline` looks in the baseline, and one that ends in `%` shows a share as a
percentage.
"""

import re
from functools import cache
from pathlib import Path

from _ext.scoreboard import SCHEME
from docutils import nodes
from sphinx.util.docutils import SphinxRole

PERCENT = "%"


def number_named(text: str, name: str) -> str | None:
    """Return the number called `name` in a claim's text, or None.

    >>> number_named("Paris 0.97, Rome 1,200, last", "Rome")
    '1,200'
    >>> number_named("0.42 (95% interval 0.30 to 0.54)", "")
    '0.42'
    """
    number = r"(-?[\d,]*\d(?:\.\d*)?(?:e-?\d+)?)(?: \(95% interval [^)]*\))?(?=, |$)"
    start = rf"(?:^|, ){re.escape(name)} " if name else "^"
    found = re.search(start + number, text)
    return found[1] if found else None


def find_number(rows, chapter: int, beginning: str, name: str) -> tuple[str, object]:
    """Return the number and the row of the scoreboard that it comes from.

    Raises:
        ValueError: If not exactly one claim of the chapter begins so, or if it has no
            number of that name.
    """
    found = [
        row
        for row in rows
        if row.chapter.number == chapter and row.statement.startswith(beginning)
    ]
    if len(found) != 1:
        raise ValueError(
            f"{len(found)} claims of chapter {chapter} begin with {beginning!r}; name "
            "exactly one."
        )
    row, part = found[0], "measured"
    if name.startswith("baseline"):
        name, part = name.removeprefix("baseline").strip(), "baseline"
    number = number_named(getattr(row, part), name)
    if number is None:
        raise ValueError(
            f"the claim {row.statement!r} has no number called {name!r} in its {part} "
            f"numbers: {getattr(row, part)!r}."
        )
    return number, row


def as_percentage(number: str) -> str:
    """Write a share as a percentage.

    >>> as_percentage("0.908"), as_percentage("0.0149"), as_percentage("1.00")
    ('91%', '1.5%', '100%')
    """
    percent = round(100 * float(number.replace(",", "")), 6)
    return f"{percent:.0f}%" if percent >= 9.5 or percent == 0 else f"{percent:.1f}%"


class Measured(SphinxRole):
    """The role."""

    def run(self):
        """Return the number as a link to its claim."""
        chapter, beginning, *name = map(str.strip, self.text.split("::"))
        name = name[0] if name else ""
        as_share = name.endswith(PERCENT)
        try:
            number, row = find_number(
                board(Path(self.env.srcdir)),
                int(chapter),
                beginning,
                name.removesuffix(PERCENT).strip(),
            )
        except ValueError as error:
            message = self.inliner.reporter.error(str(error), line=self.lineno)
            return [], [message]
        self.env.note_dependency(str(row.chapter.path))
        link = nodes.reference(
            "",
            as_percentage(number) if as_share else number,
            refuri=f"{SCHEME}notebooks/{row.chapter.path.stem}#{row.anchor}",
            internal=True,
            reftitle=row.statement + ".",
            classes=["measured"],
        )
        return [link], []


@cache
def board(root: Path) -> list:
    """Return the book's scoreboard, read once per build."""
    from genai_tutorial.notebook import chapters, scoreboard

    return scoreboard(chapters(root))


def setup(app):
    """Register the extension with Sphinx."""
    app.add_role("measured", Measured())
    app.connect("builder-inited", lambda app: board.cache_clear())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
