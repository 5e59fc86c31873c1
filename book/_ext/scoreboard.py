"""`{scoreboard}`: every claim of the book with what was measured for it, as the notebooks recorded it when they ran."""

import json
from pathlib import Path

from _ext.outline import read_outline
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

SCHEME = "claim:"


class Scoreboard(SphinxDirective):
    """The directive."""

    def run(self):
        """Return a table for each chapter that is ready."""
        from genai_tutorial.notebook.claims import claim_anchor

        root, result = Path(self.env.srcdir), []
        for chapter in (chapter for part in read_outline(root) for chapter in part.chapters if chapter.document):
            path = root / f"{chapter.document}.ipynb"
            self.env.note_dependency(str(path))
            result += self.parse_text_to_nodes(f"[{chapter.number}. {chapter.title}](/{chapter.document}.ipynb)")
            result[-1]["classes"].append("scoreboard-chapter")
            rows = []
            for claim in recorded_claims(json.loads(path.read_text("utf8"))):
                place = f"{SCHEME}{chapter.document}#{claim_anchor(claim['statement'])}"
                link = nodes.reference("", claim["statement"] + ".", refuri=place, internal=True)
                rows.append((link, nodes.Text(claim["measured"])))
            result.append(table(("Claim", "Measured"), rows, classes=["scoreboard"]))
        return result


def recorded_claims(notebook: dict) -> list[dict]:
    """Return the claims that a notebook's cells left with their outputs."""
    outputs = (output for cell in notebook["cells"] for output in cell.get("outputs", ()))
    facts = (output.get("metadata", {}).get("genai_tutorial", {}) for output in outputs)
    return [fact["claim"] for fact in facts if "claim" in fact]


def table(titles: tuple[str, ...], rows: list[tuple[nodes.Node, ...]], classes: list[str]) -> nodes.table:
    """Return a table of inline nodes under a row of titles."""

    def row(cells):
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))

    head = nodes.thead("", row([nodes.Text(title) for title in titles]))
    columns = [nodes.colspec(colwidth=1) for _ in titles]
    return nodes.table(
        "", nodes.tgroup("", *columns, head, nodes.tbody("", *map(row, rows)), cols=len(titles)), classes=classes
    )


def resolve_links(app, doctree, docname):
    """Turn the places of claims into addresses, which only the builder knows."""
    for link in doctree.findall(nodes.reference):
        if link.get("refuri", "").startswith(SCHEME):
            document, anchor = link["refuri"].removeprefix(SCHEME).split("#")
            address = app.builder.get_relative_uri(docname, document)
            # A book on a single page has only anchors.
            link["refuri"] = f"#{anchor}" if address.startswith("#") else f"{address}#{anchor}"


def setup(app):
    """Register the extension with Sphinx."""
    app.add_directive("scoreboard", Scoreboard)
    app.connect("doctree-resolved", resolve_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
