"""The book's own look, on top of sphinx-book-theme: a style sheet, and the number of a chapter above its title."""

import re

from docutils import nodes

NUMBERED = re.compile(r"(\d+)\.\s+")


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


def setup(app):
    """Register the extension with Sphinx."""
    app.add_css_file("theme.css", priority=900)
    app.connect("doctree-resolved", set_chapter_number)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
