"""Build the navigation once for all pages outside the table of contents.

Most pages of the book are source listings of the package. They are not part of the
navigation, so it is the same for all pages at the same depth.
"""


def share_navigation(app, pagename, templatename, context, doctree):
    """Reuse the navigation of another page outside the table of contents."""
    if pagename in app.env.found_docs or "toctree" not in context:
        return
    make, depth = context["toctree"], pagename.count("/")

    def toctree(**options):
        made = app.builder.shared_navigation
        key = (depth, *sorted(options.items()))
        if key not in made:
            # Collapsed: otherwise the package's pages are repeated on all 200 of them.
            made[key] = make(**options | {"collapse": True})
        return made[key]

    context["toctree"] = toctree


def forget_navigation(app):
    """Clear the cache at the start of a build."""
    app.builder.shared_navigation = {}


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("builder-inited", forget_navigation)
    # Before the theme, which builds the navigation to find empty parts.
    app.connect("html-page-context", share_navigation, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
