"""The book's design on top of sphinx-book-theme: a style sheet, the markup that it
needs, and repairs of markup that the page validator or a screen reader minds.
"""

import re
from pathlib import Path

from docutils import nodes
from pygments.token import STANDARD_TYPES, Name, Punctuation, Whitespace
from sphinx.transforms import SphinxTransform

REACH = Path(__file__).with_name("reach.js")
NUMBERED = re.compile(r"(\d+)\.\s+")
EXERCISE_FACTS = re.compile(r" \(\d+ minutes, \d+ points?\)$")
EMPTY_HEADING = re.compile(r"<th( class=\"[^\"]*\")?>(?:<p></p>)?</th>")
FORMULA_AND_STOP = re.compile(
    r'(<span class="math [^>]*>(?:(?!</span>).)*</span>)([.,;:!?)’”]+)', re.DOTALL
)
# Parts of a program that both styles leave in the colour of the block: an element
# around each of them would be an eighth of the whole site.
PLAIN = (Name, Punctuation, Whitespace)
BOXES = {
    "note": "note",
    "tip": "tip",
    "warning": "warning",
    "key idea": "important",
    "exercise": "exercise",
}
# What a screen reader minds in the markup of the theme and of MyST-NB: a fold without a
# name, names that are not what is seen, and a logo outside of any region.
NAMES = {
    '<summary><span class="toctree-toggle"': (
        '<summary aria-label="The pages below"><span class="toctree-toggle"'
    ),
    '<summary aria-label="Toggle hidden content">': "<summary>",
    'search-button-field search-button__button pst-js-only" title="Search" '
    'aria-label="Search"': (
        'search-button-field search-button__button pst-js-only" title="Search"'
    ),
    'data-mode="light" title="Light"': 'data-mode="light"',
    'data-mode="dark"  title="Dark"': 'data-mode="dark"',
    'data-mode="auto"  title="System Settings"': 'data-mode="auto"',
    '<div id="pst-primary-sidebar"': (
        '<div id="pst-primary-sidebar" role="region" aria-label="The book"'
    ),
}


class QuotesAsBoxes(SphinxTransform):
    """Turn quotes such as '> **Note.** text', which every viewer of notebooks can show,
    into admonitions.
    """

    default_priority = 300

    def apply(self):
        for quote in list(self.document.findall(nodes.block_quote)):
            first = quote[0] if len(quote) else None
            if not isinstance(first, nodes.paragraph):
                continue
            # markdown-it puts an empty text before **bold**
            while (
                len(first) and isinstance(first[0], nodes.Text) and not first[0].strip()
            ):
                first.pop(0)
            if not (len(first) and isinstance(first[0], nodes.strong)):
                continue
            title = first[0].astext().rstrip(" .:")
            kind = BOXES.get(title.lower())
            if kind is None:
                continue
            first.pop(0)
            if len(first) and isinstance(first[0], nodes.Text):
                first[0] = nodes.Text(first[0].lstrip(" .:\n"))
            box = nodes.admonition(
                "", nodes.title(title, title), *quote.children, classes=[kind]
            )
            box.source, box.line = quote.source, quote.line
            quote.replace_self(box)


def set_chapter_number(app, doctree, docname):
    """Split headings such as `# 4. The Transformer language model` into two lines,
    after the navigation has collected the titles.
    """
    title = next(doctree.findall(nodes.title), None)
    if not docname.startswith("notebooks/") or title is None:
        return
    if number := NUMBERED.match(title[0].astext()):
        rest = title[0].astext()[number.end() :]
        title[0:1] = [
            nodes.inline("", f"Chapter {number[1]}", classes=["chapter-number"]),
            nodes.Text(f" {rest}"),
        ]


def shorten_exercises(app, doctree):
    """Remove minutes and points from the titles of exercises in the margin."""
    for text in list(app.env.tocs[app.env.docname].findall(nodes.Text)):
        if EXERCISE_FACTS.search(text):
            text.parent.replace(text, nodes.Text(EXERCISE_FACTS.sub("", text)))


def mend_markup(app, pagename, templatename, context, doctree):
    if "body" not in context:
        return
    # Screen readers announce empty headings, such as the corner of a table.
    body = EMPTY_HEADING.sub(r"<td\1></td>", context["body"])
    # A formula and the punctuation after it stay on one line.
    body = FORMULA_AND_STOP.sub(r'<span class="together">\1\2</span>', body)
    # docutils gives the entries of the bibliography a role that is invalid in a list.
    context["body"] = body.replace('role="doc-biblioentry"', 'role="listitem"')


def mend_names(app, exception):
    if exception or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        text = path.read_text("utf8")
        for old, new in NAMES.items():
            text = text.replace(old, new)
        path.write_text(text, "utf8")


def setup(app):
    STANDARD_TYPES.update(dict.fromkeys(PLAIN, ""))
    app.add_css_file("theme.css", priority=900)
    app.add_js_file(None, body=REACH.read_text("utf8"), priority=900)
    app.add_transform(QuotesAsBoxes)
    # after Sphinx has collected the titles
    app.connect("doctree-read", shorten_exercises, priority=900)
    app.connect("doctree-resolved", set_chapter_number)
    app.connect("html-page-context", mend_markup)
    app.connect("build-finished", mend_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
