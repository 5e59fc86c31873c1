"""The glossary: links to its page become links to the entry itself, and the search
names its terms. `{filter}` is a form that filters a long page.

Chapters link to the file, `[maximum likelihood](../book/glossary.md)`, which every
notebook viewer understands. In the book such a link leads to the entry for its text and
shows the definition on hover. A term without an entry is a warning, which fails the
build.
"""

import json
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

HERE = Path(__file__).parent
logger = logging.getLogger(__name__)
GLOSSARY = "book/glossary"
# Inflected forms and synonyms that the rules below do not map to an entry.
OTHER_FORMS = {
    "contrastive": "contrastive learning",
    "gaussian": "gaussian distribution",
    "held-out": "held-out data",
    "layernorm": "layer normalization",
    "learned vector for each position": "learned position embedding",
    "mixture": "mixture model",
    "normal distribution": "gaussian distribution",
    "normalized": "normalization",
    "pca": "principal component analysis",
    "responsible": "responsibility",
    "sampled": "sampling",
}
FORM = """<form id="filter" class="page-filter" data-what="{what}" hidden>
{selects}<label>Words <input name="words" type="search" autocomplete="off"></label>
<output aria-live="polite"></output>
</form>
<script>
{script}</script>"""
SELECTS = """<label>Chapter <select name="chapter"><option value="">all</option></select></label>
<label>Source <select name="source"><option value="">all</option>
<option>live</option><option>recorded</option><option>exact</option></select></label>
"""  # noqa: E501


def plain(text: str) -> str:
    """Return a word in lower case, with straight apostrophes and short hyphens."""
    return " ".join(text.split()).lower().replace("’", "'").replace("–", "-")


def candidates(text: str) -> list[str]:
    """Return possible glossary entries for a word: unchanged, in the singular, or a
    synonym.

    >>> candidates("Optimizers")
    ['optimizers', 'optimizer']
    """
    word = plain(text)
    forms = [word]
    for ending, singular in (("ies", "y"), ("es", ""), ("s", "")):
        if word.endswith(ending):
            forms.append(word.removesuffix(ending) + singular)
    return forms + [OTHER_FORMS[form] for form in forms if form in OTHER_FORMS]


def entries(env) -> list[tuple[str, str, str]]:
    """Return the name, the anchor and the definition of each glossary entry."""
    found = []
    for item in env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        text = next(item.findall(nodes.definition)).astext()
        definition = text.split("\n\n")[0].replace("\n", " ")
        for term in item.findall(nodes.term):
            words = [
                child.astext()
                for child in term.children
                if not isinstance(child, addnodes.index)
            ]
            if term["ids"]:
                found.append(("".join(words), term["ids"][0], definition))
    return found


def lead_to_entries(app, doctree, docname):
    if GLOSSARY not in app.env.found_docs or docname == GLOSSARY:
        return
    target = app.builder.get_relative_uri(docname, GLOSSARY)
    links = [
        link
        for link in doctree.findall(nodes.reference)
        if link.get("refuri") == target and "glossary" not in link.astext().lower()
    ]
    found = {plain(name): rest for name, *rest in entries(app.env)} if links else {}
    for link in links:
        form = next((form for form in candidates(link.astext()) if form in found), None)
        if form is None:
            logger.warning(
                "the glossary has no entry for %r; add it to book/glossary.md",
                link.astext(),
                location=link,
            )
            continue
        anchor, link["reftitle"] = found[form]
        link["refuri"] = f"{target}#{anchor}"
        link["classes"].append("glossary-word")


class Filter(SphinxDirective):
    """`{filter} claims` or `{filter} terms`."""

    required_arguments = 1

    def run(self):
        what = self.arguments[0]
        form = FORM.format(
            what=what,
            selects=SELECTS if what == "claims" else "",
            script=(HERE / "filter.js").read_text("utf8"),
        )
        return [nodes.raw("", form, format="html")]


def extend_search(app, pagename, templatename, context, doctree):
    if pagename == "search" and GLOSSARY in app.env.found_docs:
        # The search shows both as HTML.
        terms = {
            f"#{anchor}": [escape(name), escape(definition)]
            for name, anchor, definition in entries(app.env)
        }
        script = (HERE / "search.js").read_text("utf8")
        names = json.dumps(terms, ensure_ascii=False).replace("<", "\\u003c")
        app.add_js_file(None, body=f"const glossary = {names};\n{script}", priority=900)


def setup(app):
    app.add_directive("filter", Filter)
    app.connect("html-page-context", extend_search)
    app.connect("doctree-resolved", lead_to_entries)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
