"""The book's design on top of sphinx-book-theme: a style sheet, and the markup that it
needs.
"""

import re
from pathlib import Path

from docutils import nodes

NUMBERED = re.compile(r"(\d+)\.\s+")
EXERCISE_FACTS = re.compile(r" \(\d+ minutes, \d+ points?\)$")
EMPTY_HEADING = re.compile(r"<th( class=\"[^\"]*\")?>(?:<p></p>)?</th>")
FORMULA_AND_STOP = re.compile(
    r'(<span class="math [^>]*>(?:(?!</span>).)*</span>)([.,;:!?)’”]+)', re.DOTALL
)


def set_chapter_number(app, doctree, docname):
    """Split headings such as `# 4. The Transformer language model` into two lines,
    after the navigation has collected the titles.
    """
    title = next(doctree.findall(nodes.title), None)
    if (
        not docname.startswith("notebooks/")
        or title is None
        or not isinstance(title[0], nodes.Text)
    ):
        return
    number = NUMBERED.match(title[0])
    if number:
        rest = title[0][number.end() :]
        title[0:1] = [
            nodes.inline("", f"Chapter {number[1]}", classes=["chapter-number"]),
            nodes.Text(" "),
            nodes.Text(rest),
        ]


def shorten_exercises(app, doctree):
    """Remove minutes and points from the titles of exercises in the margin."""
    for text in list(app.env.tocs[app.env.docname].findall(nodes.Text)):
        if EXERCISE_FACTS.search(text):
            text.parent.replace(text, nodes.Text(EXERCISE_FACTS.sub("", text)))


def empty_corners(app, pagename, templatename, context, doctree):
    """Turn empty headings of tables, such as the corner or those that pandas writes,
    into ordinary cells, because screen readers announce them.
    """
    if "body" in context:
        context["body"] = EMPTY_HEADING.sub(r"<td\1></td>", context["body"])


def punctuation_with_formulas(app, pagename, templatename, context, doctree):
    """Keep a formula and the punctuation after it on one line."""
    if "body" in context:
        context["body"] = FORMULA_AND_STOP.sub(
            r'<span class="together">\1\2</span>', context["body"]
        )


def remove_source_maps(app, exception):
    """Remove the theme's source maps, which only its developers need."""
    if exception or app.builder.format != "html":
        return
    for path in (Path(app.outdir) / "_static").rglob("*.map"):
        path.unlink()


def setup(app):
    """Register the extension with Sphinx."""
    app.add_css_file("theme.css", priority=900)
    # after Sphinx has collected the titles
    app.connect("doctree-read", shorten_exercises, priority=900)
    app.connect("doctree-resolved", set_chapter_number)
    app.connect("html-page-context", empty_corners)
    app.connect("html-page-context", punctuation_with_formulas)
    # after Sphinx has copied the theme's files
    app.connect("build-finished", remove_source_maps, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
