"""The book's own look, on top of sphinx-book-theme: a style sheet, and some markup that it needs."""

import re

from docutils import nodes

NUMBERED = re.compile(r"(\d+)\.\s+")
EMPTY_HEADING = re.compile(r"<th( class=\"[^\"]*\")?><p></p></th>")


def set_chapter_number(app, doctree, docname):
    """Write `# 4. The Transformer language model` in two lines. The navigation has taken its titles by now."""
    title = next(doctree.findall(nodes.title), None)
    if not docname.startswith("notebooks/") or title is None or not isinstance(title[0], nodes.Text):
        return
    number = NUMBERED.match(title[0])
    if number:
        rest = title[0][number.end() :]
        title[0:1] = [
            nodes.inline("", f"Chapter {number[1]}", classes=["chapter-number"]),
            nodes.Text(" "),
            nodes.Text(rest),
        ]


def empty_corners(app, pagename, templatename, context, doctree):
    """Make the empty corner of a table an ordinary cell: a heading without words is read out as nothing."""
    if "body" in context:
        context["body"] = EMPTY_HEADING.sub(r"<td\1></td>", context["body"])


def setup(app):
    """Register the extension with Sphinx."""
    app.add_css_file("theme.css", priority=900)
    app.connect("doctree-resolved", set_chapter_number)
    app.connect("html-page-context", empty_corners)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
