"""The book's own look, on top of sphinx-book-theme: a style sheet, and some markup that
it needs.
"""

import re
from pathlib import Path

from docutils import nodes

NUMBERED = re.compile(r"(\d+)\.\s+")
EXERCISE_FACTS = re.compile(r" \(\d+ minutes, \d+ points?\)$")
EMPTY_HEADING = re.compile(r"<th( class=\"[^\"]*\")?><p></p></th>")
FORMULA_AND_STOP = re.compile(
    r'(<span class="math [^>]*>(?:(?!</span>).)*</span>)([.,;:!?)’”]+)', re.DOTALL
)


def set_chapter_number(app, doctree, docname):
    """Write `# 4. The Transformer language model` in two lines. The navigation has
    taken its titles by now.
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
    """Name an exercise in the margin without its minutes and points."""
    for text in list(app.env.tocs[app.env.docname].findall(nodes.Text)):
        if EXERCISE_FACTS.search(text):
            text.parent.replace(text, nodes.Text(EXERCISE_FACTS.sub("", text)))


def empty_corners(app, pagename, templatename, context, doctree):
    """Make the empty corner of a table an ordinary cell: a heading without words is
    read out as nothing.
    """
    if "body" in context:
        context["body"] = EMPTY_HEADING.sub(r"<td\1></td>", context["body"])


def punctuation_with_formulas(app, pagename, templatename, context, doctree):
    """Keep a formula and the full stop after it in one line: between the two a browser
    may break otherwise.
    """
    if "body" in context:
        context["body"] = FORMULA_AND_STOP.sub(
            r'<span class="together">\1\2</span>', context["body"]
        )


def remove_source_maps(app, exception):
    """Leave out what only the theme's own developers look at: the way from its packed
    scripts back to their sources.
    """
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
