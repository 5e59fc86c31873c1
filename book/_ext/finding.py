"""Finding things: the search, which names the glossary's terms and shows chapters
before the package's reference, and `{filter}`, a form that filters a long page.
"""

import json
from html import escape
from pathlib import Path

from _ext.glossary import GLOSSARY, entries
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

HERE = Path(__file__).parent
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
    return {"parallel_read_safe": True, "parallel_write_safe": True}
