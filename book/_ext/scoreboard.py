"""`{scoreboard}`: all claims of the book with their measured numbers, from the outputs
of the notebooks, and controls that filter them by chapter, source and words.
"""

from itertools import groupby
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

SCHEME = "claim:"
TITLES = ("Claim", "Measured", "Baseline", "Source", "Seeds", "Items")
FILTER = Path(__file__).with_name("scoreboard_filter.js")
FORM = """<form id="scoreboard-filter" class="scoreboard-filter" hidden>
<label>Chapter <select name="chapter"><option value="">all</option></select></label>
<label>Source <select name="source"><option value="">all</option>
<option>live</option><option>recorded</option><option>exact</option></select></label>
<label>Words <input name="words" type="search" autocomplete="off"></label>
<output aria-live="polite"></output>
</form>"""


class Scoreboard(SphinxDirective):
    """The directive."""

    def run(self):
        """Return the controls and a table for each chapter."""
        from genai_tutorial.notebook import chapters, scoreboard

        result = [nodes.raw("", FORM, format="html")]
        found = scoreboard(chapters(Path(self.env.srcdir)))
        for chapter, claims in groupby(found, key=lambda claim: claim.chapter):
            self.env.note_dependency(str(chapter.path))
            result += self.parse_text_to_nodes(
                f"[{chapter.number}. {chapter.title}](/notebooks/{chapter.path.name})"
            )
            result[-1]["classes"].append("scoreboard-chapter")
            rows = []
            for claim in claims:
                place = f"{SCHEME}notebooks/{chapter.path.stem}#{claim.anchor}"
                link = nodes.reference(
                    "", claim.statement + ".", refuri=place, internal=True
                )
                counts = (claim.seeds, claim.items)
                texts = [
                    claim.measured,
                    claim.baseline,
                    claim.origin,
                    *("" if count is None else f"{count:,}" for count in counts),
                ]
                rows.append((link, *map(nodes.Text, texts)))
            result.append(table(TITLES, rows, classes=["scoreboard"]))
        script = f"<script>\n{FILTER.read_text('utf8')}</script>"
        return [*result, nodes.raw("", script, format="html")]


def table(
    titles: tuple[str, ...], rows: list[tuple[nodes.Node, ...]], classes: list[str]
) -> nodes.table:
    """Return a table of inline nodes under a row of titles."""

    def row(cells):
        return nodes.row(
            "", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells)
        )

    head = nodes.thead("", row([nodes.Text(title) for title in titles]))
    columns = [nodes.colspec(colwidth=1) for _ in titles]
    return nodes.table(
        "",
        nodes.tgroup(
            "", *columns, head, nodes.tbody("", *map(row, rows)), cols=len(titles)
        ),
        classes=classes,
    )


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
    """Register the extension with Sphinx."""
    app.add_directive("scoreboard", Scoreboard)
    app.connect("doctree-resolved", resolve_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
