"""Turn blockquotes such as '> **Note.** text', which any notebook viewer can show, into
admonitions.
"""

from docutils import nodes
from sphinx.transforms import SphinxTransform

KINDS = {
    "note": "note",
    "tip": "tip",
    "warning": "warning",
    "key idea": "important",
    "exercise": "exercise",
}


class QuoteAdmonitions(SphinxTransform):
    default_priority = 300

    def apply(self):
        for quote in list(self.document.findall(nodes.block_quote)):
            para = quote[0] if len(quote) else None
            if not isinstance(para, nodes.paragraph):
                continue
            while len(para) and isinstance(para[0], nodes.Text) and not para[0].strip():
                para.pop(0)  # markdown-it puts an empty text token before **bold**
            if not (len(para) and isinstance(para[0], nodes.strong)):
                continue
            title = para[0].astext().rstrip(" .:")
            kind = KINDS.get(title.lower())
            if kind is None:
                continue
            para.pop(0)
            if len(para) and isinstance(para[0], nodes.Text):
                para[0] = nodes.Text(para[0].lstrip(" .:\n"))
            adm = nodes.admonition(
                "", nodes.title(title, title), *quote.children, classes=[kind]
            )
            adm.source, adm.line = quote.source, quote.line
            quote.replace_self(adm)


def setup(app):
    app.add_transform(QuoteAdmonitions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
