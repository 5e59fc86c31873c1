"""Make the navigation of the pages that stand nowhere in it once, not for each.

The sources of the package are most of the book's pages by number. None of them has a
place in the navigation, so that it is the same on all that lie equally deep.
"""


def share_navigation(app, pagename, templatename, context, doctree):
    """Let a page outside the table of contents take over what another one has made."""
    if pagename in app.env.found_docs or "toctree" not in context:
        return
    make, depth = context["toctree"], pagename.count("/")

    def toctree(**options):
        made = app.builder.shared_navigation
        key = (depth, *sorted(options.items()))
        if key not in made:
            # Closed: the pages of the package would be repeated on each of two hundred.
            made[key] = make(**options | {"collapse": True})
        return made[key]

    context["toctree"] = toctree


def forget_navigation(app):
    """Begin each build with nothing."""
    app.builder.shared_navigation = {}


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("builder-inited", forget_navigation)
    # Before the theme, which asks for the navigation to see which parts are empty.
    app.connect("html-page-context", share_navigation, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
