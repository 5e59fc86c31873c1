"""The claims of all chapters, from the outputs of the notebooks.

`{scoreboard}` lists them with their measured numbers. The role
`` {measured}`8 :: With guidance of weight 2 :: %` `` is the number of one of them,
linked to the cell that measured it: it gives a chapter, the beginning of a claim, and
the name of one of the measured numbers, which is empty for a claim with a single
number. A name that begins with `baseline` or `versus` looks in the numbers that it is
compared with, and one that ends in `%` shows a share as a percentage.
"""

from functools import cache
from itertools import groupby
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

SCHEME = "claim:"
TITLES = ("Claim", "Measured", "Compared with", "Source", "Seeds", "Items")
PERCENT = "%"


@cache
def board(root: Path) -> list:
    """Return all claims, read once per build."""
    from genai_tutorial.notebook import chapters, scoreboard

    return scoreboard(chapters(root))


def link_to(claim, text: str, **more) -> nodes.reference:
    address = f"{SCHEME}notebooks/{claim.page.stem}#{claim.anchor}"
    return nodes.reference("", text, refuri=address, internal=True, **more)


class Scoreboard(SphinxDirective):
    """A table for each chapter, in a box with the chapter's title."""

    def run(self):
        result = []
        found = board(Path(self.env.srcdir))
        for chapter, claims in groupby(found, key=lambda claim: claim.chapter):
            heading = self.parse_text_to_nodes(
                f"[{chapter.number}. {chapter.title}](/notebooks/{chapter.path.name})"
            )
            heading[-1]["classes"].append("scoreboard-chapter")
            rows = []
            for claim in claims:
                self.env.note_dependency(str(claim.page))
                counts = (claim.seeds, claim.items)
                texts = [
                    claim.measured + (f" ({claim.interval})" if claim.interval else ""),
                    "; ".join(filter(None, (claim.baseline, claim.versus))),
                    claim.origin,
                    *("" if count is None else f"{count:,}" for count in counts),
                ]
                rows.append(
                    (link_to(claim, claim.statement + "."), *map(nodes.Text, texts))
                )
            board_table = table(TITLES, rows, classes=["scoreboard"])
            result.append(
                nodes.container("", *heading, board_table, classes=["filter-group"])
            )
        return result


def table(
    titles: tuple[str, ...], rows: list[tuple[nodes.Node, ...]], classes: list[str]
) -> nodes.table:
    """Return a table of inline nodes under a row of titles."""

    def row(cells):
        return nodes.row(
            "", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells)
        )

    columns = [nodes.colspec(colwidth=1) for _ in titles]
    head = nodes.thead("", row([nodes.Text(title) for title in titles]))
    body = nodes.tbody("", *map(row, rows))
    group = nodes.tgroup("", *columns, head, body, cols=len(titles))
    return nodes.table("", group, classes=classes)


def find_number(claims, chapter: int, beginning: str, name: str) -> tuple[str, object]:
    """Return the number and the claim that it comes from; "items" is the number of
    test items behind the claim.

    Raises:
        ValueError: If not exactly one claim of the chapter begins so, or if it has no
            number of that name.
    """
    from genai_tutorial.teaching import number_named

    found = [
        claim
        for claim in claims
        if claim.chapter.number == chapter and claim.statement.startswith(beginning)
    ]
    if len(found) != 1:
        raise ValueError(
            f"{len(found)} claims of chapter {chapter} begin with {beginning!r}; name "
            "exactly one."
        )
    claim, part = found[0], "measured"
    if name == "items" and claim.items is not None:
        return f"{claim.items:,}", claim
    for opponent in ("baseline", "versus"):
        if name.startswith(opponent):
            name, part = name.removeprefix(opponent).strip(), opponent
    number = number_named(getattr(claim, part), name)
    if number is None:
        raise ValueError(
            f"the claim {claim.statement!r} has no number called {name!r} in its "
            f"{part} numbers: {getattr(claim, part)!r}."
        )
    return number, claim


def as_percentage(number: str) -> str:
    """Write a share as a percentage.

    >>> as_percentage("0.908"), as_percentage("0.0149"), as_percentage("1.00")
    ('91%', '1.5%', '100%')
    """
    percent = round(100 * float(number.replace(",", "")), 6)
    return f"{percent:.0f}%" if percent >= 9.5 or percent == 0 else f"{percent:.1f}%"


class Measured(SphinxRole):
    def run(self):
        chapter, beginning, *name = map(str.strip, self.text.split("::"))
        name = name[0] if name else ""
        try:
            number, claim = find_number(
                board(Path(self.env.srcdir)),
                int(chapter),
                beginning,
                name.removesuffix(PERCENT).strip(),
            )
        except ValueError as error:
            message = self.inliner.reporter.error(str(error), line=self.lineno)
            return [], [message]
        self.env.note_dependency(str(claim.page))
        text = as_percentage(number) if name.endswith(PERCENT) else number
        title = claim.statement + "."
        return [link_to(claim, text, reftitle=title, classes=["measured"])], []


def resolve_links(app, doctree, docname):
    """Turn references to claims into addresses, which only the builder knows."""
    for link in doctree.findall(nodes.reference):
        if link.get("refuri", "").startswith(SCHEME):
            document, anchor = link["refuri"].removeprefix(SCHEME).split("#")
            address = app.builder.get_relative_uri(docname, document)
            # In a single-page book, links are anchors only.
            link["refuri"] = (
                f"#{anchor}" if address.startswith("#") else f"{address}#{anchor}"
            )


def setup(app):
    app.add_directive("scoreboard", Scoreboard)
    app.add_role("measured", Measured())
    app.connect("builder-inited", lambda app: board.cache_clear())
    app.connect("doctree-resolved", resolve_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
